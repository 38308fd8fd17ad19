//! System errors in nginx's form.

use std::io;

/// A system error in nginx's form: `98: Address already in use`.
pub fn os_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => {
            let text = nix::errno::Errno::from_raw(number).desc();
            format!("{number}: {text}")
        }
        None => error.to_string(),
    }
}
