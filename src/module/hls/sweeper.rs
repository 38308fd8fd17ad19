//! Removal of files that publishes and earlier servers have left behind (`hls_cleanup`).
//!
//! Incomplete files of a killed server are removed regardless of `hls_cleanup`: soon after the directory comes into
//! use, and again when those of a server killed just before are old enough.
//!
//! Only files with names of HLS files are touched, and none of a stream that is being written: its own task removes
//! segments that left the playlist.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::cleanup;
use super::conf::Conf;
use crate::config::model::Config;
use crate::config::store::Store;
use crate::limits;
use crate::media::files::claims::FileClaims;
use crate::media::files::split_number;
use crate::module::hls::log;

/// Maximum interval between two passes; shorter if playlists are.
const INTERVAL_MAX: Duration = Duration::from_secs(10);
/// Minimum interval between two passes.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Directories to clean, each with the length in milliseconds of the longest playlist in it; 0 where files stay.
type Roots = BTreeMap<HlsDirectory, u64>;

/// A directory of HLS files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct HlsDirectory {
    path: PathBuf,
    /// Directory of its playlists, if it contains none: for a directory of keys.
    playlists: PathBuf,
}

/// Schedule of passes over directories whose files stay: at first sight, and when the files seen then have aged.
#[derive(Default)]
struct SweepSchedule(BTreeMap<HlsDirectory, (Instant, bool)>);

impl SweepSchedule {
    fn is_due(&mut self, root: &HlsDirectory, now: Instant) -> bool {
        let Some((first, again)) = self.0.get_mut(root) else {
            self.0.insert(root.clone(), (now, false));
            return true;
        };
        let aged = now.duration_since(*first) > limits::HLS_TEMPORARY_AGE;
        aged && !std::mem::replace(again, true)
    }

    fn keep(&mut self, roots: &Roots) {
        self.0.retain(|root, _| roots.contains_key(root));
    }
}

/// Cleans directories forever.
pub async fn run(store: Arc<Store>, places: Arc<FileClaims>) {
    let mut looks = SweepSchedule::default();
    loop {
        let mut roots = roots(&store.load());
        looks.keep(&roots);
        let shortest = roots.values().filter(|length_ms| **length_ms > 0).min().copied();
        let wait = shortest.map_or(INTERVAL_MAX, |ms| Duration::from_millis(ms / 2));
        tokio::time::sleep(wait.clamp(INTERVAL_MIN, INTERVAL_MAX)).await;
        let now = Instant::now();
        roots.retain(|root, length_ms| *length_ms > 0 || looks.is_due(root, now));
        if roots.is_empty() {
            continue;
        }
        let places = places.clone();
        // If a pass panics, only that pass is lost.
        let _ = tokio::task::spawn_blocking(move || {
            let now = SystemTime::now();
            for (root, length_ms) in &roots {
                let mut pass = DirectoryWalk { root, length_ms: *length_ms, places: &places, now, seen: 0 };
                pass.sweep(&root.path, 0);
            }
        })
        .await;
    }
}

fn roots(config: &Config) -> Roots {
    let mut roots = Roots::new();
    for hls in config.applications().map(|application| application.get::<Conf>()) {
        let path = &hls.path.0;
        if !hls.hls || path.as_os_str().is_empty() {
            continue;
        }
        let length_ms = if hls.cleans_up() { hls.playlist_length.0 } else { 0 };
        let mut add = |dir: &Path| {
            let root = HlsDirectory { path: dir.to_owned(), playlists: path.clone() };
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

/// One pass over a directory.
struct DirectoryWalk<'a> {
    root: &'a HlsDirectory,
    length_ms: u64,
    places: &'a FileClaims,
    now: SystemTime,
    /// Number of files visited.
    seen: usize,
}

impl DirectoryWalk<'_> {
    fn sweep(&mut self, dir: &Path, depth: usize) {
        // A missing directory needs no cleaning; errors of an unreadable one are logged when files are written.
        let Ok(entries) = fs::read_dir(dir) else { return };
        for entry in entries.flatten() {
            self.seen += 1;
            if self.seen > limits::HLS_SWEPT_FILES {
                return;
            }
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && depth < limits::HLS_SWEPT_DEPTH {
                self.sweep(&entry.path(), depth + 1);
            } else if kind.is_file() && self.is_outlived(&entry.path(), &entry) {
                remove(&entry.path());
            }
        }
    }

    fn is_outlived(&self, path: &Path, entry: &fs::DirEntry) -> bool {
        let name = entry.file_name();
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let age = modified.ok().and_then(|modified| self.now.duration_since(modified).ok());
        let is_older = |than: Duration| age.is_some_and(|age| age > than);
        if cleanup::is_temporary(name.as_bytes()) {
            return is_older(limits::HLS_TEMPORARY_AGE);
        }
        if self.length_ms == 0 {
            return false;
        }
        let Some(max_age_ms) = cleanup::max_age_ms(name.as_bytes(), self.length_ms) else { return false };
        let Some(playlist) = playlist_of(path) else { return false };
        let Ok(below) = playlist.strip_prefix(&self.root.path) else { return false };
        if self.places.is_taken(&self.root.playlists.join(below)) {
            return false;
        }
        is_older(Duration::from_millis(max_age_ms))
    }
}

/// Playlist to which a file belongs by its name: `name-7.ts` to `name.m3u8`, `name/7.ts` to `name/index.m3u8`.
pub(super) fn playlist_of(path: &Path) -> Option<PathBuf> {
    if path.extension()? == "m3u8" {
        return Some(path.to_owned());
    }
    let (before, number) = split_number(path.file_stem()?.as_bytes());
    let name = match (number.is_empty(), before) {
        (true, _) => return None,
        (false, b"") => b"index",
        (false, before) => before.strip_suffix(b"-").filter(|name| !name.is_empty())?,
    };
    let mut file = name.to_vec();
    file.extend_from_slice(b".m3u8");
    Some(path.with_file_name(std::ffi::OsStr::from_bytes(&file)))
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => log::not_removed(path, &error),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_whose_files_stay_are_looked_through_twice() {
        let root = HlsDirectory { path: "/h".into(), playlists: "/h".into() };
        let (mut looks, began) = (SweepSchedule::default(), Instant::now());
        let due =
            |looks: &mut SweepSchedule, seconds| looks.is_due(&root, began + Duration::from_secs(seconds));
        assert_eq!(
            [0, 10, 60, 70, 80, 1000].map(|at| due(&mut looks, at)),
            [true, false, false, true, false, false]
        );
        looks.keep(&Roots::new());
        assert!(due(&mut looks, 2000), "a reload has brought it back");
    }

    #[test]
    fn files_belong_to_the_playlist_beside_them() {
        let of = |path: &str| playlist_of(Path::new(path)).map(|p| p.to_str().unwrap().to_owned());
        assert_eq!(of("/h/s1-7.ts").as_deref(), Some("/h/s1.m3u8"));
        assert_eq!(of("/h/cam-1-12.key").as_deref(), Some("/h/cam-1.m3u8"));
        assert_eq!(of("/h/s1/7.ts").as_deref(), Some("/h/s1/index.m3u8"));
        assert_eq!(of("/h/s1.m3u8").as_deref(), Some("/h/s1.m3u8"));
        for stranger in ["/h/app.ts", "/h/s1.ts", "/h/server.key", "/h/-1.ts", "/h/s1-.ts", "/h/x"] {
            assert_eq!(of(stranger), None, "{stranger}");
        }
    }
}
