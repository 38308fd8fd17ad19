//! Log lines about recordings, whichever output writes them.

use std::io;
use std::path::Path;

use tracing::{error, info, warn};

use crate::hub::stream::Stream;
use crate::limits;
use crate::log::shown::Shown;
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
    let what = if kind == MediaKind::Video { "video" } else { "audio" };
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
