//! Output files: names, exclusive writers, errors and retries.

pub mod claims;
pub mod keep;
pub mod log;
pub mod retention;
mod retry;
mod stream_name;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::task::disk;

pub use self::retry::Retry;
pub use self::stream_name::StreamName;

/// An error with the operation and the file.
#[derive(Debug)]
pub struct WriteError {
    /// Name of the failed system call.
    pub call: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Error of the system.
    pub error: io::Error,
}

/// Makes an error of a failed operation.
pub fn failed(call: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WriteError {
    move |error| WriteError { call, path: path.to_owned(), error }
}

/// Creates a file and its missing parent directories.
///
/// # Errors
///
/// Errors of the system.
pub fn create(path: &Path) -> Result<File, WriteError> {
    let create = || disk::open(OpenOptions::new().write(true).create(true).truncate(true), path, true);
    match create() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let parent = path.parent().unwrap_or(Path::new(""));
            fs::create_dir_all(parent).map_err(failed("mkdir", parent))?;
            create().map_err(failed("open", path))
        }
        done => done.map_err(failed("open", path)),
    }
}

/// Splits off the number at the end of a file name without its extension; it is empty if there is none.
pub fn split_number(stem: &[u8]) -> (&[u8], &[u8]) {
    let digits = stem.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    stem.split_at(stem.len() - digits)
}

/// Percent-encodes everything except letters, digits, `-`, `_`, `~` and dots. A name of dots only is encoded too,
/// because it would name a directory.
pub fn escape(name: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let only_dots = name.iter().all(|byte| *byte == b'.');
    let mut out = String::with_capacity(name.len());
    for &byte in name {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~');
        if plain || (byte == b'.' && !only_dots) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}
