//! `open_file_cache`: open files, directories and errors by path, as nginx keeps them. The workers share a cache; a reload
//! begins with an empty one.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::libc;
use parking_lot::Mutex;

use super::open_file::OpenFile;
use crate::limits;
use crate::net::links::LinkPolicy;

/// Cache of open files.
pub struct FileCache {
    /// Maximum number of entries.
    most: usize,
    /// Time without use after which an entry may be dropped.
    inactive: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Arc<Path>, Entry>,
    /// Paths by their last use, the earliest first.
    order: BTreeMap<u64, Arc<Path>>,
    /// Number of uses so far.
    turn: u64,
}

struct Entry {
    kept: Kept,
    policy: LinkPolicy,
    uses: u64,
    created: Instant,
    used: Instant,
    turn: u64,
}

/// Entry of a path.
enum Kept {
    /// A file or directory; a directory has no descriptor.
    Found(OpenFile),
    /// A file that was not used often enough to stay open.
    Closed,
    /// Number of the system's error.
    Failed(i32),
}

/// How a location uses a cache.
#[derive(Clone, Copy, Debug)]
pub(super) struct CacheUse {
    /// `open_file_cache_valid`
    pub(super) valid: Duration,
    /// `open_file_cache_min_uses`
    pub(super) min_uses: u64,
    /// `open_file_cache_errors`
    pub(super) errors: bool,
}

impl FileCache {
    /// An empty cache of at most `most` entries; see also [`limits::HTTP_CACHED_FILES`].
    pub fn new(most: u64, inactive: Duration) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX).clamp(1, limits::HTTP_CACHED_FILES);
        FileCache { most, inactive, state: Mutex::default() }
    }

    /// The entry of a path, if it is still valid.
    pub(super) fn find(
        &self,
        path: &Path,
        policy: LinkPolicy,
        how: CacheUse,
    ) -> Option<io::Result<OpenFile>> {
        let now = Instant::now();
        let mut dropped = Vec::new();
        let mut state = self.state.lock();
        let found = state.find(path, policy, how, now);
        state.expire(self.inactive, now, &mut dropped);
        drop(state);
        found
    }

    /// Remembers the result of opening a path.
    pub(super) fn keep(&self, path: &Path, policy: LinkPolicy, opened: &io::Result<OpenFile>, how: CacheUse) {
        let now = Instant::now();
        // Descriptors are closed after the lock is released.
        let mut dropped = Vec::new();
        let mut state = self.state.lock();
        let kept = match opened {
            Ok(found) => Some(Kept::Found(found.clone())),
            Err(error) if how.errors => {
                error.raw_os_error().filter(|number| is_lasting(*number)).map(Kept::Failed)
            }
            Err(_) => None,
        };
        match kept.filter(|_| path.as_os_str().len() <= limits::HTTP_CACHED_PATH) {
            Some(kept) => {
                if !state.entries.contains_key(path) && state.entries.len() >= self.most {
                    dropped.extend(state.drop_oldest());
                }
                dropped.extend(state.put(path, policy, kept, how.min_uses, now));
            }
            None => dropped.extend(state.remove(path)),
        }
        state.expire(self.inactive, now, &mut dropped);
        drop(state);
    }
}

/// Whether an error tells something of the path, and not of the server's present state.
fn is_lasting(number: i32) -> bool {
    matches!(
        number,
        libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG | libc::EACCES | libc::ELOOP | libc::EPERM
    )
}

impl State {
    fn find(
        &mut self,
        path: &Path,
        policy: LinkPolicy,
        how: CacheUse,
        now: Instant,
    ) -> Option<io::Result<OpenFile>> {
        let entry = self.entries.get_mut(path)?;
        entry.uses += 1;
        entry.used = now;
        let name = self.order.remove(&entry.turn)?;
        self.turn += 1;
        entry.turn = self.turn;
        self.order.insert(self.turn, name);
        if now.duration_since(entry.created) >= how.valid || entry.policy != policy {
            return None;
        }
        match &entry.kept {
            Kept::Found(found) => Some(Ok(found.clone())),
            Kept::Closed => None,
            Kept::Failed(number) => Some(Err(io::Error::from_raw_os_error(*number))),
        }
    }

    /// Sets the entry of a path. Returns the one that was there.
    fn put(
        &mut self,
        path: &Path,
        policy: LinkPolicy,
        kept: Kept,
        min_uses: u64,
        now: Instant,
    ) -> Option<Entry> {
        let before = self.remove(path);
        let uses =
            before.as_ref().filter(|before| !replaces(&before.kept, &kept)).map_or(1, |before| before.uses);
        let kept = match kept {
            Kept::Found(found) if found.is_dir => Kept::Found(OpenFile { file: None, ..found }),
            Kept::Found(_) if uses < min_uses => Kept::Closed,
            kept => kept,
        };
        let name: Arc<Path> = path.into();
        self.turn += 1;
        self.order.insert(self.turn, name.clone());
        self.entries.insert(name, Entry { kept, policy, uses, created: now, used: now, turn: self.turn });
        before
    }

    fn remove(&mut self, path: &Path) -> Option<Entry> {
        let entry = self.entries.remove(path)?;
        self.order.remove(&entry.turn);
        Some(entry)
    }

    fn drop_oldest(&mut self) -> Option<Entry> {
        let (_, path) = self.order.pop_first()?;
        self.entries.remove(&path)
    }

    /// Drops up to two entries that were not used for long; each use of the cache drops so many.
    fn expire(&mut self, inactive: Duration, now: Instant, dropped: &mut Vec<Entry>) {
        for _ in 0..2 {
            let oldest = self.order.first_key_value().and_then(|(_, path)| self.entries.get(path));
            if oldest.is_none_or(|entry| now.duration_since(entry.used) <= inactive) {
                return;
            }
            dropped.extend(self.drop_oldest());
        }
    }
}

/// Whether a path has become another file, or something else than a file or directory before; its uses then count anew.
fn replaces(before: &Kept, now: &Kept) -> bool {
    match (before, now) {
        (Kept::Found(before), Kept::Found(now)) => before.id != now.id,
        (Kept::Found(_), Kept::Failed(_)) => true,
        _ => false,
    }
}

impl PartialEq for FileCache {
    fn eq(&self, other: &Self) -> bool {
        (self.most, self.inactive) == (other.most, other.inactive)
    }
}

impl Eq for FileCache {}

impl std::fmt::Debug for FileCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileCache")
            .field("most", &self.most)
            .field("inactive", &self.inactive)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;
    use crate::net::links::Links;

    const LONG: CacheUse = CacheUse { valid: Duration::from_secs(3600), min_uses: 1, errors: true };

    fn opened(path: &Path) -> io::Result<OpenFile> {
        File::open(path).and_then(OpenFile::of)
    }

    fn cache(most: u64) -> FileCache {
        FileCache::new(most, Duration::from_secs(3600))
    }

    /// The error number, or 0; `None` if nothing valid is kept.
    fn known(cache: &FileCache, path: &Path, how: CacheUse) -> Option<i32> {
        let found = cache.find(path, LinkPolicy::default(), how)?;
        Some(found.err().map_or(0, |error| error.raw_os_error().unwrap()))
    }

    #[test]
    fn what_was_opened_is_known_as_long_as_it_is_valid() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "text").unwrap();
        let cache = cache(10);
        assert_eq!(known(&cache, &path, LONG), None);
        cache.keep(&path, LinkPolicy::default(), &opened(&path), LONG);
        fs::remove_file(&path).unwrap();
        assert_eq!(known(&cache, &path, LONG), Some(0));
        assert_eq!(known(&cache, &path, CacheUse { valid: Duration::ZERO, ..LONG }), None);
        // What was opened under another policy is not.
        let strict = LinkPolicy { links: Links::Refused, trusted: 0 };
        assert!(cache.find(&path, strict, LONG).is_none());
    }

    #[test]
    fn errors_are_kept_only_where_that_is_asked_for() {
        let path = Path::new("/nonexistent/file");
        let cache = cache(10);
        cache.keep(path, LinkPolicy::default(), &opened(path), CacheUse { errors: false, ..LONG });
        assert_eq!(known(&cache, path, LONG), None);
        cache.keep(path, LinkPolicy::default(), &opened(path), LONG);
        assert_eq!(known(&cache, path, LONG), Some(libc::ENOENT));
        // "Too many open files" is no property of the path.
        let busy = Err(io::Error::from_raw_os_error(libc::EMFILE));
        cache.keep(path, LinkPolicy::default(), &busy, LONG);
        assert_eq!(known(&cache, path, LONG), None);
    }

    #[test]
    fn a_file_stays_open_once_it_is_used_often_enough() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "text").unwrap();
        let (cache, often) = (cache(10), CacheUse { min_uses: 3, ..LONG });
        for _ in 0..2 {
            assert_eq!(known(&cache, &path, often), None);
            cache.keep(&path, LinkPolicy::default(), &opened(&path), often);
        }
        assert_eq!(known(&cache, &path, often), None);
        cache.keep(&path, LinkPolicy::default(), &opened(&path), often);
        assert_eq!(known(&cache, &path, often), Some(0));
    }

    #[test]
    fn the_least_recently_used_entry_makes_room() {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..3).map(|number| dir.path().join(number.to_string())).collect();
        paths.iter().for_each(|path| fs::write(path, "x").unwrap());
        let cache = cache(2);
        for path in &paths[..2] {
            cache.keep(path, LinkPolicy::default(), &opened(path), LONG);
        }
        assert_eq!(known(&cache, &paths[0], LONG), Some(0));
        cache.keep(&paths[2], LinkPolicy::default(), &opened(&paths[2]), LONG);
        let kept: Vec<_> = paths.iter().map(|path| known(&cache, path, LONG).is_some()).collect();
        assert_eq!(kept, [true, false, true]);
        let inactive = FileCache::new(10, Duration::ZERO);
        inactive.keep(&paths[0], LinkPolicy::default(), &opened(&paths[0]), LONG);
        inactive.keep(&paths[1], LinkPolicy::default(), &opened(&paths[1]), LONG);
        assert!(inactive.state.lock().entries.len() < 2);
    }

    #[test]
    fn no_cache_grows_beyond_its_bound() {
        let cache = cache(u64::MAX);
        assert_eq!(cache.most, limits::HTTP_CACHED_FILES);
        let long = "x".repeat(limits::HTTP_CACHED_PATH + 1);
        cache.keep(Path::new(&long), LinkPolicy::default(), &opened(Path::new(&long)), LONG);
        assert!(cache.state.lock().entries.is_empty());
        for number in 0..limits::HTTP_CACHED_FILES + 10 {
            let path = format!("/nonexistent/{number}");
            let failed = Err(io::Error::from_raw_os_error(libc::ENOENT));
            cache.keep(Path::new(&path), LinkPolicy::default(), &failed, LONG);
        }
        let state = cache.state.lock();
        assert_eq!((state.entries.len(), state.order.len()), (cache.most, cache.most));
    }
}
