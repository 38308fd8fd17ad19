//! A named stream: its publisher, its packets and the delivery workers that fetch them.

mod state;

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use super::gop::{CacheSettings, Ring, StartSettings};
use super::headers::Headers;
use super::info::MediaInfo;
use super::packet::{Class, Container, Packet};
use super::registry::StreamKey;
use super::timeline::Timeline;
use crate::wire::MediaKind;
use state::{Attached, State};

/// Told that a stream has something to fetch. Called outside the stream's lock, at most once per batch and
/// worker.
pub trait Wake: Send + Sync {
    /// `stream` is [`Stream::id`].
    fn wake(&self, stream: u64);
}

/// A media message on its way into the stream.
#[derive(Debug)]
pub struct Incoming {
    /// Audio, video or data.
    pub kind: MediaKind,
    /// What it means to subscribers.
    pub class: Class,
    /// The publisher's timestamp in milliseconds.
    pub timestamp: u32,
    /// Its track, if that is not the main one of its kind.
    pub beside: Option<u8>,
    /// FLV tag body.
    pub payload: Bytes,
}

/// Whether somebody publishes, as players watch it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phase {
    /// A publisher is there.
    pub publishing: bool,
    /// It has sent media.
    pub flowing: bool,
    /// Counts publishers.
    pub epoch: u64,
}

/// What a publisher brings to its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishSettings {
    /// GOP cache.
    pub cache: CacheSettings,
    /// Forward jumps above this many milliseconds are flattened; 0 keeps them.
    pub fix_timestamp: u32,
    /// It is a relay from another server: somebody who publishes here may stand by behind it.
    pub relay: bool,
}

/// Somebody else publishes already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// See the module's documentation.
#[derive(Debug)]
pub struct Stream {
    id: u64,
    key: StreamKey,
    chunk_size: usize,
    state: Mutex<State>,
    /// Changed under the lock of `state`, in the order of what it tells of.
    phase: watch::Sender<Phase>,
    /// Whether a publisher stands by; as `phase`.
    waited_for: watch::Sender<bool>,
    info: Mutex<MediaInfo>,
    /// See [`Stream::set_backlog`].
    backlog: Arc<AtomicUsize>,
    /// Containers that its packets were asked for in, a bit each: each is a copy.
    containers: AtomicU8,
}

/// What a joining player is given.
#[derive(Debug)]
pub struct Joined {
    /// Number of the first packet to send.
    pub start: u64,
    /// Packets from `start` up to where the worker's backlog begins.
    pub older: Vec<Arc<Packet>>,
    /// Headers to send before.
    pub headers: Headers,
}

impl Stream {
    /// `chunk_size` is the RTMP chunk size that all players of the stream are served with, in bytes.
    pub fn new(id: u64, key: StreamKey, chunk_size: usize) -> Self {
        let settings = PublishSettings {
            cache: CacheSettings { cache_time: 0, out_queue: 1 },
            fix_timestamp: 0,
            relay: false,
        };
        Stream {
            id,
            key,
            chunk_size,
            state: Mutex::new(State {
                publisher: None,
                settings,
                standby: None,
                timeline: Timeline::default(),
                ring: Ring::new(settings.cache),
                headers: Headers::default(),
                further: Vec::new(),
                left_out: false,
                flows: false,
                workers: Vec::new(),
                lost_total: 0,
            }),
            phase: watch::Sender::new(Phase::default()),
            waited_for: watch::Sender::new(false),
            info: Mutex::default(),
            backlog: Arc::new(AtomicUsize::new(usize::MAX)),
            containers: AtomicU8::new(0),
        }
    }

    /// A stream that is made of this one: it may keep as many bytes again.
    pub fn derived(&self, id: u64) -> Self {
        let backlog = self.backlog.clone();
        Stream { backlog, ..Stream::new(id, self.key.clone(), self.chunk_size) }
    }

    /// Most bytes of media that the stream keeps for its players, framed copies included (`stream_backlog`).
    pub fn set_backlog(&self, bytes: usize) {
        self.backlog.store(bytes, Ordering::Relaxed);
    }

    /// See [`Stream::set_backlog`].
    pub fn backlog(&self) -> usize {
        self.backlog.load(Ordering::Relaxed)
    }

    /// A player has come that wants this container.
    pub fn uses(&self, container: Container) {
        // The payload itself is no copy.
        if container != Container::Raw {
            self.containers.fetch_or(1 << container as u8, Ordering::Relaxed);
        }
    }

    /// Most payload bytes that its cache and each backlog hold. All of them end with the newest packet and share what they
    /// hold, so that this bounds their sum too.
    pub fn window(&self) -> usize {
        self.backlog() / self.copies()
    }

    /// How often a payload is in memory: once by itself, and once for each container that its players want.
    pub fn copies(&self) -> usize {
        1 + self.containers.load(Ordering::Relaxed).count_ones() as usize
    }

    /// Process-wide number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Server, application and name.
    pub fn key(&self) -> &StreamKey {
        &self.key
    }

    /// RTMP chunk size of the shared bytes.
    pub fn chunk_size(&self) -> usize {
        self.chunk_size
    }

    /// Follows publishers coming and going.
    pub fn watch(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Follows whether a publisher stands by behind the relay that publishes.
    pub fn waited_for(&self) -> watch::Receiver<bool> {
        self.waited_for.subscribe()
    }

    /// Whether somebody publishes.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Makes session `publisher` the publisher. A relay that has brought no media gives way to what is none.
    pub fn start_publish(&self, publisher: u64, settings: PublishSettings) -> Result<(), Busy> {
        let mut state = self.lock();
        let gives_way = state.settings.relay && !state.flows && state.standby.is_none() && !settings.relay;
        if state.publisher.is_some() && !gives_way {
            return Err(Busy);
        }
        state.begin(publisher, settings);
        self.publisher_began();
        Ok(())
    }

    /// Makes session `publisher` the publisher, or the next one once the relay that publishes now has ended. Returns whether
    /// it has to wait for that.
    ///
    /// One look for both: the relay may end at any moment.
    pub fn publish_or_stand_by(&self, publisher: u64, settings: PublishSettings) -> Result<bool, Busy> {
        let mut state = self.lock();
        if state.publisher.is_none() {
            state.begin(publisher, settings);
            self.publisher_began();
            return Ok(false);
        }
        if !state.settings.relay || state.standby.is_some() {
            return Err(Busy);
        }
        state.standby = Some((publisher, settings));
        self.waited_for.send_replace(true);
        Ok(true)
    }

    /// The publisher is gone. Its cache can start no more players.
    pub fn end_publish(&self, publisher: u64) {
        let mut state = self.lock();
        if state.standby.is_some_and(|(standby, _)| standby == publisher) {
            state.standby = None;
            self.waited_for.send_replace(false);
        }
        if state.publisher != Some(publisher) {
            return;
        }
        if let Some((next, settings)) = state.standby.take() {
            self.waited_for.send_replace(false);
            state.begin(next, settings);
            self.publisher_began();
            return;
        }
        state.publisher = None;
        let cache = CacheSettings { cache_time: 0, ..state.settings.cache };
        state.ring.start_publisher(cache);
        let fetched = state.lowest_fetched();
        state.ring.prune(fetched, self.window());
        // Under the lock: the next publisher, on another worker, must not be told of before this.
        self.phase.send_modify(|p| *p = Phase { publishing: false, flowing: false, epoch: p.epoch });
    }

    fn publisher_began(&self) {
        self.phase.send_modify(|p| {
            *p = Phase { publishing: true, flowing: false, epoch: p.epoch + 1 };
        });
    }

    /// What is known of the media.
    pub fn info(&self) -> MediaInfo {
        self.info.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// What the publisher has told of its media.
    pub fn set_info(&self, info: MediaInfo) {
        *self.info.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = info;
    }

    /// Session number of the publisher.
    pub fn publisher(&self) -> Option<u64> {
        self.lock().publisher
    }

    /// Whether a publisher has it that is no relay.
    pub fn is_published_here(&self) -> bool {
        let state = self.lock();
        state.publisher.is_some() && !state.settings.relay
    }

    /// Adds one batch from the publisher and wakes each worker once. Returns the patience of the least patient one, zero
    /// if there is none: what comes next is wanted no sooner than at the next moment of that distance.
    ///
    /// A codec header equal to the one in force is dropped: it would only force players to reset decoders.
    pub fn push(&self, publisher: u64, batch: impl IntoIterator<Item = Incoming>) -> Duration {
        let mut state = self.lock();
        if state.publisher != Some(publisher) {
            return Duration::ZERO;
        }
        let mut flows = false;
        for incoming in batch {
            flows |= state.add(incoming, self.chunk_size);
        }
        // Said once per publisher, and under the lock: in the order of publishers.
        if flows && !std::mem::replace(&mut state.flows, true) {
            self.phase.send_if_modified(|p| !std::mem::replace(&mut p.flowing, true));
        }
        let fetched = state.lowest_fetched();
        state.ring.prune(fetched, self.window());
        let mut wakes: [Option<Arc<dyn Wake>>; 4] = Default::default();
        let mut more = Vec::new();
        let patience = state.workers.iter().map(|w| w.patience).min().unwrap_or_default();
        for (n, attached) in state.workers.iter_mut().filter(|w| !w.woken).enumerate() {
            attached.woken = true;
            match wakes.get_mut(n) {
                Some(slot) => *slot = Some(attached.wake.clone()),
                None => more.push(attached.wake.clone()),
            }
        }
        drop(state);
        for wake in wakes.into_iter().flatten().chain(more) {
            wake.wake(self.id);
        }
        patience
    }

    /// Starts serving a worker. Its first fetch begins at the returned number.
    pub fn attach(&self, worker: usize, wake: Arc<dyn Wake>) -> u64 {
        let mut state = self.lock();
        let end = state.ring.end();
        state.workers.push(Attached { wake, worker, fetched: end, patience: Duration::ZERO, woken: false });
        end
    }

    /// How far apart the moments are at which a worker wants what has come; zero, as after [`Stream::attach`], at once.
    pub fn set_patience(&self, worker: usize, patience: Duration) {
        let mut state = self.lock();
        for attached in state.workers.iter_mut().filter(|w| w.worker == worker) {
            attached.patience = patience;
        }
    }

    /// Stops serving a worker.
    pub fn detach(&self, worker: usize) {
        self.lock().workers.retain(|w| w.worker != worker);
    }

    /// Moves what is new for a worker into `out` and returns the number of its first packet.
    pub fn fetch(&self, worker: usize, out: &mut Vec<Arc<Packet>>) -> u64 {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(attached) = state.workers.iter_mut().find(|w| w.worker == worker) else { return 0 };
        let (start, packets) = state.ring.from(attached.fetched);
        out.extend(packets.cloned());
        state.lost_total += start - attached.fetched;
        attached.fetched = state.ring.end();
        attached.woken = false;
        let fetched = state.lowest_fetched();
        state.ring.prune(fetched, self.window());
        start
    }

    /// Chooses where a player starts. `backlog_base` is the number where the worker's backlog begins.
    pub fn join(&self, start: StartSettings, backlog_base: u64) -> Joined {
        let state = self.lock();
        let wanted = state.ring.start_for(start);
        let (first, packets) = state.ring.from(wanted);
        let older = packets.take(usize::try_from(backlog_base.saturating_sub(first)).unwrap_or(0));
        Joined { start: first, older: older.cloned().collect(), headers: state.headers.clone() }
    }

    /// Number that follows the newest packet.
    pub fn end(&self) -> u64 {
        self.lock().ring.end()
    }

    /// The headers in force.
    pub fn headers(&self) -> Headers {
        self.lock().headers.clone()
    }

    /// Whether a header was not kept for late players since the last call: it was one too many, or too long.
    pub fn take_left_out(&self) -> bool {
        std::mem::take(&mut self.lock().left_out)
    }

    /// Packets that left the ring before a worker fetched them.
    pub fn lost_total(&self) -> u64 {
        self.lock().lost_total
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held would have left a half-added batch at worst; serving goes on.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests;
