//! File names of recordings.

use std::ffi::OsString;
use std::fmt::Display;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::media::files::StreamName;

/// The directory of a stream's recordings: `PATH/SERVERID/APP/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingDirectory {
    serverid: Vec<u8>,
    app: Vec<u8>,
    /// Directories of the stream name, each with a trailing slash.
    directories: Vec<u8>,
    /// Last part of the stream name.
    last: Vec<u8>,
}

/// A file and its index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePair {
    /// `.../YYYYMMDD/NAME_UNIXTIME.ts`
    pub file: PathBuf,
    /// `.../index/YYYYMMDD/NAME-UNIXTIME.m3u8`
    pub index: PathBuf,
    /// URI of the file in the index. As in PingOS it has a hyphen where the file name has an underscore.
    pub uri: String,
}

impl RecordingDirectory {
    /// Directory of a stream; `None` if its name or application cannot be part of a path.
    pub fn new(serverid: &[u8], app: &[u8], name: &[u8]) -> Option<RecordingDirectory> {
        let directories = StreamName::new(name)?.file("/");
        StreamName::new(app)?;
        let last = name.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let directories = directories.as_os_str().as_bytes().to_vec();
        Some(RecordingDirectory {
            serverid: serverid.to_vec(),
            app: app.to_vec(),
            directories,
            last: last.to_vec(),
        })
    }

    /// Files of a recording that begins at `unix` seconds; the day is in local time.
    pub fn pair(&self, root: &Path, unix: i64) -> FilePair {
        let now = Timestamp::from_second(unix).unwrap_or(Timestamp::UNIX_EPOCH);
        let day = now.to_zoned_datetime(TimeZone::system()).strftime("%Y%m%d").to_string();
        self.pair_of(root, &day, unix)
    }

    /// Files of a recording in the directory of this day, `YYYYMMDD`.
    pub fn pair_of(&self, root: &Path, day: &str, unix: impl Display) -> FilePair {
        let directory = self.directory(root);
        let last = &self.last;
        let path = |between: &str, dash: &str, extension: &str| {
            let mut path = directory.clone();
            path.extend_from_slice(format!("{between}{day}/").as_bytes());
            path.extend_from_slice(last);
            path.extend_from_slice(format!("{dash}{unix}.{extension}").as_bytes());
            PathBuf::from(OsString::from_vec(path))
        };
        let mut uri = String::new();
        crate::wire::hls::push_path_segment(last, &mut uri);
        uri.push_str(&format!("-{unix}.ts"));
        FilePair { file: path("", "_", "ts"), index: path("index/", "-", "m3u8"), uri }
    }

    /// Directory of the index files, which are sorted by day in it.
    pub fn index(&self, root: &Path) -> PathBuf {
        let mut path = self.directory(root);
        path.extend_from_slice(b"index");
        PathBuf::from(OsString::from_vec(path))
    }

    /// Last part of the stream name, with which file names begin.
    pub fn last(&self) -> &[u8] {
        &self.last
    }

    /// The stream's directory, with a trailing slash.
    fn directory(&self, root: &Path) -> Vec<u8> {
        let mut directory = root.as_os_str().as_bytes().to_vec();
        while directory.ends_with(b"/") {
            directory.pop();
        }
        for part in [&self.serverid, &self.app, &self.directories] {
            directory.push(b'/');
            directory.extend_from_slice(part);
        }
        directory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_sorted_by_stream_and_day() {
        let place = RecordingDirectory::new(b"srv1", b"live", b"in/s1").unwrap();
        let pair = place.pair(Path::new("/rec/"), 86_400 * 365);
        let text = |path: &Path| path.to_string_lossy().replace("19710101", "DAY").replace("19701231", "DAY");
        assert_eq!(text(&pair.file), "/rec/srv1/live/in/s1/DAY/s1_31536000.ts");
        assert_eq!(text(&pair.index), "/rec/srv1/live/in/s1/index/DAY/s1-31536000.m3u8");
        assert_eq!(pair.uri, "s1-31536000.ts");
        // A name that looks like a file of another stream uses another directory.
        let place = RecordingDirectory::new(b"srv1", b"live", b"in/s1/DAY/s1_5.ts").unwrap();
        let file = text(&place.pair(Path::new("/rec"), 86_400 * 365).file);
        assert_eq!(file, "/rec/srv1/live/in/s1/DAY/s1_5%2Ets/DAY/s1_5.ts_31536000.ts");
    }

    #[test]
    fn names_that_would_leave_the_directory_are_refused() {
        assert_eq!(RecordingDirectory::new(b"s", b"live", b"../x"), None);
        assert_eq!(RecordingDirectory::new(b"s", b"..", b"x"), None);
    }
}
