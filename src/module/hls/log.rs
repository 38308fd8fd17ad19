//! Log lines about HLS files.

use std::io;
use std::path::Path;

use tracing::{error, warn};

use crate::hub::stream::Stream;
use crate::log::shown::Shown;
use crate::wire::MediaKind;
use crate::wire::fmp4::Fmp4Error;

/// A stream name cannot be a file name.
pub fn name_refused(stream: &Stream) {
    warn!("hls: no files are written of '{}': the name is not a file name", Shown::new(&stream.key().name));
}

/// `hls on` without `hls_path`.
pub fn without_path(stream: &Stream) {
    error!("hls: no files are written of '{}': hls_path is not set", Shown::new(&stream.key().name));
}

/// Another stream writes the same files.
pub fn place_taken(stream: &Stream, playlist: &Path) {
    error!(
        "hls: no files are written of '{}': another stream writes \"{}\"",
        Shown::new(&stream.key().name),
        Shown::path(playlist)
    );
}

/// A directory could not be created at the start.
pub fn not_made(path: &Path, error: &io::Error) {
    error!("hls: mkdir() \"{}\" failed ({error})", Shown::path(path));
}

/// A file of a stream could not be written; logged once per publish.
pub fn not_written(stream: &Stream, call: &str, path: &Path, error: &io::Error) {
    error!(
        target: "crit",
        "hls: {call}() \"{}\" failed ({error}), stream: '{}'",
        Shown::path(path),
        Shown::new(&stream.key().name)
    );
}

/// The disk is too slow.
pub fn too_slow(stream: &Stream, lost: u64) {
    warn!("hls: disk too slow: {lost} frames of '{}' were not written", Shown::new(&stream.key().name));
}

/// An outdated file could not be removed.
pub fn not_removed(path: &Path, error: &io::Error) {
    error!("hls: unlink() \"{}\" failed ({error})", Shown::path(path));
}

/// Media that fragmented MP4 cannot carry; logged once per publish and kind.
pub fn left_out(stream: &Stream, kind: MediaKind, error: Fmp4Error) {
    let kind = if kind == MediaKind::Video { "video" } else { "audio" };
    warn!("hls: {kind} of '{}' is left out: {error}", Shown::new(&stream.key().name));
}

/// Timestamps that were corrected; logged once per publish.
pub fn repaired(stream: &Stream) {
    warn!("hls: timestamps of '{}' jump or go back: they were corrected", Shown::new(&stream.key().name));
}
