//! Which files of HLS belong to a stream.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::conf::Conf;
use crate::config::model::{Application, RtmpServer};
use crate::media::files::StreamName;
use crate::media::files::stream_files::{StreamDirectory, StreamFiles, after_digits, parts, split_end};

/// Playlists, segments and keys.
pub struct HlsStreamFiles;

impl StreamFiles for HlsStreamFiles {
    /// Files stay where `hls` was switched off, so only its directories count.
    fn directories(
        &self,
        _: &RtmpServer,
        application: &Application,
        name: &[u8],
        path: &Path,
    ) -> Vec<StreamDirectory> {
        let conf = application.get::<Conf>();
        let Some(before) = StreamName::new(name).and_then(|name| directory(&name, conf.nested, path)) else {
            return Vec::new();
        };
        let directories = [&conf.path.0, &conf.key_path.0].into_iter();
        directories
            .filter(|directory| !directory.as_os_str().is_empty())
            .map(|directory| StreamDirectory::of(directory, before))
            .collect()
    }
}

/// The directory of HLS in which a path would be a file of this stream.
fn directory<'p>(name: &StreamName, nested: bool, path: &'p Path) -> Option<&'p Path> {
    let master = name.file(".m3u8");
    if let Some((before, end)) = split_end(path, parts(&master))
        && end == master.as_os_str().as_bytes()
    {
        return Some(before);
    }
    let stem: PathBuf = name.file(if nested { "/" } else { "-" });
    let (before, end) = split_end(path, parts(&stem) + usize::from(nested))?;
    let rest = end.strip_prefix(stem.as_os_str().as_bytes())?;
    let is_segment = |rest: &[u8]| {
        after_digits(rest).is_some_and(|end| [&b".ts"[..], b".m4s", b".init.m4s", b".key"].contains(&end))
    };
    ((nested && rest == b"index.m3u8") || is_segment(rest)).then_some(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_those_of_the_layout() {
        let of = |name: &str, nested, path: &'static str| {
            let name = StreamName::new(name.as_bytes()).unwrap();
            directory(&name, nested, Path::new(path)).map(|directory| directory.to_str().unwrap())
        };
        for file in ["s.m3u8", "s-7.ts", "s-7.m4s", "s-7.init.m4s", "s-7.key", "s.m3u8.3.tmp"] {
            let path: &'static str = format!("/h/{file}").leak();
            assert_eq!(of("s", false, path), Some("/h"), "{file}");
            assert_eq!(
                (of("s", true, path), of("t", false, path)),
                (path.contains("m3u8").then_some("/h"), None)
            );
        }
        for file in ["in/s/index.m3u8", "in/s/7.ts", "in/s/7.key", "in/s.m3u8"] {
            let path: &'static str = format!("/h/{file}").leak();
            assert_eq!(of("in/s", true, path), Some("/h"), "{file}");
        }
        for (name, nested, path) in [
            ("s", false, "/h/s-1-7.ts"),
            ("s", false, "/h/s-.ts"),
            ("s", false, "/h/s-7.html"),
            ("s", false, "/h/xs-7.ts"),
            ("s", true, "/h/s/t/7.ts"),
            ("s", true, "/h/s/x.html"),
            ("in/s", true, "/s/7.ts"),
        ] {
            assert_eq!(of(name, nested, path), None, "{path}");
        }
        assert_eq!(of("s-1", false, "/h/s-1-7.ts"), Some("/h"));
        assert_eq!(of("a.m3u8/b", false, "/h/a%2Em3u8/b-7.ts"), Some("/h"));
    }
}
