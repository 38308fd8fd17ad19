//! Output files: names, exclusive writers, errors and retries.

pub mod claims;
pub mod keep;
pub mod log;
pub mod retention;
mod retry;
pub mod stream_files;
mod stream_name;
pub mod sweeper;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Replaces a file atomically: readers see the old or the new one. Variants of a stream write the same master playlist
/// concurrently, so each uses its own temporary file. A failure, for example on a full disk, leaves no file behind.
///
/// # Errors
///
/// Errors of the system.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), WriteError> {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", WRITTEN.fetch_add(1, Ordering::Relaxed)));
    let temporary = PathBuf::from(name);
    let written = create(&temporary).and_then(|mut file| {
        file.write_all(content).map_err(failed("write", &temporary))?;
        fs::rename(&temporary, path).map_err(failed("rename", path))
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Removes a file; a missing file is not an error.
///
/// # Errors
///
/// Errors of the system.
pub fn remove(path: &Path) -> Result<(), WriteError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("unlink", path)(error)),
        _ => Ok(()),
    }
}

/// Name of the file that a temporary file of [`replace`] becomes (`s1.m3u8` of `s1.m3u8.7.tmp`); `None` for other files. A
/// killed server leaves such files behind.
pub fn replaced_name(file_name: &[u8]) -> Option<&[u8]> {
    let (name, number) = split_number(file_name.strip_suffix(b".tmp")?);
    name.strip_suffix(b".").filter(|_| !number.is_empty())
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
