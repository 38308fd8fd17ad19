//! Files that hold a secret.

use std::path::Path;

use super::os_text;
use crate::module::secret::Secret;

/// The secret of the file that a directive names.
///
/// # Errors
///
/// nginx's sentence: the file cannot be read, or is empty.
pub(super) fn read(directive: &str, path: &Path) -> Result<Secret, String> {
    let name = path.display();
    let text =
        std::fs::read(path).map_err(|error| format!("open() \"{name}\" failed ({})", os_text(&error)))?;
    Secret::new(text).ok_or_else(|| format!("\"{directive}\" file \"{name}\" is empty"))
}
