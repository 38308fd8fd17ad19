//! The files of a zone, and the requests that use and replace them. All workers share it.

use std::fs::{DirBuilder, File};
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lru::LruCache;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use super::super::head::ResponseHead;
use super::super::log;
use super::format::{self, Meta};
use super::index::{Entered, Index};
use super::key::{self, Key};
use super::values::CachePath;
use crate::http::core::temp_path::TempPath;
use crate::http::date;
use crate::limits;
use crate::net::links::{self, Access, LinkPolicy, Links};
use crate::task::disk::{self, DiskWork};

/// Number of zones there are.
static ZONES: AtomicUsize = AtomicUsize::new(0);

/// A zone with its directory.
#[derive(Debug)]
pub(in super::super) struct Zone {
    path: RwLock<Arc<CachePath>>,
    index: Mutex<Index>,
    /// Responses whose files are open.
    open: Mutex<LruCache<Key, Arc<Entry>>>,
    /// Wakes those that wait for another request's response; by the first byte of the key.
    released: [Notify; 16],
    /// Whether the directory was not read yet, so that files may exist that the index does not know.
    pub(super) is_cold: AtomicBool,
    /// Whether the last response could not be written.
    is_failing: AtomicBool,
    /// Whether the last key did not fit.
    was_full: AtomicBool,
}

/// A cached response with its open file.
#[derive(Debug)]
pub(in super::super) struct Entry {
    pub(in super::super) file: Arc<File>,
    pub(in super::super) meta: Meta,
    /// Status and headers.
    pub(in super::super) head: ResponseHead,
    /// Offset of the body.
    pub(in super::super) start: u64,
}

/// Use of a key, until it is dropped.
#[derive(Debug)]
pub(in super::super) struct Claim {
    zone: Arc<Zone>,
    pub(super) key: Key,
    /// Whether this request replaces the response.
    token: Option<u64>,
    /// Status that is answered without a file, and until when.
    error: Option<(u16, i64)>,
    /// Whether uses are counted before a response is kept.
    counts: bool,
}

impl Zone {
    /// A zone of which nothing is known yet.
    pub(super) fn new(path: Arc<CachePath>) -> Zone {
        let open = NonZeroUsize::new(limits::PROXY_CACHE_OPEN).unwrap_or(NonZeroUsize::MIN);
        ZONES.fetch_add(1, Ordering::Relaxed);
        Zone {
            index: Mutex::new(Index::new(path.size)),
            path: RwLock::new(path),
            open: Mutex::new(LruCache::new(open)),
            released: Default::default(),
            is_cold: AtomicBool::new(true),
            is_failing: AtomicBool::new(false),
            was_full: AtomicBool::new(false),
        }
    }

    /// What `proxy_cache_path` says.
    pub(super) fn conf(&self) -> Arc<CachePath> {
        self.path.read().clone()
    }

    /// The next configuration says something else about the same directory.
    pub(super) fn adopt(&self, path: Arc<CachePath>) {
        *self.path.write() = path;
    }

    fn released(&self, key: &Key) -> &Notify {
        &self.released[usize::from(key[0]) % self.released.len()]
    }

    fn path_of(&self, key: &Key) -> PathBuf {
        let conf = self.conf();
        key::path(&conf.directory, &conf.levels, key)
    }

    /// Enters a key. `None` where no more fit.
    pub(super) fn enter(self: &Arc<Zone>, key: &Key, min_uses: u64) -> Option<(Claim, Entered)> {
        let inactive = self.conf().inactive;
        let enter = || self.index.lock().enter(key, min_uses, inactive, Instant::now(), date::now());
        let mut found = enter();
        if found == Entered::Full {
            // As in nginx, the one that was not used for the longest time makes room.
            let removed = self.index.lock().take_oldest();
            if let Some((old, has_file)) = removed {
                self.forget(old, has_file);
                found = enter();
            }
        }
        if found == Entered::Full {
            if !self.was_full.swap(true, Ordering::Relaxed) {
                log::cache_full(&self.conf().zone);
            }
            return None;
        }
        self.was_full.store(false, Ordering::Relaxed);
        let claim = Claim { zone: self.clone(), key: *key, token: None, error: None, counts: min_uses > 1 };
        Some((claim, found))
    }

    /// The response of a key; its text tells keys with the same MD5 apart. What is damaged is removed.
    pub(super) async fn open(&self, key: &Key, text: &[u8]) -> Option<Arc<Entry>> {
        let known = self.open.lock().get(key).cloned();
        if let Some(entry) = known {
            let is_there = entry.file.metadata().is_ok_and(|found| found.nlink() > 0);
            if is_there {
                return Some(entry).filter(|entry| entry.meta.key == text);
            }
            self.open.lock().pop(key);
        }
        let path = self.path_of(key);
        let policy = LinkPolicy { links: Links::Followed, trusted: 0 };
        let opened = links::open_present(&path, policy, Access::Read);
        let shown = path.clone();
        let read = disk::spawn(DiskWork::Cache, move || {
            let file = opened.unwrap_or_else(|| File::open(&path))?;
            read(file)
        });
        match read.await.ok()? {
            Ok(entry) => {
                let entry = Arc::new(entry);
                if entry.meta.key != text {
                    log::cache_collision(&shown);
                    return None;
                }
                let size =
                    entry.file.metadata().map_or(entry.start + entry.meta.body, |found| on_disk(&found));
                self.index.lock().found(key, size, self.conf().inactive, Instant::now());
                self.keep_open(*key, entry.clone());
                Some(entry)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.index.lock().lost(key);
                None
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                log::cache_damaged(&shown);
                self.forget(*key, true);
                None
            }
            Err(error) => {
                log::cache_failed("open", &shown, &error);
                None
            }
        }
    }

    /// Keeps the file of a response open, instead of those that were not used for the longest time.
    fn keep_open(&self, key: Key, entry: Arc<Entry>) {
        let most = most_open(descriptors(), ZONES.load(Ordering::Relaxed));
        let mut open = self.open.lock();
        open.put(key, entry);
        while open.len() > most {
            open.pop_lru();
        }
    }

    /// Removes the file of a key.
    pub(super) fn forget(&self, key: Key, has_file: bool) {
        self.index.lock().lost(&key);
        self.open.lock().pop(&key);
        if has_file {
            let path = self.path_of(&key);
            drop(disk::spawn(DiskWork::Cache, move || unlink(&path)));
        }
    }

    /// Waits until no request replaces the response of a key any more, until its lock is too old, or until a time.
    pub(super) async fn wait(&self, key: &Key, until: Instant) {
        let released = self.released(key).notified();
        tokio::pin!(released);
        released.as_mut().enable();
        let Some(locked) = self.index.lock().locked(key, Instant::now()) else { return };
        let _ = tokio::time::timeout_at(until.min(locked).into(), released).await;
    }

    /// Takes a file into the index that was found in the directory. Returns whether there was room.
    pub(super) fn found(&self, key: &Key, size: u64) -> bool {
        self.index.lock().found(key, size, self.conf().inactive, Instant::now())
    }

    /// Size of all files in bytes, and number of keys.
    pub(super) fn used(&self) -> (u64, usize) {
        let index = self.index.lock();
        (index.size(), index.len())
    }

    /// The next file to be removed, because it was not used for long. The index does not know it any more.
    pub(super) fn take_expired(&self) -> Option<(Key, bool)> {
        let taken = self.index.lock().take_expired(Instant::now());
        self.taken(taken)
    }

    /// The next file to be removed for its room. The index does not know it any more.
    pub(super) fn take_oldest(&self) -> Option<(Key, bool)> {
        let taken = self.index.lock().take_oldest();
        self.taken(taken)
    }

    fn taken(&self, taken: Option<(Key, bool)>) -> Option<(Key, bool)> {
        if let Some((key, _)) = &taken {
            self.open.lock().pop(key);
        }
        taken
    }

    /// Path of a file to be removed.
    pub(super) fn removed(&self, key: &Key) -> PathBuf {
        self.path_of(key)
    }

    /// Longest response in bytes that is kept.
    pub(super) fn longest(&self) -> u64 {
        self.conf().max_size.unwrap_or(u64::MAX).min(limits::PROXY_CACHE_FILE)
    }

    /// Where temporary files are made: in the directory of temporary files, or in that of the zone.
    pub(super) fn temp_path(&self, usual: &TempPath) -> TempPath {
        let conf = self.conf();
        match conf.uses_temp_path {
            true => usual.clone(),
            false => TempPath { directory: conf.directory.clone(), levels: Vec::new() },
        }
    }

    /// Tells once that responses cannot be written, until one can.
    pub(super) fn failed(&self, call: &str, path: &Path, error: &io::Error) {
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            log::cache_failed(call, path, error);
        }
    }

    /// Changes the times of a response in its file.
    pub(in super::super) fn renew(self: &Arc<Zone>, key: Key, entry: &Entry, change: impl FnOnce(&mut Meta)) {
        let mut meta = entry.meta.clone();
        change(&mut meta);
        let renewed = Entry { meta, file: entry.file.clone(), head: entry.head.clone(), start: entry.start };
        let bytes = format::encode(&renewed.meta, &format::head(&renewed.head));
        self.keep_open(key, Arc::new(renewed));
        let (path, zone) = (self.path_of(&key), self.clone());
        let Some(bytes) = bytes.filter(|bytes| bytes.len() as u64 == entry.start) else { return };
        drop(disk::spawn(DiskWork::Cache, move || {
            let written =
                File::options().write(true).open(&path).and_then(|file| file.write_all_at(&bytes, 0));
            if let Err(error) = written {
                zone.failed("pwrite", &path, &error);
            }
        }));
    }
}

impl Claim {
    /// The zone.
    pub(super) fn zone(&self) -> &Arc<Zone> {
        &self.zone
    }

    /// Begins to replace the response, unless another request does. `age` is that of a lock.
    pub(super) fn begin(&mut self, age: Option<Duration>) -> bool {
        if self.token.is_none() {
            self.token = self.zone.index.lock().begin(&self.key, age, Instant::now());
        }
        self.token.is_some()
    }

    /// Answers a status without a file from now on, until a time in seconds since 1970.
    pub(in super::super) fn keep_error(&mut self, status: u16, until: i64) {
        self.error = Some((status, until));
    }

    /// The response has come: its temporary file gets its name. Returns whether it did. Waits for the disk.
    pub(super) fn fill(
        self,
        temporary: &Path,
        file: Arc<File>,
        meta: Meta,
        head: ResponseHead,
        start: u64,
    ) -> bool {
        let path = self.zone.path_of(&self.key);
        if let Err((call, error)) = name(temporary, &path) {
            self.zone.failed(call, &path, &error);
            return false;
        }
        self.zone.is_failing.store(false, Ordering::Relaxed);
        let size = file.metadata().map_or(start + meta.body, |found| on_disk(&found));
        self.zone.keep_open(self.key, Arc::new(Entry { file, meta, head, start }));
        self.zone.index.lock().filled(&self.key, size);
        true
    }
}

impl Drop for Zone {
    fn drop(&mut self) {
        ZONES.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.zone.index.lock().leave(&self.key, self.token, self.error, self.counts);
        if self.token.is_some() {
            self.zone.released(&self.key).notify_waiters();
        }
    }
}

/// Number of descriptors that the process may have.
fn descriptors() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

/// Maximum number of files that one of several zones keeps open in a process that may have this many descriptors.
fn most_open(descriptors: usize, zones: usize) -> usize {
    (descriptors / limits::PROXY_CACHE_OPEN_PART / zones.max(1)).min(limits::PROXY_CACHE_OPEN)
}

/// Size of a file on the disk, by nginx's rule.
pub(super) fn on_disk(found: &std::fs::Metadata) -> u64 {
    let blocks = found.blocks().saturating_mul(512);
    let is_near = blocks > found.len() && blocks < found.len() + 8 * found.blksize();
    let size = if is_near { blocks } else { found.len() };
    size.next_multiple_of(found.blksize().max(1))
}

/// Removes a file; one that is gone already needs no removal.
pub(super) fn unlink(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => log::cache_failed("unlink", path, &error),
        _ => {}
    }
}

/// Reads what stands before the body. [`io::ErrorKind::InvalidData`] is a damaged file.
fn read(file: File) -> io::Result<Entry> {
    let damaged = || io::Error::from(io::ErrorKind::InvalidData);
    let mut bytes = vec![0; format::FIRST];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    let length = format::announced(&bytes).map_err(|_| damaged())?;
    let first = bytes.len().min(length);
    bytes.resize(length, 0);
    file.read_exact_at(&mut bytes[first..], first as u64).map_err(|_| damaged())?;
    let (meta, head) = match format::decode(&bytes) {
        Ok(found) => found,
        Err(_) => {
            // It may have been renewed meanwhile.
            file.read_exact_at(&mut bytes, 0).map_err(|_| damaged())?;
            format::decode(&bytes).map_err(|_| damaged())?
        }
    };
    let start = length as u64;
    if start.checked_add(meta.body) != Some(file.metadata()?.len()) {
        return Err(damaged());
    }
    Ok(Entry { file: Arc::new(file), meta, head, start })
}

/// Gives a complete file its name.
fn name(temporary: &Path, path: &Path) -> Result<(), (&'static str, io::Error)> {
    let rename = || match std::fs::rename(temporary, path) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            // On another file system, the file appears at once, too.
            let beside = path.with_extension(format!("{:010}", std::process::id()));
            std::fs::copy(temporary, &beside)?;
            std::fs::rename(&beside, path)
        }
        renamed => renamed,
    };
    match rename() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(directory) = path.parent() {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
                made.map_err(|error| ("mkdir", error))?;
            }
            rename().map_err(|error| ("rename", error))
        }
        renamed => renamed.map_err(|error| ("rename", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_share_a_part_of_the_descriptors() {
        assert_eq!(most_open(usize::MAX, 1), 512);
        assert_eq!(most_open(1 << 20, 4), 512);
        assert_eq!(most_open(1024, 1), 128);
        assert_eq!(most_open(1024, 2), 64);
        assert_eq!(most_open(1024, 1000), 0);
    }
}
