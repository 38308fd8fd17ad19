//! Removal of files that publishes and earlier servers have left behind (`hls_cleanup`, `dash_cleanup`).
//!
//! Incomplete files of a killed server are removed even where files stay: soon after the directory comes into use, and
//! again when those of a server killed just before are old enough.
//!
//! Only files with names of the output are touched, and none that a stream being written needs: its own task removes
//! segments that left the playlist.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use std::{fs, io};

use super::claims::FileClaims;
use crate::config::model::Config;
use crate::config::store::Store;
use crate::limits;

/// An output whose files are swept.
pub trait Swept: Send + Sync {
    /// Directories with its files.
    fn directories(&self, config: &Config) -> SweptDirectories;

    /// Whether this is the name of an incomplete file of a killed server.
    fn is_temporary(&self, file_name: &[u8]) -> bool;

    /// Playlist or manifest to which a file belongs by its name; `None` for files of other kinds, which stay.
    fn playlist_of(&self, path: &Path) -> Option<PathBuf>;

    /// Age, by modification, at which a file is removed, and the one while its playlist is being written, if it does not
    /// stay then; `None` for files of other kinds. The playlist holds media of `length_ms`.
    fn max_age_ms(&self, file_name: &[u8], length_ms: u64) -> Option<(u64, Option<u64>)>;

    /// Logs that a file could not be removed.
    fn not_removed(&self, path: &Path, error: &io::Error);
}

/// Maximum interval between two passes; shorter if playlists are.
const INTERVAL_MAX: Duration = Duration::from_secs(10);
/// Minimum interval between two passes.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Directories to sweep, each with the length in milliseconds of the longest playlist in it; 0 where files stay.
pub type SweptDirectories = BTreeMap<SweptDirectory, u64>;

/// A directory of files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SweptDirectory {
    /// Its path.
    pub path: PathBuf,
    /// Directory of the playlists, which is another one for a directory of keys.
    pub playlists: PathBuf,
}

/// Schedule of passes over directories whose files stay: at first sight, and when the files seen then have aged.
#[derive(Default)]
struct SweepSchedule(BTreeMap<SweptDirectory, (Instant, bool)>);

impl SweepSchedule {
    fn is_due(&mut self, root: &SweptDirectory, now: Instant) -> bool {
        let Some((first, again)) = self.0.get_mut(root) else {
            self.0.insert(root.clone(), (now, false));
            return true;
        };
        let aged = now.duration_since(*first) > limits::HLS_TEMPORARY_AGE;
        aged && !std::mem::replace(again, true)
    }

    fn keep(&mut self, roots: &SweptDirectories) {
        self.0.retain(|root, _| roots.contains_key(root));
    }
}

/// Sweeps the directories of an output forever.
pub async fn run(store: Arc<Store>, places: Arc<FileClaims>, kind: Arc<dyn Swept>) {
    let mut looks = SweepSchedule::default();
    loop {
        let mut roots = kind.directories(&store.load());
        looks.keep(&roots);
        let shortest = roots.values().filter(|length_ms| **length_ms > 0).min().copied();
        let wait = shortest.map_or(INTERVAL_MAX, |ms| Duration::from_millis(ms / 2));
        tokio::time::sleep(wait.clamp(INTERVAL_MIN, INTERVAL_MAX)).await;
        let now = Instant::now();
        roots.retain(|root, length_ms| *length_ms > 0 || looks.is_due(root, now));
        if roots.is_empty() {
            continue;
        }
        let (places, kind) = (places.clone(), kind.clone());
        // If a pass panics, only that pass is lost.
        let _ = tokio::task::spawn_blocking(move || {
            let now = SystemTime::now();
            for (root, length_ms) in &roots {
                let mut pass = DirectoryWalk {
                    kind: &*kind,
                    root,
                    length_ms: *length_ms,
                    places: &places,
                    now,
                    seen: 0,
                };
                pass.sweep(&root.path, 0);
            }
        })
        .await;
    }
}

/// One pass over a directory.
struct DirectoryWalk<'a> {
    kind: &'a dyn Swept,
    root: &'a SweptDirectory,
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
                self.remove(&entry.path());
            }
        }
    }

    fn is_outlived(&self, path: &Path, entry: &fs::DirEntry) -> bool {
        let name = entry.file_name();
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let age = modified.ok().and_then(|modified| self.now.duration_since(modified).ok());
        let is_older = |than: Duration| age.is_some_and(|age| age > than);
        if self.kind.is_temporary(name.as_bytes()) {
            return is_older(limits::HLS_TEMPORARY_AGE);
        }
        if self.length_ms == 0 {
            return false;
        }
        let Some((idle_ms, written_ms)) = self.kind.max_age_ms(name.as_bytes(), self.length_ms) else {
            return false;
        };
        let Some(playlist) = self.kind.playlist_of(path) else { return false };
        let Ok(below) = playlist.strip_prefix(&self.root.path) else { return false };
        let is_written = self.places.is_taken(&self.root.playlists.join(below));
        let max_age_ms = if is_written { written_ms } else { Some(idle_ms) };
        max_age_ms.is_some_and(|ms| is_older(Duration::from_millis(ms)))
    }

    fn remove(&self, path: &Path) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => self.kind.not_removed(path, &error),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_whose_files_stay_are_looked_through_twice() {
        let root = SweptDirectory { path: "/h".into(), playlists: "/h".into() };
        let (mut looks, began) = (SweepSchedule::default(), Instant::now());
        let due =
            |looks: &mut SweepSchedule, seconds| looks.is_due(&root, began + Duration::from_secs(seconds));
        assert_eq!(
            [0, 10, 60, 70, 80, 1000].map(|at| due(&mut looks, at)),
            [true, false, false, true, false, false]
        );
        looks.keep(&SweptDirectories::new());
        assert!(due(&mut looks, 2000), "a reload has brought it back");
    }
}
