//! Storage of the configuration's generations on disk: read at the start, written asynchronously after reloads.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{core, process};
use crate::config::archive::{Archive, DIRECTORY};
use crate::config::history::{Generation, History, SharedHistory};
use crate::config::path_setting::PathSetting;
use crate::config::watch::Fingerprint;
use crate::config::{Config, LoadOptions};
use crate::limits;
use crate::server::log;
use crate::task::lifetime::Lifetime;

/// Generations found at the start, and the new one.
pub(super) struct StartGeneration {
    /// History, with the new generation in force.
    pub(super) history: History,
    /// Number of the new generation.
    pub(super) number: u64,
    /// Archive in which generations are kept.
    pub(super) archive: Option<Archive>,
    /// Whether the new generation is not in the archive yet.
    pub(super) is_new: bool,
}

/// Queue of generations to be written, one after the other.
pub(super) struct GenerationWriter(Option<mpsc::Sender<WriteRequest>>);

struct WriteRequest {
    generation: Generation,
    /// Generations that it replaces.
    forgotten: Vec<Generation>,
    _unfinished: TaskTrackerToken,
}

impl Config {
    /// Archive of its generations, if enabled. The embedded configuration has none.
    pub fn archive(&self) -> Option<Archive> {
        let main = &self.paths.conf_file;
        let directory = match &self.get::<core::conf::Conf>().conf_generations {
            _ if main.as_os_str().is_empty() => return None,
            PathSetting::On => self.paths.prefix.join(DIRECTORY),
            PathSetting::Off => return None,
            PathSetting::Path(path) => path.clone(),
        };
        Some(Archive::new(directory, main))
    }
}

impl StartGeneration {
    /// Reads the archive. Must be called before privileges are dropped, with the log open.
    pub(super) fn look(config: &Config, load: &LoadOptions) -> StartGeneration {
        let mut history = History::default();
        let archive = config.archive();
        if let Some(archive) = &archive
            && let Err(error) = archive.prepare(process::becomes(config))
        {
            log::generations_unusable(&error);
            history.set_unkept(Some(error.to_string()));
        }
        let found = archive.as_ref().map(|archive| archive.read(load)).unwrap_or_default();
        found.skipped.iter().for_each(|error| log::generation_skipped(error));
        let mut earlier = found.generations;
        let fingerprint = Fingerprint::of(&config.sources);
        let same = earlier.pop_if(|last| last.fingerprint == fingerprint);
        let is_new = same.is_none();
        let number = found.last_number.saturating_add(1);
        let current = same.unwrap_or_else(|| Generation::new(number, fingerprint, config.sources.clone()));
        let number = current.number;
        history.preceded_by(earlier);
        history.taken(current);
        StartGeneration { history, number, archive, is_new }
    }
}

impl GenerationWriter {
    /// Starts writing to `archive`, beginning with the current generation if it is new.
    pub(super) fn start(
        archive: Option<Archive>,
        is_new: bool,
        history: &Arc<SharedHistory>,
        lifetime: &Lifetime,
    ) -> GenerationWriter {
        let Some(archive) = archive else { return GenerationWriter(None) };
        let (sender, work) = mpsc::channel(limits::GENERATIONS_WAITING);
        tokio::spawn(run(history.clone(), archive, work));
        let keeper = GenerationWriter(Some(sender));
        let first = history.lock().current().filter(|_| is_new).cloned();
        if let Some(first) = first {
            keeper.keep(history, lifetime, first, Vec::new());
        }
        keeper
    }

    /// Queues a generation that came into force in place of those in `forgotten`.
    pub(super) fn keep(
        &self,
        history: &SharedHistory,
        lifetime: &Lifetime,
        generation: Generation,
        forgotten: Vec<Generation>,
    ) {
        let Some(sender) = &self.0 else { return };
        let _unfinished = lifetime.unfinished.token();
        if sender.try_send(WriteRequest { generation, forgotten, _unfinished }).is_err() {
            not_kept(history, "the disk is too slow".into());
        }
    }
}

async fn run(history: Arc<SharedHistory>, archive: Archive, mut work: mpsc::Receiver<WriteRequest>) {
    while let Some(WriteRequest { generation, forgotten, _unfinished }) = work.recv().await {
        let archive = archive.clone();
        let number = generation.number;
        let written = tokio::task::spawn_blocking(move || archive.keep(&generation, &forgotten)).await;
        match written {
            Ok(Ok(())) => history.lock().set_unkept(None),
            Ok(Err(error)) => not_kept(&history, format!("generation {number}: {error}")),
            Err(_) => not_kept(&history, format!("generation {number}: writing it has failed")),
        }
    }
}

fn not_kept(history: &SharedHistory, why: String) {
    log::generation_not_kept(&why);
    history.lock().set_unkept(Some(why));
}
