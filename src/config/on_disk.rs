//! Whether the files of the configuration hold what is in force.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;

use crate::config::LoadOptions;
use crate::config::history::History;
use crate::config::load::read;
use crate::config::watch::Fingerprint;
use crate::limits;
use crate::task::loader::Loader;

/// The files as they are now, beside the configuration in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDisk {
    /// They hold what is in force.
    Same,
    /// They hold something else, which was not tried.
    Newer,
    /// They hold what was refused.
    Rejected,
    /// They could not be read in time.
    Unknown,
}

impl OnDisk {
    /// As JSON has it.
    pub fn word(self) -> &'static str {
        match self {
            OnDisk::Same => "same",
            OnDisk::Newer => "newer",
            OnDisk::Rejected => "rejected",
            OnDisk::Unknown => "unknown",
        }
    }
}

/// The files of the configuration, as they are now.
pub struct ConfFiles {
    load: LoadOptions,
    loader: Loader,
    glances: Mutex<Glances>,
}

/// What those have found who may be many.
#[derive(Default)]
struct Glances {
    last: Option<Seen>,
    /// A look under way, and the generation that was in force when it began.
    running: Option<(u64, oneshot::Receiver<Fingerprint>)>,
}

/// What was found at the last look.
#[derive(Clone, Copy)]
struct Seen {
    at: Instant,
    /// In force when the look began.
    generation: u64,
    found: Option<Fingerprint>,
}

impl ConfFiles {
    /// Those that `load` names.
    pub fn new(load: LoadOptions, loader: Loader) -> ConfFiles {
        ConfFiles { load, loader, glances: Mutex::default() }
    }

    /// What they are named.
    pub fn load(&self) -> &LoadOptions {
        &self.load
    }

    /// Reads them. `None` if that has failed, or takes longer than [`limits::CONF_LOOK_WAIT`]. However many ask while
    /// the files hang, one look waits for them.
    pub async fn look(&self, generation: u64) -> Option<Fingerprint> {
        let look = async {
            let mut glances = self.glances.lock().await;
            if let Some((_, earlier)) = &mut glances.running {
                // It may have read what is no longer there.
                let _ = earlier.await;
                glances.running = None;
            }
            let (_, look) = glances.running.insert((generation, self.begin()));
            let found = look.await;
            glances.running = None;
            found.ok()
        };
        timeout(limits::CONF_LOOK_WAIT, look).await.ok()?
    }

    /// As [`ConfFiles::look`], for callers that anybody may make ask: while `generation` is in force the files are read once
    /// per [`limits::CONF_LOOK_INTERVAL`] at most, however many ask, and never twice at a time.
    pub async fn glance(&self, generation: u64) -> Option<Fingerprint> {
        let mut glances = self.glances.lock().await;
        let recent =
            |seen: &Seen| seen.generation == generation && seen.at.elapsed() < limits::CONF_LOOK_INTERVAL;
        if let Some(seen) = glances.last.filter(recent) {
            return seen.found;
        }
        // It stays there while it is waited for: who asked may go away meanwhile.
        let (began, look) = glances.running.get_or_insert_with(|| (generation, self.begin()));
        let began = *began;
        let (generation, found) = match timeout(limits::CONF_LOOK_WAIT, look).await {
            Ok(found) => {
                glances.running = None;
                (began, found.ok())
            }
            Err(_) => (generation, None),
        };
        glances.last = Some(Seen { at: Instant::now(), generation, found });
        found
    }

    fn begin(&self) -> oneshot::Receiver<Fingerprint> {
        let load = self.load.clone();
        self.loader.begin(move || Fingerprint::of(&read(&load).0.sources))
    }
}

/// What it means that the files were found so.
pub fn verdict(history: &History, found: Option<Fingerprint>) -> OnDisk {
    let in_force = history.current().map(|generation| generation.fingerprint);
    match found {
        Some(found) if Some(found) == in_force => OnDisk::Same,
        Some(found) if history.refusal().is_some_and(|refusal| refusal.fingerprint == Some(found)) => {
            OnDisk::Rejected
        }
        Some(_) => OnDisk::Newer,
        None => OnDisk::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn files_that_cannot_be_read_in_time_are_unknown_and_read_once_however_many_ask() {
        let loader = Loader::start().unwrap();
        let (release, hung) = mpsc::channel::<()>();
        // As a file system that hangs: whatever is read now waits.
        let hanging = loader.begin(move || hung.recv().is_err());
        let files = ConfFiles::new(LoadOptions::choose(None, None, Vec::new(), None), loader);
        let asked = Instant::now();
        for _ in 0..100 {
            assert_eq!(files.glance(1).await, None);
        }
        assert!(asked.elapsed() < limits::CONF_LOOK_INTERVAL, "each of them waited");
        // One for each of the two generations would have been begun if the first were forgotten.
        let first = files.glances.lock().await.running.as_ref().map(|(began, _)| *began);
        assert_eq!((files.glance(2).await, first), (None, Some(1)));
        assert_eq!(files.glances.lock().await.running.as_ref().map(|(began, _)| *began), Some(1));
        drop(release);
        assert_eq!(hanging.await, Ok(true));
        assert!(files.look(2).await.is_some());
        files.glances.lock().await.running = Some((1, files.begin()));
        // What was begun under the first says nothing of the second, and is asked for anew.
        for _ in 0..2 {
            files.glances.lock().await.last = None;
            assert!(files.glance(2).await.is_some());
            assert!(files.glances.lock().await.running.is_none());
        }
        assert_eq!(files.glances.lock().await.last.map(|seen| seen.generation), Some(2));
    }
}
