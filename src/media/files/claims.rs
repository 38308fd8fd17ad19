//! Files being written: each has one writer, and cleaning skips them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

/// Files in use: HLS playlists or recordings.
#[derive(Default)]
pub struct FileClaims {
    /// Number of holders per file: a master playlist belongs to several writers.
    taken: Mutex<HashMap<PathBuf, usize>>,
    /// Wakes waiting tasks.
    freed: Notify,
    /// Wakes waiting threads.
    freed_for_threads: Condvar,
}

/// A writer's reservation of its files.
pub struct FileClaim {
    claims: Arc<FileClaims>,
    held: Vec<PathBuf>,
}

impl FileClaims {
    /// Reserves a file once no other writer has it.
    pub async fn take(self: &Arc<Self>, path: PathBuf) -> FileClaim {
        loop {
            let freed = self.freed.notified();
            if let Some(place) = self.try_take(&mut self.taken.lock(), &path) {
                return place;
            }
            freed.await;
        }
    }

    /// Reserves a file on a thread that may block. The file of a publish that directly follows another one is still
    /// being completed, so this waits up to `patience`; `None` if the file is still in use.
    pub fn take_within(self: &Arc<Self>, path: &Path, patience: Duration) -> Option<FileClaim> {
        let mut taken = self.taken.lock();
        let is_taken = |taken: &mut HashMap<_, _>| taken.contains_key(path);
        self.freed_for_threads.wait_while_for(&mut taken, is_taken, patience);
        self.try_take(&mut taken, path)
    }

    /// Checks and reserves in one step, so that only one of two writers gets the file.
    fn try_take(self: &Arc<Self>, taken: &mut HashMap<PathBuf, usize>, path: &Path) -> Option<FileClaim> {
        if taken.contains_key(path) {
            return None;
        }
        taken.insert(path.to_owned(), 1);
        Some(FileClaim { claims: self.clone(), held: vec![path.to_owned()] })
    }

    /// Whether the file is being written.
    pub fn is_taken(&self, path: &Path) -> bool {
        self.taken.lock().contains_key(path)
    }
}

impl FileClaim {
    /// Also reserves a file that several writers share: a master playlist, which the variants write in turn.
    pub fn hold(&mut self, path: &Path) {
        if !self.held.iter().any(|held| held == path) {
            *self.claims.taken.lock().entry(path.to_owned()).or_default() += 1;
            self.held.push(path.to_owned());
        }
    }
}

impl Drop for FileClaim {
    fn drop(&mut self) {
        let mut taken = self.claims.taken.lock();
        for path in self.held.drain(..) {
            if let Some(count) = taken.get_mut(&path) {
                *count -= 1;
                if *count == 0 {
                    taken.remove(&path);
                }
            }
        }
        drop(taken);
        self.claims.freed.notify_waiters();
        self.claims.freed_for_threads.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::interleaving::orders;

    fn take(claims: &Arc<FileClaims>, path: &str) -> Option<FileClaim> {
        claims.take_within(Path::new(path), Duration::ZERO)
    }

    #[test]
    fn a_file_that_is_found_free_is_held_at_once() {
        let claims = Arc::new(FileClaims::default());
        let first = take(&claims, "a");
        assert!(first.is_some() && take(&claims, "a").is_none());
        assert!(take(&claims, "b").is_some());
        drop(first);
        assert!(!claims.is_taken(Path::new("a")) && take(&claims, "a").is_some());
    }

    #[test]
    fn a_file_of_several_writers_is_free_after_the_last_one() {
        let claims = Arc::new(FileClaims::default());
        let mut holders = ["low", "high"].map(|path| take(&claims, path).unwrap());
        for holder in &mut holders {
            holder.hold(Path::new("master"));
        }
        let [low, high] = holders;
        drop(low);
        assert!(claims.is_taken(Path::new("master")) && take(&claims, "low").is_some());
        drop(high);
        assert!(take(&claims, "master").is_some());
    }

    #[test]
    fn threads_and_tasks_are_woken_by_a_release() {
        let claims = Arc::new(FileClaims::default());
        let held = take(&claims, "a").unwrap();
        std::thread::scope(|scope| {
            let waiting =
                scope.spawn(|| claims.take_within(Path::new("a"), Duration::from_secs(60)).is_some());
            drop(held);
            assert!(waiting.join().unwrap());
        });
        let held = take(&claims, "a").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            tokio::join!(claims.take("a".into()), async { drop(held) });
        });
        assert!(!claims.is_taken(Path::new("a")));
    }
    #[test]
    fn a_playlist_has_one_writer_in_every_order() {
        let (own, master) = (Path::new("s.m3u8"), Path::new("master.m3u8"));
        // Three publishers reserve the playlist, then their master playlist, and end.
        for order in orders(&[3, 3, 3]) {
            let claims = Arc::new(FileClaims::default());
            let (mut held, mut done) = ([None, None, None], [0; 3]);
            for at in order.clone() {
                match done[at] {
                    0 => {
                        let free = held.iter().all(Option::is_none);
                        held[at] = take(&claims, "s.m3u8");
                        assert_eq!(held[at].is_some(), free, "{order:?}");
                    }
                    1 => held[at].iter_mut().for_each(|place: &mut FileClaim| place.hold(master)),
                    _ => held[at] = None,
                }
                done[at] += 1;
                let holds = |playlist| {
                    held.iter().flatten().any(|place| place.held.iter().any(|held| held == playlist))
                };
                assert_eq!(claims.is_taken(own), holds(own), "{order:?}");
                assert_eq!(claims.is_taken(master), holds(master), "{order:?}");
            }
            assert!(claims.taken.lock().is_empty());
        }
    }
}
