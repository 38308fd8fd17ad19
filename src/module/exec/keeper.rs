//! Commands that are kept running.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Process;
use super::child;
use super::command::ExecLaunch;
use crate::config::Config;
use crate::config::store::Store;
use crate::limits;
use crate::media::counterpart::Counterpart;
use crate::module::exec::log;

/// Prerequisites of running commands. Cheap to clone.
#[derive(Clone)]
pub struct CommandPrerequisites {
    /// Runtime on which children are waited for: not that of a thread that moves media.
    pub runtime: Handle,
    /// The configuration in force.
    pub store: Arc<Store>,
    /// Environment variables that a configuration gives to commands.
    pub environment: fn(&Config) -> Vec<(OsString, OsString)>,
    /// The other process of an upgrade, which may have the publisher of a stream.
    pub counterpart: Arc<Counterpart>,
    /// Tracks children that are being ended.
    pub unfinished: TaskTracker,
}

impl CommandPrerequisites {
    /// Environment variables of commands that are started now.
    pub(super) fn environment(&self) -> Vec<(OsString, OsString)> {
        (self.environment)(&self.store.load())
    }
}

/// Keeps commands running until dropped. A reload may change them.
pub(super) struct Respawner {
    _stop: StopHandle,
}

/// Tells a task to end, and passes it a token for which a stop of the server waits.
struct StopHandle {
    unfinished: TaskTracker,
    sender: Option<oneshot::Sender<TaskTrackerToken>>,
}

/// A command that is kept running.
struct RespawnedCommand {
    launch: ExecLaunch,
    /// Whether it is restarted when it exits. A reload may change this while the command runs.
    respawns: watch::Sender<bool>,
    _stop: StopHandle,
}

impl Respawner {
    /// Keeps the commands that `wanted` returns running; calls it again after every reload, and when streams of the other
    /// process of an upgrade change. The flag tells whether a command that exits is restarted.
    pub(super) fn start(
        means: &CommandPrerequisites,
        wanted: impl Fn() -> (Vec<ExecLaunch>, bool) + Send + 'static,
    ) -> Self {
        let (stop, mut stopped) = StopHandle::new(&means.unfinished);
        let means = means.clone();
        let runtime = means.runtime.clone();
        runtime.spawn(async move {
            let (mut changed, mut published) = (means.store.watch(), means.counterpart.watch());
            let mut kept = Vec::new();
            loop {
                let (launches, respawns) = wanted();
                kept = adjust(&means, kept, launches, respawns);
                tokio::select! {
                    change = changed.changed() => if change.is_err() { return },
                    change = published.changed() => if change.is_err() { return },
                    _unfinished = &mut stopped => {
                        kept.clear();
                        return;
                    }
                }
            }
        });
        Respawner { _stop: stop }
    }
}

/// Ends removed commands and starts new ones; the others keep running.
fn adjust(
    means: &CommandPrerequisites,
    mut before: Vec<RespawnedCommand>,
    launches: Vec<ExecLaunch>,
    respawns: bool,
) -> Vec<RespawnedCommand> {
    let mut kept = Vec::with_capacity(launches.len());
    for launch in launches {
        // A line that has only moved is the same command.
        let same =
            |old: &RespawnedCommand| ExecLaunch { pos: launch.pos.clone(), ..old.launch.clone() } == launch;
        match before.iter().position(same) {
            Some(at) => {
                let old = before.swap_remove(at);
                old.respawns.send_replace(respawns);
                kept.push(old);
            }
            None => kept.push(RespawnedCommand::start(means, launch, respawns)),
        }
    }
    kept
}

impl RespawnedCommand {
    fn start(means: &CommandPrerequisites, launch: ExecLaunch, respawns: bool) -> Self {
        let (stop, stopped) = StopHandle::new(&means.unfinished);
        let runtime = means.runtime.clone();
        let (respawns, respawned) = watch::channel(respawns);
        runtime.spawn(keep(means.clone(), launch.clone(), respawned, stopped));
        RespawnedCommand { launch, respawns, _stop: stop }
    }
}

async fn keep(
    means: CommandPrerequisites,
    launch: ExecLaunch,
    mut respawns: watch::Receiver<bool>,
    mut stopped: oneshot::Receiver<TaskTrackerToken>,
) {
    loop {
        match child::spawn(&launch, means.environment()).await {
            Ok(mut child) => {
                log::started(&launch, child.id());
                tokio::select! {
                    status = child.wait() => log::exited(&launch, &status),
                    _unfinished = &mut stopped => {
                        child::end(child, settings(&means).1).await;
                        log::ended(&launch);
                        return;
                    }
                }
            }
            Err(error) => log::failed(&launch, &error),
        }
        tokio::select! {
            wanted = respawns.wait_for(|respawns| *respawns) => if wanted.is_err() { return },
            _ = &mut stopped => return,
        }
        tokio::select! {
            () = tokio::time::sleep(settings(&means).0) => {}
            _ = &mut stopped => return,
        }
    }
}

/// Delay before a restart, and the signal that ends a command.
fn settings(means: &CommandPrerequisites) -> (Duration, i32) {
    let config = means.store.load();
    match &config.rtmp {
        Some(rtmp) => {
            let process = rtmp.get::<Process>();
            (process.respawn_timeout.max(limits::EXEC_RESPAWN_LEAST), process.kill_signal.0)
        }
        None => (limits::EXEC_RESPAWN_LEAST, nix::sys::signal::Signal::SIGKILL as i32),
    }
}

impl StopHandle {
    fn new(unfinished: &TaskTracker) -> (Self, oneshot::Receiver<TaskTrackerToken>) {
        let (sender, receiver) = oneshot::channel();
        (StopHandle { unfinished: unfinished.clone(), sender: Some(sender) }, receiver)
    }
}

impl Drop for StopHandle {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            // If the receiver is gone, the command has exited and is not restarted.
            let _ = sender.send(self.unfinished.token());
        }
    }
}
