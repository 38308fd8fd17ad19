//! `conf_watch`: requests a reload when configuration files have changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout};

use super::core::watch::ConfWatch;
use super::parts::Parts;
use crate::config::LoadOptions;
use crate::config::watch::{Fingerprint, Footprint, Watch};
use crate::limits;
use crate::server::core;
use crate::server::log;

/// Watched state of the files.
struct WatchState {
    footprint: Footprint,
    /// Fingerprint of the configuration in force.
    in_force: Fingerprint,
    /// Kept alive until the next check.
    watch: Option<Watch>,
    /// Polling interval, if any.
    poll: Option<Duration>,
}

/// Sends to `changed` when the contents of the files differ from the configuration in force, once per contents: refused
/// files are not tried again until they change.
pub(super) async fn run(parts: Arc<Parts>, load: LoadOptions, changed: mpsc::Sender<()>) {
    let wake = Arc::new(Notify::new());
    let mut generation = parts.store.watch();
    let mut tried = None;
    loop {
        let mode = parts.store.load().get::<core::conf::Current>().conf_watch;
        if mode == ConfWatch::Off || load.conf_file.is_none() {
            if generation.changed().await.is_err() {
                return;
            }
            continue;
        }
        generation.mark_unchanged();
        let (looking, waking, told) = (parts.clone(), wake.clone(), load.clone());
        let seen = parts.loader.run(move || look(&looking, &told, mode, &waking)).await;
        let Some(WatchState { footprint, in_force, watch, poll }) = seen else { return };
        if footprint.fingerprint == in_force {
            tried = None;
        } else if parts.history.lock().is_set_aside(footprint.fingerprint) {
            tried = Some(footprint.fingerprint);
        } else if tried.replace(footprint.fingerprint) != Some(footprint.fingerprint) {
            log::configuration_changed();
            if changed.send(()).await.is_err() {
                return;
            }
        }
        tokio::select! {
            more = generation.changed() => if more.is_err() { return },
            () = wake.notified() => settle(&wake).await,
            () = sleep(poll.unwrap_or(Duration::MAX)) => {}
        }
        // The watch is renewed each time: a directory may have been replaced by another of the same name.
        drop(watch);
    }
}

/// Waits until changes pause; a directory that is never quiet is checked at intervals.
async fn settle(wake: &Notify) {
    let end = Instant::now() + limits::CONF_SETTLE;
    while Instant::now() < end && timeout(limits::CONF_QUIET, wake.notified()).await.is_ok() {}
}

fn look(parts: &Parts, load: &LoadOptions, mode: ConfWatch, wake: &Arc<Notify>) -> WatchState {
    let mut footprint = Footprint::read(load);
    let mut watch = None;
    let mut poll = match mode {
        ConfWatch::Every(time) => Some(time),
        ConfWatch::On | ConfWatch::Off => None,
    };
    // A change between the check and the start of the watch would be missed, so another check follows.
    for _ in 0..LOOKS {
        if mode != ConfWatch::On {
            break;
        }
        let wake = wake.clone();
        watch = match Watch::new(&footprint.directories, move || wake.notify_one()) {
            Ok(watch) => Some(watch),
            Err(error) => {
                log::configuration_not_watched(&error, limits::CONF_POLL);
                poll = Some(limits::CONF_POLL);
                break;
            }
        };
        let before = std::mem::replace(&mut footprint, Footprint::read(load));
        if before.directories == footprint.directories {
            break;
        }
    }
    if mode == ConfWatch::On && footprint.is_remote() {
        poll = Some(limits::CONF_POLL);
    }
    let in_force = Fingerprint::of(&parts.store.load().sources);
    WatchState { footprint, in_force, watch, poll }
}

/// Maximum number of checks if the set of directories keeps changing.
const LOOKS: usize = 5;
