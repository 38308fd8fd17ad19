//! `hls_keep`: which files belong to which playlist.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::cleanup::playlist_of;
use super::conf::{Conf, Current};
use crate::config::Config;
use crate::limits;
use crate::media::files::retention::{Retained, RetainedDirectory, RetainedFiles};
use crate::media::files::split_number;

/// Segments, playlists and keys of HLS.
pub struct HlsRecordings;

/// Files of HLS in a directory.
#[derive(Default)]
struct HlsFileNames {
    /// Playlists being written, with the numbers of the files that they name.
    listed: Mutex<HashMap<PathBuf, Vec<u64>>>,
}

impl Retained for HlsRecordings {
    fn directive(&self) -> &'static str {
        "hls_keep"
    }

    fn directories(&self, config: &Config) -> Vec<RetainedDirectory> {
        let directories = config.applications().filter_map(|application| {
            let hls = application.get::<Conf>();
            if !hls.hls || hls.path.0.as_os_str().is_empty() {
                return None;
            }
            let path = hls.path.0.clone();
            let keep = application.get::<Current>().keep;
            Some(RetainedDirectory { path, files: Arc::<HlsFileNames>::default(), keep })
        });
        directories.collect()
    }
}

impl RetainedFiles for HlsFileNames {
    fn pattern(&self) -> &[u8] {
        b""
    }

    fn depth(&self) -> usize {
        limits::HLS_SWEPT_DEPTH
    }

    /// What a stopped publish has left goes as a whole. Of a stream being published, each file goes by itself once its
    /// playlist does not name it.
    fn set_of(&self, path: &Path, is_written: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
        let extension = path.extension()?.as_bytes();
        if ![&b"ts"[..], b"m4s", b"m3u8", b"key"].contains(&extension) {
            return None;
        }
        let playlist = playlist_of(path)?;
        if !is_written(&playlist) {
            return Some(playlist);
        }
        let mut listed = self.listed.lock();
        let numbers = listed.entry(playlist.clone()).or_insert_with_key(|playlist| numbers_in(playlist));
        // The newest files are not listed yet.
        let newest = numbers.iter().max().copied().unwrap_or(0);
        let is_past = |number: u64| number < newest && !numbers.contains(&number);
        let is_alone = number_of(path.file_stem()?.as_bytes()).is_some_and(is_past);
        Some(if is_alone { path.to_owned() } else { playlist })
    }
}

/// Numbers of the segments and keys that a playlist names.
fn numbers_in(playlist: &Path) -> Vec<u64> {
    let text = fs::read(playlist).unwrap_or_default();
    let addresses = text.split(|byte| b"\n\"?".contains(byte));
    let ends = [&b".ts"[..], b".init.m4s", b".m4s", b".key"];
    let stems = addresses.filter_map(|word| ends.iter().find_map(|end| word.strip_suffix(*end)));
    stems.filter_map(number_of).collect()
}

/// The number at the end of a file name without its extension.
fn number_of(stem: &[u8]) -> Option<u64> {
    str::from_utf8(split_number(stem.strip_suffix(b".init").unwrap_or(stem)).1).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_published_stream_stay_while_its_playlist_names_them() {
        let dir = tempfile::tempdir().unwrap();
        let playlist = dir.path().join("s.m3u8");
        fs::write(
            &playlist,
            "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"s-6.key\"\n#EXTINF:1,\ns-7.ts\n#EXTINF:1,\nhttp://cdn/s-8.ts?x=1\n",
        )
        .unwrap();
        assert_eq!(numbers_in(&playlist), [6, 7, 8]);
        let set = |name: &str, written: bool| {
            HlsFileNames::default().set_of(&dir.path().join(name), &|path| written && path == playlist)
        };
        for (name, alone) in [
            ("s-5.ts", true),
            ("s-6.key", false),
            ("s-7.ts", false),
            ("s-9.ts", false),
            ("s.m3u8", false),
            ("s-4.key", true),
        ] {
            let path = dir.path().join(name);
            assert_eq!(set(name, true).as_ref(), Some(if alone { &path } else { &playlist }), "{name}");
            assert_eq!(set(name, false), Some(playlist.clone()), "{name}");
        }
        assert_eq!(set("index.html", false), None);
    }
}
