//! The lines that a publisher is pushed by, each with a task of its own, through reloads.
//!
//! A line that a reload changes keeps its task, and with it its relay. One that is added starts, one that is removed ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::conf::Current;
use super::push::Push;
use super::target::Relay;
use crate::config::model::Application;
use crate::media::extension::{OnStream, PublishObserver};
use crate::media::ingest::Brought;
use crate::media::session::Session;
use crate::media::view::AppView;
use crate::module::relay::log;
use crate::module::relay::relays::Relays;
use crate::notify;
use crate::notify::conf::MetaType;
use crate::notify::url::Url;
use crate::notify::{CallbackLine, EventKind, LineIndex};

/// What a publisher is pushed by.
pub struct Pushes {
    view: AppView,
    /// Codec headers that fire `on_meta`, counted.
    fired: watch::Sender<u64>,
    /// Follows reloads, and starts what is to be started.
    keeper: AbortHandle,
}

/// One line.
#[derive(Clone)]
pub(super) enum Line {
    /// A callback says where to.
    Asked(Arc<CallbackLine>),
    /// `push`.
    Fixed(Relay),
}

/// A line with its task.
struct Running {
    line: Line,
    /// The address that a callback was asked at when the task began.
    url: Option<Url>,
    task: AbortHandle,
    /// By a panic, or with its worker.
    died: Arc<AtomicBool>,
}

impl Pushes {
    /// A publisher has been let in.
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
    /// Codec headers that count are told to the `on_meta` callbacks.
    fn brought(&mut self, brought: Brought) {
        if brought.audio_headers + brought.video_headers == 0 {
            return;
        }
        let application = self.view.current();
        let hooks = application.get::<notify::conf::Current>();
        let wanted = match hooks.on_meta_type {
            MetaType::Video => brought.video_headers,
            MetaType::Audio => brought.audio_headers,
            MetaType::Both => brought.video_headers + brought.audio_headers,
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
        // The lines end by themselves: they watch the publisher.
        self.keeper.abort();
    }
}

/// Starts the application's lines, then follows reloads.
async fn keep(push: Push, fired: watch::Receiver<u64>) {
    let mut changed = push.relays.store.watch();
    let mut running: Vec<Running> = Vec::new();
    loop {
        let death = push.relays.lifetime.deaths.follow();
        running.retain(|line| !line.died.load(Ordering::Acquire));
        let application = push.view.current();
        let kept = retain(&mut running, &application);
        for index in indexes(application.get()).filter(|index| !kept.contains(index)) {
            let Some(line) = CallbackLine::new(index, application.get()) else { continue };
            let url = index.hook(application.get()).map(|hook| hook.url.clone());
            running.push(start(&push, Line::Asked(Arc::new(line)), url, &fired));
        }
        for relay in &application.get::<Current>().push {
            let is_running = |other: &Running| matches!(&other.line, Line::Fixed(other) if other == relay);
            if !running.iter().any(is_running) {
                running.push(start(&push, Line::Fixed(relay.clone()), None, &fired));
            }
        }
        tokio::select! {
            more = changed.changed() => if more.is_err() { return },
            () = death => {}
        }
    }
}

/// Ends the lines that are no longer there, and returns where the callback lines stand that go on.
fn retain(running: &mut Vec<Running>, application: &Application) -> Vec<LineIndex> {
    let hooks = application.get::<notify::conf::Current>();
    let mut kept = Vec::new();
    running.retain(|Running { line, url, task, .. }| {
        let index = match line {
            Line::Fixed(relay) if application.get::<Current>().push.contains(relay) => return true,
            Line::Fixed(_) => None,
            Line::Asked(line) => {
                line.index(hooks).filter(|index| indexes(hooks).any(|other| other == *index))
            }
        };
        let Some(index) = index else {
            task.abort();
            return false;
        };
        // What an address wanted no relay for, another address may.
        if task.is_finished() && index.hook(hooks).map(|hook| &hook.url) != url.as_ref() {
            return false;
        }
        kept.push(index);
        true
    });
    kept
}

/// The callback lines in force. Push and meta exclude each other (second seed).
fn indexes(hooks: &notify::conf::Current) -> impl Iterator<Item = LineIndex> {
    let event = if hooks.on_push.is_empty() { EventKind::Meta } else { EventKind::Push };
    LineIndex::all(event, hooks)
}

fn start(push: &Push, line: Line, url: Option<Url>, fired: &watch::Receiver<u64>) -> Running {
    let worker = push.relays.workers.next();
    let headers = Headers::new(&push.publisher, fired);
    let unfinished = push.relays.lifetime.unfinished.token();
    let runtime = worker.runtime.clone();
    let (alive, died) = push.relays.lifetime.deaths.watch();
    let (push, own) = (Push { complaints: Arc::default(), ..push.clone() }, line.clone());
    let task = runtime.spawn(async move {
        let _unfinished = unfinished;
        push.run(own, headers, worker).await;
        alive.ended();
    });
    Running { line, url, task: task.abort_handle(), died }
}

/// The codec headers that an `on_meta` line has to tell of. Those that come while it waits for an answer are told by one
/// request: how many callbacks a publisher can cause is bounded by how fast they are answered.
pub(super) struct Headers {
    session: Arc<Session>,
    fired: watch::Receiver<u64>,
    told: u64,
    /// Whether a request was made and nothing was waited for since.
    busy: bool,
    /// Those that got no request of their own.
    together: u64,
}

impl Headers {
    /// A line that is added to a running stream is told of the newest header alone.
    fn new(session: &Arc<Session>, fired: &watch::Receiver<u64>) -> Headers {
        let told = fired.borrow().saturating_sub(1);
        Headers { session: session.clone(), fired: fired.clone(), told, busy: false, together: 0 }
    }

    /// Waits for what the next request tells of. Never ends once nothing can come.
    pub(super) async fn next(&mut self) {
        let told = self.told;
        if *self.fired.borrow_and_update() == told {
            if self.fired.wait_for(|fired| *fired > told).await.is_err() {
                std::future::pending::<()>().await;
            }
            self.busy = false;
        }
        let waiting = *self.fired.borrow() - told;
        let taken = if self.busy { waiting } else { 1 };
        self.together += taken - 1;
        self.told += taken;
        self.busy = true;
    }

    /// Whether a request was made.
    pub(super) fn has_asked(&self) -> bool {
        self.busy
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        if self.together > 0 {
            log::meta_coalesced(&self.session, self.together);
        }
    }
}
