//! Which files belong to a stream, for rules about streams that bind their files too.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::replaced_name;
use crate::config::model::{Application, RtmpServer};

/// An output that writes files of streams.
pub trait StreamFiles: Send + Sync {
    /// The directories in which this path would be a file of the stream with this name in this application, as its end says.
    fn directories(
        &self,
        server: &RtmpServer,
        application: &Application,
        name: &[u8],
        path: &Path,
    ) -> Vec<StreamDirectory>;
}

/// A directory in which a path would be a file of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamDirectory {
    /// The directory as configured.
    pub directory: PathBuf,
    /// The part of the path before the stream's file.
    pub before: PathBuf,
    /// Whether there may be further directories between both.
    pub deep: bool,
}

impl StreamDirectory {
    /// A place in this directory itself.
    pub fn of(directory: &Path, before: &Path) -> StreamDirectory {
        StreamDirectory { directory: directory.to_owned(), before: before.to_owned(), deep: false }
    }
}

/// A path apart from its last parts: what is before them, and these, without the suffix of a temporary file. `None` if it is
/// shorter.
pub fn split_end(path: &Path, parts: usize) -> Option<(&Path, &[u8])> {
    let mut before = path;
    for _ in 0..parts {
        before.file_name()?;
        before = before.parent()?;
    }
    let end = path.strip_prefix(before).ok()?.as_os_str().as_bytes();
    Some((before, replaced_name(end).unwrap_or(end)))
}

/// Number of the parts of a path.
pub fn parts(path: &Path) -> usize {
    path.components().count()
}

/// What follows the digits at the beginning of a text; `None` without a digit.
pub fn after_digits(text: &[u8]) -> Option<&[u8]> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then(|| &text[digits..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_apart_at_its_end() {
        let split = |path: &'static str, parts| {
            split_end(Path::new(path), parts).map(|(before, end)| (before.to_str().unwrap(), end))
        };
        assert_eq!(split("/h/a/s.ts", 1), Some(("/h/a", &b"s.ts"[..])));
        assert_eq!(split("/h/a/s.ts", 2), Some(("/h", &b"a/s.ts"[..])));
        assert_eq!(split("/h/a/s.m3u8.17.tmp", 2), Some(("/h", &b"a/s.m3u8"[..])));
        assert_eq!(split("/s.ts", 1), Some(("/", &b"s.ts"[..])));
        assert_eq!((split("/s.ts", 2), split("", 1)), (None, None));
        assert_eq!(after_digits(b"17.ts"), Some(&b".ts"[..]));
        assert_eq!((after_digits(b"x"), after_digits(b"")), (None, None));
    }
}
