//! Which playlists are being written: one writer each, and nobody sweeps them away.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

/// The playlists being written.
#[derive(Default)]
pub struct Places {
    taken: Mutex<HashMap<PathBuf, usize>>,
    freed: Notify,
}

/// A publish's hold on its files.
pub struct Place {
    places: Arc<Places>,
    held: Vec<PathBuf>,
}

impl Places {
    /// Takes a media playlist once nobody else writes it.
    pub async fn take(self: &Arc<Self>, playlist: PathBuf) -> Place {
        loop {
            let freed = self.freed.notified();
            if let Some(place) = self.try_take(&playlist) {
                return place;
            }
            freed.await;
        }
    }

    /// Looks and holds in one step: of two publishes that find it free, one gets it.
    fn try_take(self: &Arc<Self>, playlist: &Path) -> Option<Place> {
        let mut taken = self.lock();
        if taken.contains_key(playlist) {
            return None;
        }
        taken.insert(playlist.to_owned(), 1);
        Some(Place { places: self.clone(), held: vec![playlist.to_owned()] })
    }

    /// Whether somebody writes this playlist.
    pub fn is_taken(&self, playlist: &Path) -> bool {
        self.lock().contains_key(playlist)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, usize>> {
        self.taken.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Place {
    /// Holds another playlist too: a master playlist, which the variants write in turn.
    pub fn hold(&mut self, playlist: &Path) {
        if !self.held.iter().any(|held| held == playlist) {
            *self.places.lock().entry(playlist.to_owned()).or_default() += 1;
            self.held.push(playlist.to_owned());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        for playlist in self.held.drain(..) {
            if let Some(count) = taken.get_mut(&playlist) {
                *count -= 1;
                if *count == 0 {
                    taken.remove(&playlist);
                }
            }
        }
        drop(taken);
        self.places.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::interleaving::orders;

    #[test]
    fn a_playlist_that_is_found_free_is_held_at_once() {
        let places = Arc::new(Places::default());
        let first = places.try_take(Path::new("a.m3u8"));
        assert!(first.is_some() && places.try_take(Path::new("a.m3u8")).is_none());
        assert!(places.try_take(Path::new("b.m3u8")).is_some());
        drop(first);
        assert!(!places.is_taken(Path::new("a.m3u8")) && places.try_take(Path::new("a.m3u8")).is_some());
    }

    #[test]
    fn a_playlist_has_one_writer_in_every_order() {
        let (own, master) = (Path::new("s.m3u8"), Path::new("master.m3u8"));
        // Three publishes take the playlist, hold their master playlist, and end.
        for order in orders(&[3, 3, 3]) {
            let places = Arc::new(Places::default());
            let (mut held, mut done) = ([None, None, None], [0; 3]);
            for at in order.clone() {
                match done[at] {
                    0 => {
                        let free = held.iter().all(Option::is_none);
                        held[at] = places.try_take(own);
                        assert_eq!(held[at].is_some(), free, "{order:?}");
                    }
                    1 => held[at].iter_mut().for_each(|place: &mut Place| place.hold(master)),
                    _ => held[at] = None,
                }
                done[at] += 1;
                let holds = |playlist| {
                    held.iter().flatten().any(|place| place.held.iter().any(|held| held == playlist))
                };
                assert_eq!(places.is_taken(own), holds(own), "{order:?}");
                assert_eq!(places.is_taken(master), holds(master), "{order:?}");
            }
            assert!(places.lock().is_empty());
        }
    }
}
