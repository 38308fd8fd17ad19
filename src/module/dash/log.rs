//! Log lines about DASH files.

use std::io;
use std::path::Path;

use tracing::{error, warn};

use crate::hub::stream::Stream;
use crate::log::shown::Shown;
use crate::wire::MediaKind;
use crate::wire::fmp4::Fmp4Error;

/// A stream name cannot be a file name.
pub(super) fn name_refused(stream: &Stream) {
    warn!("dash: no files are written of '{}': the name is not a file name", Shown::new(&stream.key().name));
}

/// `dash on` without `dash_path`.
pub(super) fn without_path(stream: &Stream) {
    error!("dash: no files are written of '{}': dash_path is not set", Shown::new(&stream.key().name));
}

/// Another stream writes the same files.
pub(super) fn place_taken(stream: &Stream, manifest: &Path) {
    error!(
        "dash: no files are written of '{}': another stream writes \"{}\"",
        Shown::new(&stream.key().name),
        Shown::path(manifest)
    );
}

/// A file of a stream could not be written; logged once per publish.
pub(super) fn not_written(stream: &Stream, call: &str, path: &Path, error: &io::Error) {
    error!(
        target: "crit",
        "dash: {call}() \"{}\" failed ({error}), stream: '{}'",
        Shown::path(path),
        Shown::new(&stream.key().name)
    );
}

/// The disk is too slow.
pub(super) fn too_slow(stream: &Stream, lost: u64) {
    warn!("dash: disk too slow: {lost} frames of '{}' were not written", Shown::new(&stream.key().name));
}

/// Media that is left out; logged once per publish and kind.
pub(super) fn left_out(stream: &Stream, kind: MediaKind, error: Fmp4Error) {
    let kind = if kind == MediaKind::Video { "video" } else { "audio" };
    warn!("dash: {kind} of '{}' is left out: {error}", Shown::new(&stream.key().name));
}

/// Timestamps that were corrected; logged once per publish.
pub(super) fn repaired(stream: &Stream) {
    warn!("dash: timestamps of '{}' jump or go back: they were corrected", Shown::new(&stream.key().name));
}

/// An outdated file could not be removed.
pub(super) fn not_removed(path: &Path, error: &io::Error) {
    error!("dash: unlink() \"{}\" failed ({error})", Shown::path(path));
}
