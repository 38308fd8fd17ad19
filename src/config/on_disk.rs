//! State of the configuration files compared with the configuration in force.

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

/// State of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDisk {
    /// They match the configuration in force.
    Same,
    /// They differ and were not tried.
    Newer,
    /// They match the refused configuration.
    Rejected,
    /// They could not be read in time.
    Unknown,
}

impl OnDisk {
    /// Name in JSON.
    pub fn word(self) -> &'static str {
        match self {
            OnDisk::Same => "same",
            OnDisk::Newer => "newer",
            OnDisk::Rejected => "rejected",
            OnDisk::Unknown => "unknown",
        }
    }
}

/// Reader of the configuration files.
pub struct ConfFiles {
    load: LoadOptions,
    loader: Loader,
    glances: Mutex<SharedComparison>,
}

/// Result shared by concurrent statistics requests.
#[derive(Default)]
struct SharedComparison {
    last: Option<LastComparison>,
    /// A read in progress, with the generation in force when it began.
    running: Option<(u64, oneshot::Receiver<Fingerprint>)>,
}

/// Result of the last read.
#[derive(Clone, Copy)]
struct LastComparison {
    at: Instant,
    /// Generation in force when the read began.
    generation: u64,
    found: Option<Fingerprint>,
}

impl ConfFiles {
    /// The files named by `load`.
    pub fn new(load: LoadOptions, loader: Loader) -> ConfFiles {
        ConfFiles { load, loader, glances: Mutex::default() }
    }

    /// Options that name the files.
    pub fn load(&self) -> &LoadOptions {
        &self.load
    }

    /// Reads the files. `None` if that fails, or takes longer than [`limits::CONF_LOOK_WAIT`]. While files hang, all
    /// callers wait for a single read.
    pub async fn look(&self, generation: u64) -> Option<Fingerprint> {
        let look = async {
            let mut glances = self.glances.lock().await;
            if let Some((_, earlier)) = &mut glances.running {
                // It may have read outdated contents.
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

    /// As [`ConfFiles::look`], for requests that any client may send: while `generation` is in force the files are read
    /// at most once per [`limits::CONF_LOOK_INTERVAL`], regardless of the number of callers, and never concurrently.
    pub async fn glance(&self, generation: u64) -> Option<Fingerprint> {
        let mut glances = self.glances.lock().await;
        let recent = |seen: &LastComparison| {
            seen.generation == generation && seen.at.elapsed() < limits::CONF_LOOK_INTERVAL
        };
        if let Some(seen) = glances.last.filter(recent) {
            return seen.found;
        }
        // It stays in place while awaited: the caller may be cancelled meanwhile.
        let (began, look) = glances.running.get_or_insert_with(|| (generation, self.begin()));
        let began = *began;
        let (generation, found) = match timeout(limits::CONF_LOOK_WAIT, look).await {
            Ok(found) => {
                glances.running = None;
                (began, found.ok())
            }
            Err(_) => (generation, None),
        };
        glances.last = Some(LastComparison { at: Instant::now(), generation, found });
        found
    }

    fn begin(&self) -> oneshot::Receiver<Fingerprint> {
        let load = self.load.clone();
        self.loader.begin(move || Fingerprint::of(&read(&load).0.sources))
    }
}

/// State of the files, given their fingerprint.
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
    use crate::modules::LANGUAGE;

    #[tokio::test]
    async fn files_that_cannot_be_read_in_time_are_unknown_and_read_once_however_many_ask() {
        let loader = Loader::start().unwrap();
        let (release, hung) = mpsc::channel::<()>();
        // Simulates a hanging file system: every read waits.
        let hanging = loader.begin(move || hung.recv().is_err());
        let files = ConfFiles::new(LoadOptions::choose(&LANGUAGE, None, None, Vec::new(), None), loader);
        let asked = Instant::now();
        for _ in 0..100 {
            assert_eq!(files.glance(1).await, None);
        }
        assert!(asked.elapsed() < limits::CONF_LOOK_INTERVAL, "each of them waited");
        // If the first read were forgotten, each of the two generations would have started one.
        let first = files.glances.lock().await.running.as_ref().map(|(began, _)| *began);
        assert_eq!((files.glance(2).await, first), (None, Some(1)));
        assert_eq!(files.glances.lock().await.running.as_ref().map(|(began, _)| *began), Some(1));
        drop(release);
        assert_eq!(hanging.await, Ok(true));
        assert!(files.look(2).await.is_some());
        files.glances.lock().await.running = Some((1, files.begin()));
        // A read that began under the first generation does not count for the second and is repeated.
        for _ in 0..2 {
            files.glances.lock().await.last = None;
            assert!(files.glance(2).await.is_some());
            assert!(files.glances.lock().await.running.is_none());
        }
        assert_eq!(files.glances.lock().await.last.map(|seen| seen.generation), Some(2));
    }
}
