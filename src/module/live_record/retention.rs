//! `live_record_keep`: which files are recordings.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::conf::Current;
use crate::config::Config;
use crate::limits;
use crate::media::files::retention::{Retained, RetainedDirectory, RetainedFiles};
use crate::media::files::split_number;
use crate::media::server_conf::ServerConf;

/// Recordings as MPEG-TS, each with its index.
pub struct TsRecordings;

/// `DAY/NAME_UNIXTIME.ts` and `index/DAY/NAME-UNIXTIME.m3u8`.
struct TsFileNames;

impl Retained for TsRecordings {
    fn directive(&self) -> &'static str {
        "live_record_keep"
    }

    fn directories(&self, config: &Config) -> Vec<RetainedDirectory> {
        let mut directories = Vec::new();
        for server in config.rtmp.iter().flat_map(|rtmp| &rtmp.servers) {
            let serverid = OsStr::from_bytes(&server.get::<ServerConf>().serverid.0);
            for application in server.applications.iter() {
                // Also of applications that do not record any more: what they have recorded is theirs.
                let conf = application.get::<Current>();
                let Ok(mut path) = std::path::absolute(&conf.path.0) else { continue };
                path.push(serverid);
                if application.name != "*" {
                    path.push(OsStr::from_bytes(&application.name));
                }
                directories.push(RetainedDirectory { path, files: Arc::new(TsFileNames), keep: conf.keep });
            }
        }
        directories
    }
}

impl RetainedFiles for TsFileNames {
    fn pattern(&self) -> &[u8] {
        b""
    }

    fn depth(&self) -> usize {
        limits::KEEP_DEPTH
    }

    fn set_of(&self, path: &Path, _: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
        recording_of(path)
    }
}

/// The recording to which a file belongs by its name.
fn recording_of(path: &Path) -> Option<PathBuf> {
    let day = path.parent()?;
    let is_day = day.file_name()?.as_bytes();
    if is_day.len() != 8 || !is_day.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (before, time) = split_number(path.file_stem()?.as_bytes());
    if time.is_empty() {
        return None;
    }
    match path.extension()?.as_bytes() {
        b"ts" => before.ends_with(b"_").then(|| path.to_owned()),
        b"m3u8" => {
            let name = before.strip_suffix(b"-")?;
            let index = day.parent().filter(|index| index.ends_with("index"))?;
            let file = [name, b"_", time, b".ts"].concat();
            Some(index.parent()?.join(day.file_name()?).join(OsStr::from_bytes(&file)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::RecordingDirectory;
    use super::*;

    #[test]
    fn a_recording_and_its_index_belong_together() {
        for name in ["s", "in/s-1", "a_b"] {
            let place = RecordingDirectory::new(b"srv", b"live", name.as_bytes()).unwrap();
            let pair = place.pair(Path::new("/rec"), 1_700_000_000);
            assert_eq!(recording_of(&pair.file).as_ref(), Some(&pair.file));
            assert_eq!(recording_of(&pair.index).as_ref(), Some(&pair.file));
        }
        for other in
            ["/r/20260101/s.ts", "/r/day/s_5.ts", "/r/20260101/s-5.ts", "/r/20260101/s-5.m3u8", "/s_5.ts"]
        {
            assert_eq!(recording_of(Path::new(other)), None, "{other}");
        }
    }
}
