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
            if !self.is_taken(&playlist) {
                let mut place = Place { places: self.clone(), held: Vec::new() };
                place.hold(&playlist);
                return place;
            }
            freed.await;
        }
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
