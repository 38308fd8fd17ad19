//! Rule of `hls_cleanup`: which files of an HLS directory have outlived their playlist.
//!
//! While its stream is published, the segmenter removes its own files. This rule covers what remains: the last files of
//! a publish, and those of a server that was stopped.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::conf::Conf;
use crate::config::model::Config;
use crate::media::files::sweeper::{Swept, SweptDirectories, SweptDirectory};
use crate::media::files::{replaced_name, split_number};
use crate::module::hls::log;

/// Age, by modification time, at which a file is removed; `None` for files that are not HLS files of this server.
/// `file_name` is the last component of its path.
///
/// A playlist lives as long as the media in it. Segments and keys live twice as long, because players may still be at
/// the first entry of the last playlist.
pub fn max_age_ms(file_name: &[u8], playlist_length_ms: u64) -> Option<u64> {
    let is = |extension: &[u8]| file_name.len() > extension.len() && file_name.ends_with(extension);
    if is(b".m3u8") {
        Some(playlist_length_ms)
    } else if is(b".ts") || is(b".m4s") || is(b".key") {
        Some(playlist_length_ms.saturating_mul(2))
    } else {
        None
    }
}

/// Whether a file with this name is an incomplete playlist or key.
pub fn is_temporary(file_name: &[u8]) -> bool {
    let ours = |name: &[u8], end: &[u8]| name.len() > end.len() && name.ends_with(end);
    replaced_name(file_name)
        .is_some_and(|name| [&b".m3u8"[..], b".init.m4s", b".key"].iter().any(|end| ours(name, end)))
}

/// Playlist to which a file belongs by its name: `name-7.ts` to `name.m3u8`, `name/7.ts` to
/// `name/index.m3u8`, and in the same way `name-7.m4s` and `name-7.init.m4s`.
pub(super) fn playlist_of(path: &Path) -> Option<PathBuf> {
    if path.extension()? == "m3u8" {
        return Some(path.to_owned());
    }
    let stem = path.file_stem()?.as_bytes();
    let is_fmp4 = path.extension()? == "m4s";
    let (before, number) = split_number(stem.strip_suffix(b".init").filter(|_| is_fmp4).unwrap_or(stem));
    let name = match (number.is_empty(), before) {
        (true, _) => return None,
        (false, b"") => b"index",
        (false, before) => before.strip_suffix(b"-").filter(|name| !name.is_empty())?,
    };
    let mut file = name.to_vec();
    file.extend_from_slice(b".m3u8");
    Some(path.with_file_name(OsStr::from_bytes(&file)))
}

/// Sweeps HLS files.
pub struct HlsCleanup;

impl Swept for HlsCleanup {
    fn directories(&self, config: &Config) -> SweptDirectories {
        let mut roots = SweptDirectories::new();
        for hls in config.applications().map(|application| application.get::<Conf>()) {
            let path = &hls.path.0;
            if !hls.hls || path.as_os_str().is_empty() {
                continue;
            }
            let length_ms = if hls.cleans_up() { hls.playlist_length.0 } else { 0 };
            let mut add = |dir: &Path| {
                let root = SweptDirectory { path: dir.to_owned(), playlists: path.clone() };
                let longest = roots.entry(root).or_default();
                *longest = length_ms.max(*longest);
            };
            add(path);
            if hls.keys && !hls.key_path.0.as_os_str().is_empty() {
                add(&hls.key_path.0);
            }
        }
        roots
    }

    fn is_temporary(&self, file_name: &[u8]) -> bool {
        is_temporary(file_name)
    }

    fn playlist_of(&self, path: &Path) -> Option<PathBuf> {
        playlist_of(path)
    }

    fn max_age_ms(&self, file_name: &[u8], length_ms: u64) -> Option<(u64, Option<u64>)> {
        max_age_ms(file_name, length_ms).map(|age| (age, None))
    }

    fn not_removed(&self, path: &Path, error: &io::Error) {
        log::not_removed(path, error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_are_known_by_their_names() {
        for ours in [&b"s1.m3u8.7.tmp"[..], b"s1-0.key.12.tmp", b"s1-0.init.m4s.1.tmp"] {
            assert!(is_temporary(ours));
        }
        for other in [
            &b"s1.m3u8.tmp"[..],
            b"s1.m3u8..tmp",
            b".m3u8.7.tmp",
            b"s1.ts.7.tmp",
            b"7.tmp",
            b"s1.m3u8",
            b"s1.m3u87.tmp",
        ] {
            assert!(!is_temporary(other));
        }
    }

    #[test]
    fn segments_outlive_their_playlist_and_strangers_stay() {
        assert_eq!(max_age_ms(b"s1.m3u8", 30_000), Some(30_000));
        assert_eq!(max_age_ms(b"s1-0.ts", 30_000), Some(60_000));
        assert_eq!(max_age_ms(b"s1-0.init.m4s", 30_000), Some(60_000));
        assert_eq!(max_age_ms(b"0.key", 30_000), Some(60_000));
        for other in [&b"index.html"[..], b".ts", b"s1.m3u8.tmp", b"crossdomain.xml"] {
            assert_eq!(max_age_ms(other, 30_000), None);
        }
    }

    #[test]
    fn files_belong_to_the_playlist_beside_them() {
        let of = |path: &str| playlist_of(Path::new(path)).map(|p| p.to_str().unwrap().to_owned());
        assert_eq!(of("/h/s1-7.ts").as_deref(), Some("/h/s1.m3u8"));
        assert_eq!(of("/h/cam-1-12.key").as_deref(), Some("/h/cam-1.m3u8"));
        assert_eq!(of("/h/s1-7.m4s").as_deref(), Some("/h/s1.m3u8"));
        assert_eq!(of("/h/s1-7.init.m4s").as_deref(), Some("/h/s1.m3u8"));
        assert_eq!(of("/h/s1/7.init.m4s").as_deref(), Some("/h/s1/index.m3u8"));
        assert_eq!(of("/h/s1-7.init.ts"), None);
        assert_eq!(of("/h/s1/7.ts").as_deref(), Some("/h/s1/index.m3u8"));
        assert_eq!(of("/h/s1.m3u8").as_deref(), Some("/h/s1.m3u8"));
        for stranger in ["/h/app.ts", "/h/s1.ts", "/h/server.key", "/h/-1.ts", "/h/s1-.ts", "/h/x"] {
            assert_eq!(of(stranger), None, "{stranger}");
        }
    }
}
