//! Stream names in file paths.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::wire::hls::push_path_segment;

/// A stream name whose parts are plain file names.
///
/// Publishers choose names, so a name must not lead out of its directory, name a device or end a log line. Slashes in a
/// name become directories, as in PingOS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamName(Vec<u8>);

impl StreamName {
    /// Checks the name; `None` if a part of it cannot be a file name.
    pub fn new(name: &[u8]) -> Option<Self> {
        let safe = name.len() <= NAME_MAX
            && name.split(|&byte| byte == b'/').count() <= DEPTH_MAX
            && name.split(|&byte| byte == b'/').all(is_file_name);
        safe.then(|| Self(name.to_vec()))
    }

    /// Path of a file of this stream: the name with a suffix, in a directory of its own if the suffix begins with a
    /// slash.
    pub fn file(&self, suffix: &str) -> PathBuf {
        let mut bytes = self.parts(suffix.starts_with('/')).collect::<Vec<_>>().join(&b'/');
        bytes.extend_from_slice(suffix.as_bytes());
        PathBuf::from(OsStr::from_bytes(&bytes))
    }

    /// The whole path as part of a URI. With `nested`, the stream has a directory of its own.
    pub fn uri(&self, nested: bool) -> String {
        let mut uri = String::with_capacity(self.0.len());
        for (n, part) in self.parts(nested).enumerate() {
            if n > 0 {
                uri.push('/');
            }
            push_path_segment(&part, &mut uri);
        }
        uri
    }

    /// The path as part of a URI that is relative to a file beside the stream's own.
    pub fn last_uri(&self, nested: bool) -> String {
        let mut uri = String::new();
        push_path_segment(&self.parts(nested).last().unwrap_or_default(), &mut uri);
        uri
    }

    /// Path components. With `nested`, the last one is a directory too.
    fn parts(&self, nested: bool) -> impl Iterator<Item = Cow<'_, [u8]>> {
        let last = self.0.iter().filter(|&&byte| byte == b'/').count();
        let parts = self.0.split(|&byte| byte == b'/').enumerate();
        parts.map(move |(n, part)| if n < last || nested { directory(part) } else { part.into() })
    }

    /// The name without this suffix, if it has it and is not empty then.
    pub fn strip_suffix(&self, suffix: &[u8]) -> Option<Self> {
        Self::new(self.0.strip_suffix(suffix)?)
    }

    /// The name with this suffix appended.
    pub fn with_suffix(&self, suffix: &[u8]) -> Option<Self> {
        Self::new(&[&self.0[..], suffix].concat())
    }
}

/// Directory name for a part of a stream name. A directory must not have a name that an output file may have, or
/// publishers of `s` and `s.m3u8/x` would conflict: the dot of such an extension becomes `%2E`. A part that already
/// looks encoded has its percent sign encoded, so that the mapping is injective.
pub(super) fn directory(part: &[u8]) -> Cow<'_, [u8]> {
    let Some(stem) = EXTENSIONS.iter().find_map(|extension| part.strip_suffix(extension.as_bytes())) else {
        return part.into();
    };
    let dot = stem.strip_suffix(b".").map(<[u8]>::len);
    let at = dot.or_else(|| {
        let mut before = stem.strip_suffix(b"2E")?;
        while let Some(shorter) = before.strip_suffix(b"25") {
            before = shorter;
        }
        before.strip_suffix(b"%").map(<[u8]>::len)
    });
    let Some(at) = at else { return part.into() };
    let encoded: &[u8] = if part[at] == b'.' { b"%2E" } else { b"%25" };
    [&part[..at], encoded, &part[at + 1..]].concat().into()
}

/// Extensions of output files.
const EXTENSIONS: [&str; 8] = ["m3u8", "ts", "m4s", "key", "tmp", "mpd", "m4v", "m4a"];

fn is_file_name(part: &[u8]) -> bool {
    !part.is_empty()
        && part.len() <= PART_MAX
        && part != b"."
        && part != b".."
        && !part.iter().any(u8::is_ascii_control)
}

/// Maximum length of a part in bytes. File systems allow 255; the rest is for `-`, a number of 20 digits, an extension
/// and the suffix of a temporary file.
const PART_MAX: usize = 200;
/// Maximum number of directories in a name.
const DEPTH_MAX: usize = 8;
const NAME_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use bstr::ByteSlice;

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
        assert_eq!((name.uri(false), name.last_uri(false)), ("inst/%231".to_owned(), "%231".to_owned()));
    }

    #[test]
    fn directories_are_never_called_as_files_are() {
        for (part, want) in [
            ("zed.m3u8", "zed%2Em3u8"),
            ("7.ts", "7%2Ets"),
            (".key", "%2Ekey"),
            ("a.m3u8.tmp", "a.m3u8%2Etmp"),
            ("zed%2Em3u8", "zed%252Em3u8"),
            ("zed%252Em3u8", "zed%25252Em3u8"),
            ("zed", "zed"),
            ("ts", "ts"),
            ("a.tsx", "a.tsx"),
            ("2Ets", "2Ets"),
            ("25252Ets", "25252Ets"),
        ] {
            assert_eq!(directory(part.as_bytes()).as_bstr(), want, "{part}");
        }
        let name = StreamName::new(b"zed.m3u8/x.ts").unwrap();
        assert_eq!(name.file(".m3u8"), PathBuf::from("zed%2Em3u8/x.ts.m3u8"));
        assert_eq!(name.file("/index.m3u8"), PathBuf::from("zed%2Em3u8/x%2Ets/index.m3u8"));
        assert_eq!(name.uri(true), "zed%252Em3u8/x%252Ets");
        assert_eq!(name.last_uri(false), "x.ts");
    }
}
