//! System errors in nginx's form.

use std::io;

/// A system error in nginx's form: `98: Address already in use`.
pub fn os_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => {
            // The C library's text: `desc` of nix has its own for some.
            let text = error.to_string();
            let text = text.strip_suffix(&format!(" (os error {number})")).unwrap_or(&text);
            format!("{number}: {text}")
        }
        None => error.to_string(),
    }
}
