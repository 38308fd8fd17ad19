//! Whether the files of the configuration hold what is in force.

use std::time::Instant;

use tokio::sync::Mutex;

use super::protocol::OnDisk;
use crate::config::LoadOptions;
use crate::config::history::History;
use crate::config::load::read;
use crate::config::watch::Fingerprint;
use crate::limits;
use crate::server::loader::Loader;

/// The files of the configuration, as they are now.
pub struct ConfFiles {
    load: LoadOptions,
    loader: Loader,
    seen: Mutex<Option<Seen>>,
}

/// What was found at the last look.
#[derive(Clone, Copy)]
struct Seen {
    at: Instant,
    /// In force at that moment.
    generation: u64,
    found: Option<Fingerprint>,
}

impl ConfFiles {
    /// Those that `load` names.
    pub fn new(load: LoadOptions, loader: Loader) -> ConfFiles {
        ConfFiles { load, loader, seen: Mutex::default() }
    }

    /// What they are named.
    pub fn load(&self) -> &LoadOptions {
        &self.load
    }

    /// Reads them. `None` if that has failed.
    pub async fn look(&self) -> Option<Fingerprint> {
        let load = self.load.clone();
        self.loader.run(move || Fingerprint::of(&read(&load).0.sources)).await
    }

    /// As [`ConfFiles::look`], for callers that anybody may make ask: while `generation` is in force the files are read once
    /// per [`limits::CONF_LOOK_INTERVAL`] at most, however many ask.
    pub async fn glance(&self, generation: u64) -> Option<Fingerprint> {
        let mut seen = self.seen.lock().await;
        let recent =
            |seen: &Seen| seen.generation == generation && seen.at.elapsed() < limits::CONF_LOOK_INTERVAL;
        if let Some(seen) = (*seen).filter(recent) {
            return seen.found;
        }
        let found = self.look().await;
        *seen = Some(Seen { at: Instant::now(), generation, found });
        found
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
        _ => OnDisk::Newer,
    }
}
