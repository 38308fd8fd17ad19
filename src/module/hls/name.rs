//! Stream names that may become part of a path.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::wire::hls::push_path_segment;

/// A stream name whose parts are plain file names.
///
/// A publisher chooses its name, so nothing in it may lead out of the directory it is given, name a device
/// or end a line of a log. A name with slashes becomes directories, as in the original.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamName(Vec<u8>);

impl StreamName {
    /// The name, if each of its parts can be a file name.
    pub fn new(name: &[u8]) -> Option<Self> {
        let safe = name.len() <= NAME_MAX
            && name.split(|&byte| byte == b'/').count() <= DEPTH_MAX
            && name.split(|&byte| byte == b'/').all(is_file_name);
        safe.then(|| Self(name.to_vec()))
    }

    /// A file of this stream: the name with something appended.
    pub fn file(&self, suffix: &str) -> PathBuf {
        let mut bytes = self.0.clone();
        bytes.extend_from_slice(suffix.as_bytes());
        PathBuf::from(OsStr::from_bytes(&bytes))
    }

    /// The whole name as part of a URI.
    pub fn uri(&self) -> String {
        let mut uri = String::with_capacity(self.0.len());
        for (n, part) in self.0.split(|&byte| byte == b'/').enumerate() {
            if n > 0 {
                uri.push('/');
            }
            push_path_segment(part, &mut uri);
        }
        uri
    }

    /// The name as part of a URI relative to a file beside the stream's own.
    pub fn last_uri(&self) -> String {
        let last = self.0.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let mut uri = String::with_capacity(last.len());
        push_path_segment(last, &mut uri);
        uri
    }

    /// The name without this end, if it has it and something is left.
    pub fn strip_suffix(&self, suffix: &[u8]) -> Option<Self> {
        Self::new(self.0.strip_suffix(suffix)?)
    }

    /// The name with another end.
    pub fn with_suffix(&self, suffix: &[u8]) -> Option<Self> {
        Self::new(&[&self.0[..], suffix].concat())
    }
}

fn is_file_name(part: &[u8]) -> bool {
    !part.is_empty()
        && part.len() <= PART_MAX
        && part != b"."
        && part != b".."
        && !part.iter().any(u8::is_ascii_control)
}

/// File systems allow 255 bytes; the rest is for `-`, a number of 20 digits, an extension and the suffix
/// of a temporary file.
const PART_MAX: usize = 200;
/// Directories a name may open.
const DEPTH_MAX: usize = 8;
const NAME_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_the_directory_are_refused() {
        let bad: [&[u8]; 11] =
            [b"", b".", b"..", b"../a", b"a/..", b"a/../b", b"/etc/passwd", b"a//b", b"a/", b"a\0b", b"a\nb"];
        for name in bad {
            assert_eq!(StreamName::new(name), None, "{}", name.escape_ascii());
        }
        assert_eq!(StreamName::new(&[b'a'; 201]), None);
        assert_eq!(StreamName::new(&b"a/".repeat(8)[..15]).map(|_| ()), Some(()));
        assert_eq!(StreamName::new(&b"a/".repeat(9)[..17]), None);
    }

    #[test]
    fn odd_but_harmless_names_are_kept() {
        for name in [&b"..."[..], b"a..b", b"#1", b"a b", b"\xe4\xb8\xad", b"\xff", b"inst/cam-1"] {
            assert!(StreamName::new(name).is_some(), "{}", name.escape_ascii());
        }
        let name = StreamName::new(b"inst/#1").unwrap();
        assert_eq!(name.file("-0.ts"), PathBuf::from("inst/#1-0.ts"));
        assert_eq!((name.uri(), name.last_uri()), ("inst/%231".to_owned(), "%231".to_owned()));
    }
}
