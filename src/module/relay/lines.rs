//! Push lines of a publisher, each with its own task, across reloads.
//!
//! A line that a reload changes keeps its task, and with it its relay. An added line starts a task, a removed one ends
//! its task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::conf::Current;
use super::push::Push;
use super::push_line::{PendingHeaders, PushLine};
use crate::config::model::Application;
use crate::media::extension::{BatchSummary, OnStream, PublishObserver};
use crate::media::view::AppView;
use crate::module::relay::relays::Relays;
use crate::notify;
use crate::notify::conf::MetaType;
use crate::notify::url::Url;
use crate::notify::{CallbackLine, EventKind, LineIndex};

/// Push lines of a publisher.
pub struct Pushes {
    view: AppView,
    /// Number of codec headers that trigger `on_meta`.
    fired: watch::Sender<u64>,
    /// Task that follows reloads and starts lines.
    keeper: AbortHandle,
}

/// A line with its task.
struct RunningLine {
    line: PushLine,
    /// Address of the callback when the task began.
    url: Option<Url>,
    task: AbortHandle,
    /// Set when the task panicked, or its worker died.
    died: Arc<AtomicBool>,
}

impl Pushes {
    /// Starts the lines of an admitted publisher.
    pub fn start(relays: &Arc<Relays>, publisher: OnStream<'_>) -> Self {
        let OnStream { view, session: publisher, stream } = publisher;
        let push = Push {
            relays: relays.clone(),
            view: view.clone(),
            publisher: publisher.clone(),
            stream: stream.clone(),
            complaints: Arc::default(),
        };
        let fired = watch::Sender::new(0);
        let keeper = tokio::spawn(keep(push, fired.subscribe())).abort_handle();
        Pushes { view: view.clone(), fired, keeper }
    }
}

impl PublishObserver for Pushes {
    /// Reports relevant codec headers to the `on_meta` callbacks.
    fn batch_ingested(&mut self, summary: BatchSummary) {
        if summary.audio_headers + summary.video_headers == 0 {
            return;
        }
        let application = self.view.current();
        let hooks = application.get::<notify::conf::Current>();
        let wanted = match hooks.on_meta_type {
            MetaType::Video => summary.video_headers,
            MetaType::Audio => summary.audio_headers,
            MetaType::Both => summary.video_headers + summary.audio_headers,
        };
        self.fired.send_if_modified(|fired| {
            let more = match hooks.on_meta_once {
                true if *fired > 0 => 0,
                true => wanted.min(1),
                false => wanted,
            };
            *fired += more as u64;
            more > 0
        });
    }
}

impl Drop for Pushes {
    fn drop(&mut self) {
        // The lines end with the publisher, which they watch.
        self.keeper.abort();
    }
}

/// Starts the application's lines, then follows reloads.
async fn keep(push: Push, fired: watch::Receiver<u64>) {
    let mut changed = push.relays.store.watch();
    let mut running: Vec<RunningLine> = Vec::new();
    loop {
        let death = push.relays.lifetime.deaths.follow();
        running.retain(|line| !line.died.load(Ordering::Acquire));
        let application = push.view.current();
        let kept = retain(&mut running, &application);
        for index in indexes(application.get()).filter(|index| !kept.contains(index)) {
            let Some(line) = CallbackLine::new(index, application.get()) else { continue };
            let url = index.hook(application.get()).map(|hook| hook.url.clone());
            running.push(start(&push, PushLine::Asked(Arc::new(line)), url, &fired));
        }
        for relay in &application.get::<Current>().push {
            let is_running =
                |other: &RunningLine| matches!(&other.line, PushLine::Fixed(other) if other == relay);
            if !running.iter().any(is_running) {
                running.push(start(&push, PushLine::Fixed(relay.clone()), None, &fired));
            }
        }
        tokio::select! {
            more = changed.changed() => if more.is_err() { return },
            () = death => {}
        }
    }
}

/// Ends removed lines, and returns the indices of the callback lines that continue.
fn retain(running: &mut Vec<RunningLine>, application: &Application) -> Vec<LineIndex> {
    let hooks = application.get::<notify::conf::Current>();
    let mut kept = Vec::new();
    running.retain(|RunningLine { line, url, task, .. }| {
        let index = match line {
            PushLine::Fixed(relay) if application.get::<Current>().push.contains(relay) => return true,
            PushLine::Fixed(_) => None,
            PushLine::Asked(line) => {
                line.index(hooks).filter(|index| indexes(hooks).any(|other| other == *index))
            }
        };
        let Some(index) = index else {
            task.abort();
            return false;
        };
        // If a callback wanted no relay, another callback address may.
        if task.is_finished() && index.hook(hooks).map(|hook| &hook.url) != url.as_ref() {
            return false;
        }
        kept.push(index);
        true
    });
    kept
}

/// The callback lines in force. `on_push` and `on_meta` exclude each other.
fn indexes(hooks: &notify::conf::Current) -> impl Iterator<Item = LineIndex> {
    let event = if hooks.on_push.is_empty() { EventKind::Meta } else { EventKind::Push };
    LineIndex::all(event, hooks)
}

fn start(push: &Push, line: PushLine, url: Option<Url>, fired: &watch::Receiver<u64>) -> RunningLine {
    let worker = push.relays.workers.next();
    let headers = PendingHeaders::new(&push.publisher, fired);
    let unfinished = push.relays.lifetime.unfinished.token();
    let runtime = worker.runtime.clone();
    let (alive, died) = push.relays.lifetime.deaths.watch();
    let (push, own) = (Push { complaints: Arc::default(), ..push.clone() }, line.clone());
    let task = runtime.spawn(async move {
        let _unfinished = unfinished;
        push.run(own, headers, worker).await;
        alive.ended();
    });
    RunningLine { line, url, task: task.abort_handle(), died }
}
