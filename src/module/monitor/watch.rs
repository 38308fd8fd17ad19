//! Watches publishers and players, and logs their stalls.
//!
//! A thread of its own visits all of them once per second, as the workers have no time for that.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::conf::Current;
use super::stalls::{Stall, Stalls};
use crate::limits;
use crate::log::level::LogLevel;
use crate::log::line;
use crate::log::shown::Shown;
use crate::log::sink::{SinkSpec, Sinks};
use crate::media::extension::{BatchSummary, OnStream, PublishObserver, Running, SessionObserver};
use crate::media::session::{Protocol, Session};
use crate::media::view::AppView;

/// Logs stalls (`buffered_log`).
pub struct Monitor(Arc<Inner>);

struct Inner {
    sinks: Sinks,
    /// Number of the latest session.
    latest: AtomicU64,
    watched: Mutex<BTreeMap<u64, Watched>>,
}

struct Watched {
    view: AppView,
    session: Arc<Session>,
    /// Frames that a publisher has sent; a player's are counted where they are sent.
    published: Option<Arc<AtomicU64>>,
    stalls: Stalls,
}

/// Ends the watching of a session when dropped.
struct Entry {
    inner: Arc<Inner>,
    number: u64,
    /// A publisher's.
    frames: Option<Arc<AtomicU64>>,
}

impl Monitor {
    /// Creates an observer without sessions, and starts its thread, which ends with it.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub fn start(sinks: Sinks) -> std::io::Result<Monitor> {
        let inner = Arc::new(Inner { sinks, latest: AtomicU64::default(), watched: Mutex::default() });
        let weak = Arc::downgrade(&inner);
        std::thread::Builder::new().name("monitor".into()).spawn(move || run(&weak))?;
        Ok(Monitor(inner))
    }

    fn watch(&self, on: OnStream<'_>, is_publisher: bool) -> Option<Entry> {
        if !matches!(on.session.protocol, Protocol::Rtmp | Protocol::HttpFlv) {
            return None;
        }
        let number = self.0.latest.fetch_add(1, Ordering::Relaxed);
        let frames: Option<Arc<AtomicU64>> = is_publisher.then(Arc::default);
        let watched = Watched {
            view: on.view.clone(),
            session: on.session.clone(),
            published: frames.clone(),
            stalls: Stalls::default(),
        };
        self.0.watched.lock().insert(number, watched);
        Some(Entry { inner: self.0.clone(), number, frames })
    }
}

impl SessionObserver for Monitor {
    fn playing(&self, on: OnStream<'_>) -> Option<Running> {
        self.watch(on, false).map(|entry| Box::new(entry) as Running)
    }

    fn publishing(self: Arc<Self>, on: OnStream<'_>) -> Option<Box<dyn PublishObserver>> {
        self.watch(on, true).map(|entry| Box::new(entry) as Box<dyn PublishObserver>)
    }
}

impl PublishObserver for Entry {
    fn batch_ingested(&mut self, summary: BatchSummary) {
        if summary.video_frames > 0
            && let Some(frames) = &self.frames
        {
            frames.fetch_add(summary.video_frames as u64, Ordering::Relaxed);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.inner.watched.lock().remove(&self.number);
    }
}

impl Inner {
    /// Looks at all sessions.
    fn look(&self) {
        let mut after = Bound::Unbounded;
        loop {
            // A worker may be waiting for the lock.
            let mut watched = self.watched.lock();
            let mut seen = 0;
            for (number, one) in watched.range_mut((after, Bound::Unbounded)).take(limits::MONITOR_TURN) {
                (after, seen) = (Bound::Excluded(*number), seen + 1);
                one.look(&self.sinks);
            }
            drop(watched);
            if seen < limits::MONITOR_TURN {
                return;
            }
        }
    }
}

impl Watched {
    fn look(&mut self, sinks: &Sinks) {
        let application = self.view.current();
        let Some(log) = &application.get::<Current>().buffered_log else {
            self.stalls = Stalls::default();
            return;
        };
        let frames = self.published.as_deref().unwrap_or(&self.session.link.frames_sent);
        let rate = self.session.stream_info().frame_rate;
        if let Some(stall) = self.stalls.second(frames.load(Ordering::Relaxed), rate)
            && LogLevel::Error <= log.level
        {
            let text = line(log.form, LogLevel::Error, &self.text(stall));
            sinks.get(&SinkSpec::of(log.target.clone())).error_line(log.form, LogLevel::Error, text);
        }
    }

    /// The original's line, with the number of the session instead of an address in memory.
    fn text(&self, Stall { stalls, seconds }: Stall) -> String {
        let Session { id, peer, identity, .. } = &*self.session;
        let role = if self.published.is_some() { "publisher" } else { "player" };
        let stream = [&identity.serverid[..], &identity.app, &identity.name].join(&b'/');
        let end = |addr: &str, port| match port {
            0 => addr.to_owned(),
            port => format!("{addr}:{port}"),
        };
        format!(
            "*{id} {role}, peer: {}, local: {}, stream: {}, buffered: {stalls}, time: {seconds}s",
            end(&peer.addr, peer.port),
            end(&peer.local_addr, peer.local_port),
            Shown::new(&stream)
        )
    }
}

fn run(inner: &Weak<Inner>) {
    loop {
        std::thread::sleep(limits::MONITOR_PERIOD);
        let Some(inner) = inner.upgrade() else { return };
        inner.look();
    }
}
