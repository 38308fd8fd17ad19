//! Log lines about HLS files.

use std::io;
use std::path::Path;

use tracing::error;

use crate::log::os_text;
use crate::log::shown::Shown;

/// A directory could not be created at the start.
pub fn not_made(path: &Path, error: &io::Error) {
    let error = os_text(error);
    error!("hls: mkdir() \"{}\" failed ({error})", Shown::path(path));
}

/// An outdated file could not be removed.
pub fn not_removed(path: &Path, error: &io::Error) {
    let error = os_text(error);
    error!("hls: unlink() \"{}\" failed ({error})", Shown::path(path));
}
