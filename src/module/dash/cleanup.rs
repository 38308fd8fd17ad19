//! Rule of `dash_cleanup`: which files of a DASH directory have outlived their manifest.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::conf::Conf;
use super::log;
use crate::config::model::Config;
use crate::media::files::sweeper::{Swept, SweptDirectories, SweptDirectory};
use crate::media::files::{replaced_name, split_number};

/// Sweeps DASH files.
pub struct DashCleanup;

/// A file of DASH, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DashFile<'a> {
    /// A manifest.
    Manifest,
    /// An initialisation segment of this stream; the name is empty in the stream's own directory.
    Init(&'a [u8]),
    /// A media segment of this stream.
    Segment(&'a [u8]),
}

impl<'a> DashFile<'a> {
    fn of(file_name: &'a [u8]) -> Option<Self> {
        if file_name.len() > b".mpd".len() && file_name.ends_with(b".mpd") {
            return Some(DashFile::Manifest);
        }
        let stem = file_name.strip_suffix(b".m4v").or_else(|| file_name.strip_suffix(b".m4a"))?;
        let own = |before: &'a [u8]| {
            if before.is_empty() {
                Some(before)
            } else {
                before.strip_suffix(b"-").filter(|name| !name.is_empty())
            }
        };
        if let Some(name) = stem.strip_suffix(b"init").and_then(own) {
            return Some(DashFile::Init(name));
        }
        let (stem, is_init) = stem.strip_suffix(b".init").map_or((stem, false), |stem| (stem, true));
        let (before, number) = split_number(stem);
        let name = own(before).filter(|_| !number.is_empty())?;
        Some(if is_init { DashFile::Init(name) } else { DashFile::Segment(name) })
    }
}

impl Swept for DashCleanup {
    fn directories(&self, config: &Config) -> SweptDirectories {
        let mut directories = SweptDirectories::new();
        for dash in config.applications().map(|application| application.get::<Conf>()) {
            let path = &dash.path.0;
            if !dash.dash || path.as_os_str().is_empty() {
                continue;
            }
            let length_ms = if dash.cleanup { dash.playlist_length.0.max(dash.fragment.0) } else { 0 };
            let directory = SweptDirectory { path: path.clone(), playlists: path.clone() };
            let longest = directories.entry(directory).or_default();
            *longest = length_ms.max(*longest);
        }
        directories
    }

    fn is_temporary(&self, file_name: &[u8]) -> bool {
        let name = replaced_name(file_name).and_then(DashFile::of);
        matches!(name, Some(DashFile::Manifest | DashFile::Init(_)))
    }

    fn playlist_of(&self, path: &Path) -> Option<PathBuf> {
        let file_name = path.file_name()?.as_bytes();
        let name = match DashFile::of(file_name)? {
            DashFile::Manifest => return Some(path.to_owned()),
            DashFile::Init(b"") | DashFile::Segment(b"") => b"index",
            DashFile::Init(name) | DashFile::Segment(name) => name,
        };
        Some(path.with_file_name(OsStr::from_bytes(&[name, b".mpd"].concat())))
    }

    /// Segments of an earlier publish go although the stream is published again: no manifest lists them. One that is
    /// listed is younger than the window and a segment of ten times the length together.
    fn max_age_ms(&self, file_name: &[u8], length_ms: u64) -> Option<(u64, Option<u64>)> {
        Some(match DashFile::of(file_name)? {
            DashFile::Manifest => (length_ms, None),
            DashFile::Init(_) => (length_ms.saturating_mul(2), None),
            DashFile::Segment(_) => (length_ms.saturating_mul(2), Some(length_ms.saturating_mul(12))),
        })
    }

    fn not_removed(&self, path: &Path, error: &io::Error) {
        log::not_removed(path, error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_belong_to_the_manifest_beside_them() {
        let of =
            |path: &str| DashCleanup.playlist_of(Path::new(path)).map(|p| p.to_str().unwrap().to_owned());
        for file in ["s.mpd", "s-init.m4v", "s-17.m4a", "s-17.init.m4v"] {
            assert_eq!(of(&format!("/d/{file}")).as_deref(), Some("/d/s.mpd"), "{file}");
        }
        for file in ["index.mpd", "init.m4v", "17.m4a", "17.init.m4a"] {
            assert_eq!(of(&format!("/d/s/{file}")).as_deref(), Some("/d/s/index.mpd"), "{file}");
        }
        for stranger in
            ["film.m4v", "film7.m4v", "s-x.m4v", "-7.m4v", "-init.m4a", "reinit.m4v", ".mpd", "s-7.mp4"]
        {
            assert_eq!(of(&format!("/d/{stranger}")), None, "{stranger}");
            assert_eq!(DashCleanup.max_age_ms(stranger.as_bytes(), 1_000), None, "{stranger}");
        }
    }

    #[test]
    fn temporary_files_are_known_by_their_names() {
        assert!(DashCleanup.is_temporary(b"s.mpd.7.tmp") && DashCleanup.is_temporary(b"s-init.m4v.12.tmp"));
        for other in [&b"s.mpd.tmp"[..], b"s-7.m4v.1.tmp", b"film.m4v.1.tmp", b"s.m3u8.7.tmp", b"s.mpd"] {
            assert!(!DashCleanup.is_temporary(other));
        }
    }
}
