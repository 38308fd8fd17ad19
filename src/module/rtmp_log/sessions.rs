//! Observes sessions and writes their lines: at the end of a connection, and periodically during a session.
//!
//! A line at the end belongs to the connection: an RTMP client that has published or played several streams, or none, has
//! one, unless it has not connected to an application. Periodic lines come from a thread of their own, because they visit all sessions.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use super::access_log::{RtmpLog, RtmpLogs};
use super::format::LogVariable;
use super::line::ClientFacts;
use crate::config::Config;
use crate::config::store::Store;
use crate::limits;
use crate::log::sink::{SinkSpec, Sinks};
use crate::media::extension::{EndedClient, OnStream, Running, SessionObserver};
use crate::media::listing::Traffic;
use crate::media::session::{Protocol, Session};
use crate::media::view::AppView;
use crate::task::clock::unix_ms;

/// Writes the access logs of RTMP sessions. Cheap to clone.
#[derive(Clone)]
pub struct RtmpAccess(Arc<Inner>);

struct Inner {
    store: Arc<Store>,
    sinks: Sinks,
    /// Clients that play or publish, or have done so, by number of their connection.
    clients: Mutex<BTreeMap<u64, Client>>,
}

struct Client {
    view: AppView,
    /// The session while it lasts.
    session: Option<Arc<Session>>,
    /// The facts of ended sessions; those of a running one are read from it.
    facts: ClientFacts,
    /// Bytes sent to ended sessions of the connection.
    sent: u64,
    /// Bytes that `$bitrate` has accounted for, by log.
    accounted: Vec<(SinkSpec, u64)>,
}

/// A session that plays or publishes.
struct Watched {
    access: RtmpAccess,
    session: Arc<Session>,
}

impl RtmpAccess {
    /// Creates an observer without sessions.
    pub fn new(store: Arc<Store>, sinks: Sinks) -> RtmpAccess {
        RtmpAccess(Arc::new(Inner { store, sinks, clients: Mutex::default() }))
    }

    /// Starts the thread of the periodic lines. It ends with the last clone.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub fn start(&self) -> std::io::Result<()> {
        let inner = Arc::downgrade(&self.0);
        let thread = std::thread::Builder::new().name("rtmp log".into());
        thread.spawn(move || run(&inner)).map(drop)
    }
}

impl SessionObserver for RtmpAccess {
    fn entered(&self, on: OnStream<'_>) -> Option<Running> {
        let mut clients = self.0.clients.lock();
        let facts = ClientFacts::of(on.session);
        match clients.get_mut(&on.session.id) {
            // Another stream on the same connection.
            Some(client) => {
                let (published, played) = (client.facts.published, client.facts.played);
                client.facts = ClientFacts {
                    published: facts.published || published,
                    played: facts.played || played,
                    ..facts
                };
                client.session = Some(on.session.clone());
            }
            None => {
                let client = Client {
                    view: on.view.clone(),
                    session: Some(on.session.clone()),
                    facts,
                    sent: 0,
                    accounted: Vec::new(),
                };
                clients.insert(on.session.id, client);
            }
        }
        Some(Box::new(Watched { access: self.clone(), session: on.session.clone() }))
    }

    fn disconnected(&self, ended: EndedClient<'_>) {
        let client = self.0.clients.lock().remove(&ended.id);
        let mut client = client.unwrap_or_else(|| Client {
            view: ended.view.clone(),
            session: None,
            facts: ClientFacts {
                id: ended.id,
                addr: ended.peer.addr.clone(),
                identity: ended.identity.clone(),
                started: ended.started,
                published: false,
                played: false,
                traffic: Traffic::default(),
                audio: false,
                video: false,
            },
            sent: 0,
            accounted: Vec::new(),
        });
        client.freeze();
        let Traffic { received, sent } = ended.traffic;
        client.facts.traffic = Traffic { received, sent: sent + client.sent };
        let application = client.view.current();
        self.0.write(&mut client, application.get::<RtmpLogs>());
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut clients = self.access.0.clients.lock();
        if self.session.protocol == Protocol::Rtmp {
            if let Some(client) = clients.get_mut(&self.session.id) {
                client.freeze();
            }
            return;
        }
        let Some(mut client) = clients.remove(&self.session.id) else { return };
        drop(clients);
        client.freeze();
        let application = client.view.current();
        self.access.0.write(&mut client, application.get::<RtmpLogs>());
    }
}

impl Client {
    /// Takes over the facts of a session that has ended.
    fn freeze(&mut self) {
        let Some(session) = self.session.take() else { return };
        self.facts = self.facts_of(&session);
        self.sent += self.facts.traffic.sent;
    }

    fn facts_of(&self, session: &Session) -> ClientFacts {
        let now = ClientFacts::of(session);
        ClientFacts {
            published: now.published || self.facts.published,
            played: now.played || self.facts.played,
            ..now
        }
    }

    /// Bytes moved since the last line in this log.
    fn account(&mut self, log: &RtmpLog, facts: &ClientFacts) -> u64 {
        if !log.format.uses(&LogVariable::Bitrate) {
            return 0;
        }
        let moved = facts.moved();
        match self.accounted.iter_mut().find(|(sink, _)| *sink == log.sink) {
            // Another stream of the connection may count from zero again.
            Some((_, before)) => moved.saturating_sub(std::mem::replace(before, moved)),
            None => {
                self.accounted.push((log.sink.clone(), moved));
                moved
            }
        }
    }
}

impl Inner {
    /// Writes the last line of a client to all logs.
    fn write(&self, client: &mut Client, logs: &RtmpLogs) {
        let facts = client.facts.clone();
        for log in &logs.0 {
            let moved = client.account(log, &facts);
            self.sinks.get(&log.sink).line(facts.line(&log.format, moved));
        }
    }

    /// Writes a line of each session to the logs with one of these intervals.
    fn write_periodic(&self, due: &[u64]) {
        let mut after = Bound::Unbounded;
        loop {
            // A worker may be waiting for the lock.
            let mut clients = self.clients.lock();
            let range = clients.range_mut((after, Bound::Unbounded));
            let mut seen = 0;
            for (id, client) in range.take(limits::RTMP_LOG_TURN) {
                (after, seen) = (Bound::Excluded(*id), seen + 1);
                let Some(session) = client.session.clone() else { continue };
                let application = client.view.current();
                for log in &application.get::<RtmpLogs>().0 {
                    if log.trunc.is_some_and(|trunc| due.contains(&trunc.0)) {
                        let facts = client.facts_of(&session);
                        let moved = client.account(log, &facts);
                        self.sinks.get(&log.sink).line(facts.line(&log.format, moved));
                    }
                }
            }
            drop(clients);
            if seen < limits::RTMP_LOG_TURN {
                return;
            }
        }
    }
}

/// Writes periodic lines at the multiples of each interval on the clock.
fn run(inner: &Weak<Inner>) {
    let (mut generation, mut clock) = (None, TruncClock::default());
    loop {
        let Some(now) = inner.upgrade() else { return };
        if generation != Some(now.store.generation()) {
            generation = Some(now.store.generation());
            clock.set(intervals(&now.store.load()), unix_ms());
        }
        let due = clock.due(unix_ms());
        if !due.is_empty() {
            now.write_periodic(&due);
        }
        drop(now);
        std::thread::sleep(clock.wait(unix_ms()));
    }
}

/// The intervals that any log of a configuration has.
fn intervals(config: &Config) -> Vec<u64> {
    let servers = config.rtmp.iter().flat_map(|rtmp| &rtmp.servers);
    let mut intervals: Vec<u64> = servers
        .flat_map(|server| server.applications.iter())
        .flat_map(|application| &application.get::<RtmpLogs>().0)
        .filter_map(|log| log.trunc.map(|trunc| trunc.0))
        .collect();
    intervals.sort_unstable();
    intervals.dedup();
    intervals
}

/// Intervals in milliseconds, each with the number of its current period.
#[derive(Debug, Default)]
struct TruncClock(Vec<(u64, u64)>);

impl TruncClock {
    /// Sets the intervals; running ones go on.
    fn set(&mut self, intervals: Vec<u64>, now: u64) {
        let before = std::mem::take(&mut self.0);
        let period = |interval: u64| {
            before.iter().find(|(known, _)| *known == interval).map_or(now / interval, |(_, period)| *period)
        };
        self.0 = intervals.into_iter().map(|interval| (interval, period(interval))).collect();
    }

    /// The intervals that have begun a new period.
    fn due(&mut self, now: u64) -> Vec<u64> {
        let begun = self.0.iter_mut().filter_map(|(interval, period)| {
            let current = now / *interval;
            (current != std::mem::replace(period, current)).then_some(*interval)
        });
        begun.collect()
    }

    /// Time until the next period begins, at most [`limits::RTMP_LOG_LOOK`].
    fn wait(&self, now: u64) -> Duration {
        let next = self.0.iter().map(|(interval, _)| interval - now % interval).min();
        next.map_or(limits::RTMP_LOG_LOOK, |next| Duration::from_millis(next).min(limits::RTMP_LOG_LOOK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_at_multiples_of_the_interval() {
        let mut clock = TruncClock::default();
        assert_eq!((clock.due(5), clock.wait(5)), (vec![], limits::RTMP_LOG_LOOK));
        clock.set(vec![100, 250], 1_099);
        assert!(clock.due(1_099).is_empty());
        assert_eq!(clock.wait(1_099), Duration::from_millis(1));
        assert_eq!(clock.due(1_100), [100]);
        assert!(clock.due(1_150).is_empty());
        assert_eq!(clock.due(1_260), [100, 250]);
        // A change of the configuration begins no period anew.
        clock.set(vec![100], 1_390);
        assert_eq!(clock.due(1_390), [100]);
    }
}
