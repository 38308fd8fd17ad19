//! Log lines about DASH files.

use std::io;
use std::path::Path;

use tracing::error;

use crate::log::os_text;
use crate::log::shown::Shown;

/// An outdated file could not be removed.
pub(super) fn not_removed(path: &Path, error: &io::Error) {
    let error = os_text(error);
    error!("dash: unlink() \"{}\" failed ({error})", Shown::path(path));
}
