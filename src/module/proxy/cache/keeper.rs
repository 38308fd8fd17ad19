//! The zones of a process. A thread of their own reads in what their directories hold, and removes what was not used for long, is
//! too much, or leaves too little free space.

use std::collections::HashMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use bstr::BString;
use parking_lot::Mutex;

use super::super::conf::CachePaths;
use super::super::log;
use super::key::{self, Key};
use super::values::{CachePath, Pace};
use super::zone::{self, Zone};
use crate::config::Config;
use crate::limits;

/// The zones of a process; all workers share them.
#[derive(Debug, Default)]
pub struct Zones {
    known: Mutex<ConfiguredZones>,
    /// Wakes the thread.
    wake: Mutex<Option<SyncSender<()>>>,
}

/// The zones of a configuration.
#[derive(Debug, Default)]
struct ConfiguredZones {
    /// Number of the configuration.
    generation: Option<u64>,
    by_name: HashMap<BString, Arc<Zone>>,
}

impl Zones {
    /// The zone of a name in a configuration. A zone whose directory and levels stay the same stays over a reload.
    pub(in super::super) fn find(
        self: &Arc<Zones>,
        name: &[u8],
        config: &Config,
        generation: u64,
    ) -> Option<Arc<Zone>> {
        let mut known = self.known.lock();
        if known.generation != Some(generation) {
            self.adopt(&mut known.by_name, config);
            known.generation = Some(generation);
        }
        known.by_name.get(name).cloned()
    }

    /// Takes over the zones of a configuration.
    pub(in super::super) fn sync(self: &Arc<Zones>, config: &Config, generation: u64) {
        self.find(b"", config, generation);
    }

    fn adopt(self: &Arc<Zones>, zones: &mut HashMap<BString, Arc<Zone>>, config: &Config) {
        let mut old = std::mem::take(zones);
        for path in paths(config) {
            let kept = old.remove(&path.zone).filter(|zone| {
                let before = zone.conf();
                (&before.directory, &before.levels, before.size) == (&path.directory, &path.levels, path.size)
            });
            let zone = match kept {
                Some(zone) => {
                    zone.adopt(Arc::new(path.clone()));
                    zone
                }
                None => Arc::new(Zone::new(Arc::new(path.clone()))),
            };
            zones.insert(path.zone.clone(), zone);
        }
        if !zones.is_empty() {
            self.begin();
        }
    }

    /// Starts the thread, or wakes it.
    fn begin(self: &Arc<Zones>) {
        let mut wake = self.wake.lock();
        if let Some(wake) = &*wake {
            let _ = wake.try_send(());
            return;
        }
        let (sender, receiver) = sync_channel(1);
        let zones = Arc::downgrade(self);
        let thread = thread::Builder::new().name("cache".into()).spawn(move || run(&zones, &receiver));
        match thread {
            Ok(_) => *wake = Some(sender),
            Err(error) => log::cache_failed("pthread_create", Path::new("cache"), &error),
        }
    }

    /// Lets the thread look at a zone that has grown beyond its bounds.
    pub(in super::super) fn look(&self, zone: &Zone) {
        if zone.conf().max_size.is_some_and(|most| zone.used().0 > most)
            && let Some(wake) = &*self.wake.lock()
        {
            let _ = wake.try_send(());
        }
    }
}

/// The lines of `proxy_cache_path`.
fn paths(config: &Config) -> &[CachePath] {
    config.http.as_ref().map_or(&[], |http| &http.get::<CachePaths>().0)
}

/// Creates the directories that a configuration names, and returns them, so that they can be handed over to the server's user.
/// Failures are logged.
pub fn make_directories(config: &Config) -> Vec<PathBuf> {
    let made = |path: &CachePath| match DirBuilder::new().mode(0o700).create(&path.directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            log::cache_failed("mkdir", &path.directory, &error);
            None
        }
        _ => Some(path.directory.clone()),
    };
    paths(config).iter().filter_map(made).collect()
}

/// The work of the thread, until the zones are gone.
fn run(zones: &Weak<Zones>, wake: &Receiver<()>) {
    loop {
        let Some(all) = zones.upgrade() else { return };
        let present: Vec<_> = all.known.lock().by_name.values().cloned().collect();
        drop(all);
        for zone in &present {
            if zone.is_cold.load(Ordering::Relaxed) {
                let conf = zone.conf();
                let mut steps = Steps::new(conf.loader);
                load(zone, &conf.directory, 0, &mut steps);
                zone.is_cold.store(false, Ordering::Relaxed);
            }
        }
        let shortest = present.iter().map(|zone| zone.conf().inactive).min();
        present.iter().for_each(clean);
        drop(present);
        let pause = shortest.unwrap_or(limits::PROXY_CACHE_PAUSE).min(limits::PROXY_CACHE_PAUSE);
        let woken = wake.recv_timeout(pause.max(Duration::from_millis(100)));
        if woken == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

/// Lets work on many files pause.
struct Steps {
    pace: Pace,
    done: u64,
    began: Instant,
}

impl Steps {
    fn new(pace: Pace) -> Steps {
        Steps { pace, done: 0, began: Instant::now() }
    }

    fn one(&mut self) {
        self.done += 1;
        if self.done >= self.pace.files.max(1) || self.began.elapsed() >= self.pace.threshold {
            thread::sleep(self.pace.sleep);
            *self = Steps::new(self.pace);
        }
    }
}

/// Reads in the files of a directory.
fn load(zone: &Arc<Zone>, directory: &Path, depth: usize, steps: &mut Steps) {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => return log::cache_failed("opendir", directory, &error),
    };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Ok(found) = entry.metadata() else { continue };
        if found.is_dir() {
            if depth < limits::PROXY_CACHE_DEPTH && name.len() <= 2 {
                load(zone, &path, depth + 1, steps);
            }
            continue;
        }
        if !found.is_file() {
            continue;
        }
        match key::of_name(name.as_bytes()) {
            Some(key) if zone.removed(&key) == path => {
                let is_taken = zone.found(&key, zone::on_disk(&found));
                if !is_taken {
                    zone::unlink(&path);
                }
            }
            _ if is_left_behind(name.as_bytes(), &found) => zone::unlink(&path),
            _ => {}
        }
        steps.one();
    }
}

/// Whether a file is a temporary one that no process writes any more.
fn is_left_behind(name: &[u8], found: &std::fs::Metadata) -> bool {
    let digits = name.rsplit(|b| *b == b'.').next().unwrap_or_default();
    let is_temporary = digits.len() == 10
        && digits.iter().all(u8::is_ascii_digit)
        && (name.len() == 10 || name.len() == 43 && key::of_name(&name[..32]).is_some());
    let age = found.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    is_temporary && age.is_some_and(|age| age > limits::PROXY_CACHE_TEMPORARY_AGE)
}

/// Removes what was not used for long, and what is too much.
fn clean(zone: &Arc<Zone>) {
    let conf = zone.conf();
    let mut steps = Steps::new(conf.manager);
    let mut remove = |(key, has_file): (Key, bool)| {
        if has_file {
            zone::unlink(&zone.removed(&key));
        }
        steps.one();
    };
    while let Some(taken) = zone.take_expired() {
        remove(taken);
    }
    loop {
        let is_too_much = conf.max_size.is_some_and(|most| zone.used().0 > most);
        if !is_too_much && !lacks_space(&conf) {
            return;
        }
        match zone.take_oldest() {
            Some(taken) => remove(taken),
            None => return,
        }
    }
}

/// Whether the file system has less free space than it is to keep.
fn lacks_space(conf: &CachePath) -> bool {
    if conf.min_free == 0 {
        return false;
    }
    let Ok(found) = rustix::fs::statvfs(&conf.directory) else { return false };
    found.f_bavail.saturating_mul(found.f_frsize) < conf.min_free
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(directory: &Path, change: impl FnOnce(&mut CachePath)) -> Arc<Zone> {
        let text = format!("proxy_cache_path {} levels=1:2 keys_zone=a:1m;", directory.display());
        let mut path: CachePath = crate::directive::sample::value(&text);
        change(&mut path);
        Arc::new(Zone::new(Arc::new(path)))
    }

    fn file(zone: &Zone, number: u8) -> PathBuf {
        let path = zone.removed(&[number; 16]);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, vec![b'x'; 5000]).unwrap();
        path
    }

    #[test]
    fn files_of_the_directory_are_read_in_and_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let zone = zone(dir.path(), |_| {});
        file(&zone, 1);
        file(&zone, 2);
        let misplaced = dir.path().join(key::name(&[3; 16]));
        std::fs::write(&misplaced, "x").unwrap();
        std::fs::write(dir.path().join("0000000001"), "x").unwrap();
        load(&zone, dir.path(), 0, &mut Steps::new(zone.conf().loader));
        assert_eq!(zone.used().1, 2);
        assert!(misplaced.exists() && dir.path().join("0000000001").exists());
    }

    #[test]
    fn what_is_too_much_is_removed_from_its_oldest_end() {
        let dir = tempfile::tempdir().unwrap();
        let zone = zone(dir.path(), |path| path.max_size = Some(17_000));
        let files: Vec<_> = (1..=4)
            .map(|number| {
                let path = file(&zone, number);
                zone.found(&[number; 16], 8192);
                path
            })
            .collect();
        clean(&zone);
        assert_eq!(files.iter().map(|path| path.exists()).collect::<Vec<_>>(), [false, false, true, true]);
        assert_eq!(zone.used(), (16384, 2));
    }

    #[test]
    fn what_was_not_used_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let zone = zone(dir.path(), |path| path.inactive = Duration::ZERO);
        let path = file(&zone, 1);
        zone.found(&[1; 16], 8192);
        clean(&zone);
        assert!(!path.exists());
        assert_eq!(zone.used(), (0, 0));
    }

    #[test]
    fn room_is_made_where_the_file_system_is_too_full() {
        let dir = tempfile::tempdir().unwrap();
        let zone = zone(dir.path(), |path| path.min_free = u64::MAX);
        let path = file(&zone, 1);
        zone.found(&[1; 16], 8192);
        clean(&zone);
        assert!(!path.exists());
    }
}
