//! Log lines about recordings and other files of streams, whichever output writes them.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tracing::{error, info, warn};

use super::WriteError;
use crate::hub::stream::Stream;
use crate::limits;
use crate::log::os_text;
use crate::log::shown::Shown;
use crate::media::log as media_log;
use crate::media::samples::SampleRemark;
use crate::media::session::Session;
use crate::notify::CallbackAnswer;
use crate::wire::MediaKind;

/// A recorder opened a file.
pub fn opened(stream: &Stream, path: &Path) {
    info!("record: recording '{}' to \"{}\"", Shown::new(&stream.key().name), Shown::path(path));
}

/// A recording is complete.
pub fn closed(stream: &Stream, path: &Path) {
    info!("record: recorded '{}' to \"{}\"", Shown::new(&stream.key().name), Shown::path(path));
}

/// A recording without media was removed.
pub fn empty(stream: &Stream, path: &Path) {
    warn!("record: no media of '{}' for \"{}\", removed", Shown::new(&stream.key().name), Shown::path(path));
}

/// A recording lacks messages of this kind.
pub fn left_out(stream: &Stream, path: &Path, kind: MediaKind, reason: &str) {
    let what = match kind {
        MediaKind::Video => "video",
        MediaKind::Audio => "audio",
        MediaKind::Data => "timed metadata",
    };
    warn!(
        "record: {what} of '{}' is missing, wholly or in part, in \"{}\": {reason}",
        Shown::new(&stream.key().name),
        Shown::path(path)
    );
}

/// Timestamps of a recorded stream were corrected.
pub fn repaired(stream: &Stream) {
    warn!(
        "record: timestamps of '{}' jump; its recordings go on without a gap",
        Shown::new(&stream.key().name)
    );
}

/// A recording cannot be written.
pub fn failed(stream: &Stream, call: &str, path: &Path, error: &io::Error) {
    let error = os_text(error);
    error!(
        target: "crit",
        "record: {call}() \"{}\" failed ({error}), stream: '{}'",
        Shown::path(path),
        Shown::new(&stream.key().name)
    );
}

/// The disk is too slow for recorders.
pub fn too_slow(stream: &Stream, lost: u64) {
    warn!("record: disk too slow: {lost} packets of '{}' were not recorded", Shown::new(&stream.key().name));
}

/// An old file was removed.
pub fn removed(directive: &str, path: &Path) {
    info!(target: "notice", "{directive}: removed \"{}\"", Shown::path(path));
}

/// Old files could not be removed; the first of them and their number.
pub fn not_removed(directive: &str, path: &Path, error: &io::Error, count: usize) {
    let error = os_text(error);
    error!(
        "{directive}: unlink() \"{}\" failed ({error}), {count} files in this directory are kept",
        Shown::path(path)
    );
}

/// A directory has more files than are looked at.
pub fn too_many_files(directive: &str, path: &Path) {
    warn!(
        "{directive}: more than {} files in \"{}\", the others are ignored",
        limits::KEEP_FILES,
        Shown::path(path)
    );
}

/// The answer to an enforced update ends a recording.
pub fn refused(session: &Session, answer: &CallbackAnswer) {
    info!(
        conn = session.id,
        "recording of '{}' ended by the answer to record update ({answer})",
        Shown::new(&session.key.name)
    );
}

/// Log of an output that writes the files of one publish. It says once what repeats with every write.
pub struct OutputLog {
    /// Name of the output, with which its lines begin.
    output: &'static str,
    stream: Arc<Stream>,
    /// Whether a failure was logged: a full disk fails with every write.
    failed: bool,
}

impl OutputLog {
    /// Log of the output with this name.
    pub fn new(output: &'static str, stream: &Arc<Stream>) -> Self {
        OutputLog { output, stream: stream.clone(), failed: false }
    }

    /// The stream's name cannot be a file name.
    pub fn name_refused(&self) {
        warn!("{}: no files are written of '{}': the name is not a file name", self.output, self.name());
    }

    /// The directory of the files is not set.
    pub fn without_path(&self) {
        error!("{0}: no files are written of '{1}': {0}_path is not set", self.output, self.name());
    }

    /// Another stream writes the same files.
    pub fn place_taken(&self, path: &Path) {
        error!(
            "{}: no files are written of '{}': another stream writes \"{}\"",
            self.output,
            self.name(),
            Shown::path(path)
        );
    }

    /// A file could not be written; logged once.
    pub fn not_written(&mut self, failure: Option<WriteError>) {
        if let Some(WriteError { call, path, error }) = failure
            && !std::mem::replace(&mut self.failed, true)
        {
            error!(
                target: "crit",
                "{}: {call}() \"{}\" failed ({}), stream: '{}'",
                self.output,
                Shown::path(&path),
                os_text(&error),
                self.name()
            );
        }
    }

    /// The disk is too slow, if frames were lost.
    pub fn too_slow(&self, lost: u64) {
        if lost > 0 {
            warn!("{}: disk too slow: {lost} frames of '{}' were not written", self.output, self.name());
        }
    }

    /// Remarks of a feed.
    pub fn remarks(&self, remarks: &[SampleRemark]) {
        remarks.iter().for_each(|remark| media_log::sample_remark(self.output, &self.stream, *remark));
    }

    fn name(&self) -> Shown<'_> {
        Shown::new(&self.stream.key().name)
    }
}
