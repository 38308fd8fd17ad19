//! Reading of files.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bstr::BString;
use bytes::Bytes;

use super::source::MAX_FILE_BYTES;
use super::value::{sentence, to_path};

/// Files that may be open inside one another.
pub const MAX_DEPTH: usize = 64;
/// Files read for one configuration, counting each use of the same file.
pub const MAX_FILES: usize = 100_000;
/// Bytes read for one configuration, counting each use of the same file.
pub const MAX_BYTES: u64 = 512 << 20;

/// Reads a whole file; the error is nginx's sentence.
pub fn read_file(path: &Path) -> Result<Bytes, BString> {
    let failed = |call: &str, error: &io::Error| {
        let name = path.as_os_str().as_encoded_bytes();
        sentence(&[call.as_bytes(), b" \"", name, b"\" failed ", system_error(error).as_bytes()])
    };
    let file = File::open(path).map_err(|e| failed("open()", &e))?;
    let size = file.metadata().as_ref().map_or(0, Metadata::len);
    if size > MAX_FILE_BYTES {
        return Err(too_large(path));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed shows that the file is too large, also where its size is not known beforehand.
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|e| failed("pread()", &e))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(too_large(path));
    }
    Ok(bytes.into())
}

/// The files that an include means, in the order in which they are read.
pub fn expand(pattern: &[u8], base: &Path) -> Result<Vec<PathBuf>, BString> {
    let path = base.join(to_path(pattern));
    if !pattern.iter().any(|b| matches!(b, b'*' | b'?' | b'[')) {
        return Ok(vec![path]);
    }
    let Some(text) = path.to_str() else {
        return Err(sentence(&[b"glob() \"", path.as_os_str().as_encoded_bytes(), b"\" failed"]));
    };
    let found = glob::glob(text)
        .map_err(|e| sentence(&[b"glob() \"", text.as_bytes(), b"\" failed: ", e.msg.as_bytes()]))?;
    // A directory that cannot be read holds no match, as for the C library.
    Ok(found.filter_map(Result::ok).take(MAX_FILES).collect())
}

/// An error of the system as nginx prints it: `(2: No such file or directory)`.
pub fn system_error(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    match error.raw_os_error() {
        Some(code) => format!("({code}: {text})"),
        None => format!("({text})"),
    }
}

fn too_large(path: &Path) -> BString {
    let name = path.as_os_str().as_encoded_bytes();
    sentence(&[b"\"", name, b"\" is larger than ", (MAX_FILE_BYTES >> 20).to_string().as_bytes(), b" MiB"])
}
