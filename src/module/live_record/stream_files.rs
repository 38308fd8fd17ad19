//! Which recordings as MPEG-TS belong to a stream.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::conf::Current;
use crate::config::model::{Application, RtmpServer};
use crate::media::files::StreamName;
use crate::media::files::stream_files::{StreamDirectory, StreamFiles, after_digits, parts, split_end};
use crate::media::server_conf::ServerConf;

/// Recordings, each with its index.
pub struct TsStreamFiles;

impl StreamFiles for TsStreamFiles {
    fn directories(
        &self,
        server: &RtmpServer,
        application: &Application,
        name: &[u8],
        path: &Path,
    ) -> Vec<StreamDirectory> {
        let Some(before) = StreamName::new(name).and_then(|name| directory(&name, path)) else {
            return Vec::new();
        };
        let conf = application.get::<Current>();
        let mut directory = conf.path.0.join(OsStr::from_bytes(&server.get::<ServerConf>().serverid.0));
        // The application of a stream that `*` has taken is a directory of its own.
        let deep = application.name == "*";
        if !deep {
            directory.push(OsStr::from_bytes(&application.name));
        }
        vec![StreamDirectory { directory, before: before.to_owned(), deep }]
    }
}

/// The directory of the application in which a path would be a recording of this stream: `NAME/DAY/LAST_UNIXTIME.ts` or
/// `NAME/index/DAY/LAST-UNIXTIME.m3u8`.
fn directory<'p>(name: &StreamName, path: &'p Path) -> Option<&'p Path> {
    let own = name.file("/");
    let last = name.file("");
    let last = last.file_name()?.as_bytes();
    [(2, &b""[..], &b"_"[..], &b".ts"[..]), (3, b"index/", b"-", b".m3u8")].into_iter().find_map(
        |(more, between, dash, extension)| {
            let (before, end) = split_end(path, parts(&own) + more)?;
            let rest = end.strip_prefix(own.as_os_str().as_bytes())?.strip_prefix(between)?;
            let rest = after_digits(rest)?.strip_prefix(b"/")?.strip_prefix(last)?.strip_prefix(dash)?;
            (after_digits(rest)? == extension).then_some(before)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::RecordingDirectory;
    use super::*;

    #[test]
    fn recordings_are_those_of_their_directory() {
        for name in ["s", "in/s1"] {
            let pair = RecordingDirectory::new(b"srv", b"live", name.as_bytes())
                .unwrap()
                .pair(Path::new("/rec"), 1_750_000_000);
            let own = StreamName::new(name.as_bytes()).unwrap();
            for path in [&pair.file, &pair.index] {
                assert_eq!(directory(&own, path), Some(Path::new("/rec/srv/live")), "{}", path.display());
                for other in ["t", "in", "in/s"] {
                    let other = StreamName::new(other.as_bytes()).unwrap();
                    assert_eq!(directory(&other, path), None, "{}", path.display());
                }
            }
        }
    }
}
