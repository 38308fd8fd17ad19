//! A named stream: its publisher, its packets and the delivery workers that fetch them.

mod input;
mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::counters::{MediaCounts, StreamCounters};
use super::gop::{CacheSettings, Continuation, Ring, StartSettings};
use super::headers::Headers;
use super::info::MediaInfo;
use super::packet::{Container, Packet};
use super::stream_key::StreamKey;
use super::timeline::Timeline;
use crate::limits;
pub use input::{Incoming, PublishSettings};
pub use state::StreamWaker;
use state::{AttachedWorker, StreamState};

/// State of the publisher, as players see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamPhase {
    /// Whether there is a publisher.
    pub publishing: bool,
    /// Whether it has sent media.
    pub flowing: bool,
    /// Number of publishers so far.
    pub epoch: u64,
}

/// Error: the stream already has a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// A named stream; see the module's documentation.
#[derive(Debug)]
pub struct Stream {
    id: u64,
    key: StreamKey,
    chunk_size: usize,
    state: Mutex<StreamState>,
    /// Changed under the lock of `state`, in the order of the events.
    phase: watch::Sender<StreamPhase>,
    /// Whether a publisher stands by; changed as `phase`.
    waited_for: watch::Sender<bool>,
    info: Mutex<MediaInfo>,
    counters: StreamCounters,
    /// See [`Stream::set_backlog`].
    backlog: Arc<AtomicUsize>,
    /// One bit for each container in which packets were requested; each is a copy in memory.
    containers: AtomicU8,
}

/// Start data of a joining player.
#[derive(Debug)]
pub struct JoinedPlayer {
    /// Number of the first packet to send.
    pub start: u64,
    /// Packets from `start` to the beginning of the worker's backlog.
    pub older: Vec<Arc<Packet>>,
    /// Headers to send first.
    pub headers: Headers,
}

/// A key frame in the cache.
#[derive(Clone, Debug)]
pub struct KeptKeyFrame {
    /// Its number among the stream's packets.
    pub number: u64,
    /// The frame.
    pub packet: Arc<Packet>,
    /// Headers in force.
    pub headers: Headers,
}

impl Stream {
    /// `chunk_size` is the RTMP chunk size for all players of the stream, in bytes.
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
            state: Mutex::new(StreamState {
                publisher: None,
                settings,
                standby: None,
                timeline: Timeline::default(),
                ring: Ring::new(settings.cache),
                headers: Headers::default(),
                further: Vec::new(),
                left_out: false,
                flows: false,
                times: Default::default(),
                workers: Vec::new(),
                lost_total: 0,
            }),
            phase: watch::Sender::new(StreamPhase::default()),
            waited_for: watch::Sender::new(false),
            info: Mutex::default(),
            counters: StreamCounters::default(),
            backlog: Arc::new(AtomicUsize::new(usize::MAX)),
            containers: AtomicU8::new(0),
        }
    }

    /// Creates a stream that repackages this one, with its own memory bound of the same size.
    pub fn derived(&self, id: u64) -> Self {
        let backlog = self.backlog.clone();
        Stream { backlog, ..Stream::new(id, self.key.clone(), self.chunk_size) }
    }

    /// Sets the maximum number of media bytes kept for players, framed copies included (`stream_backlog`).
    pub fn set_backlog(&self, bytes: usize) {
        self.backlog.store(bytes, Ordering::Relaxed);
    }

    /// See [`Stream::set_backlog`].
    pub fn backlog(&self) -> usize {
        self.backlog.load(Ordering::Relaxed)
    }

    /// Records that a player uses this container.
    pub fn uses(&self, container: Container) {
        // The raw payload is not a copy.
        if container != Container::Raw {
            self.containers.fetch_or(1 << container as u8, Ordering::Relaxed);
        }
    }

    /// Maximum number of payload bytes in the cache and in each backlog. All of them end with the newest packet and
    /// share packets, so this bounds their sum too.
    pub fn window(&self) -> usize {
        self.backlog() / self.copies()
    }

    /// Number of copies of a payload in memory: itself, and one per container in use.
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

    /// Watches publishers coming and going.
    pub fn watch(&self) -> watch::Receiver<StreamPhase> {
        self.phase.subscribe()
    }

    /// Watches whether a publisher stands by behind a relay.
    pub fn waited_for(&self) -> watch::Receiver<bool> {
        self.waited_for.subscribe()
    }

    /// Current state of the publisher.
    pub fn phase(&self) -> StreamPhase {
        *self.phase.borrow()
    }

    /// Makes session `publisher` the publisher. A relay without media so far yields to a publisher that is not a relay.
    ///
    /// # Errors
    ///
    /// Another session publishes the stream.
    pub fn start_publish(&self, publisher: u64, settings: PublishSettings) -> Result<(), Busy> {
        let mut state = self.state.lock();
        let gives_way = state.settings.relay && !state.flows && state.standby.is_none() && !settings.relay;
        if state.publisher.is_some() && !gives_way {
            return Err(Busy);
        }
        state.begin(publisher, settings);
        self.publisher_began();
        Ok(())
    }

    /// Makes session `publisher` the publisher, or the successor of the relay that publishes now. Returns whether it
    /// has to wait for that.
    ///
    /// Both cases are decided under one lock, because the relay may end at any moment.
    ///
    /// # Errors
    ///
    /// Another session publishes the stream or stands by for it.
    pub fn publish_or_stand_by(&self, publisher: u64, settings: PublishSettings) -> Result<bool, Busy> {
        let mut state = self.state.lock();
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

    /// Removes the publisher. Its cache no longer starts players.
    pub fn end_publish(&self, publisher: u64) {
        let mut state = self.state.lock();
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
        // Under the lock, so that this notice precedes that of the next publisher on another worker.
        self.phase.send_modify(|p| *p = StreamPhase { publishing: false, flowing: false, epoch: p.epoch });
    }

    fn publisher_began(&self) {
        self.phase.send_modify(|p| {
            *p = StreamPhase { publishing: true, flowing: false, epoch: p.epoch + 1 };
        });
    }

    /// Properties of the media.
    pub fn info(&self) -> MediaInfo {
        self.info.lock().clone()
    }

    /// Sets the properties of the media.
    pub fn set_info(&self, info: MediaInfo) {
        *self.info.lock() = info;
    }

    /// Counters of the media published here.
    pub fn counters(&self) -> &StreamCounters {
        &self.counters
    }

    /// Session number of the publisher.
    pub fn publisher(&self) -> Option<u64> {
        self.state.lock().publisher
    }

    /// Whether a publisher that is not a relay has the stream.
    pub fn is_published_here(&self) -> bool {
        let state = self.state.lock();
        state.publisher.is_some() && !state.settings.relay
    }

    /// Adds one batch from the publisher and wakes each worker once. Returns the smallest batching interval among the
    /// attached workers, zero if there are none: the publisher's next data is not needed before the next delivery time
    /// of that interval.
    ///
    /// A codec header equal to the one in force is dropped, because it would only make players reset their decoders.
    pub fn push(&self, publisher: u64, batch: impl IntoIterator<Item = Incoming>) -> Duration {
        let mut state = self.state.lock();
        if state.publisher != Some(publisher) {
            return Duration::ZERO;
        }
        let (mut flows, mut counts) = (false, MediaCounts::default());
        for incoming in batch {
            counts.count(incoming.kind, incoming.class, incoming.payload.len());
            flows |= state.add(incoming, self.chunk_size);
        }
        self.counters.add(counts, state.times);
        // Sent once per publisher and under the lock, so that the order of publishers is kept.
        if flows && !std::mem::replace(&mut state.flows, true) {
            self.phase.send_if_modified(|p| !std::mem::replace(&mut p.flowing, true));
        }
        let fetched = state.lowest_fetched();
        state.ring.prune(fetched, self.window());
        let mut wakes: [Option<Arc<dyn StreamWaker>>; 4] = Default::default();
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

    /// Attaches a worker. Its first fetch begins at the returned number.
    pub fn attach(&self, worker: usize, wake: Arc<dyn StreamWaker>) -> u64 {
        let mut state = self.state.lock();
        let end = state.ring.end();
        state.workers.push(AttachedWorker {
            wake,
            worker,
            fetched: end,
            patience: Duration::ZERO,
            woken: false,
        });
        end
    }

    /// Sets a worker's batching interval; zero, the initial value, means that it wants packets at once.
    pub fn set_patience(&self, worker: usize, patience: Duration) {
        let mut state = self.state.lock();
        for attached in state.workers.iter_mut().filter(|w| w.worker == worker) {
            attached.patience = patience;
        }
    }

    /// Detaches a worker.
    pub fn detach(&self, worker: usize) {
        self.state.lock().workers.retain(|w| w.worker != worker);
    }

    /// Appends a worker's new packets to `out` and returns the number of the first one.
    pub fn fetch(&self, worker: usize, out: &mut Vec<Arc<Packet>>) -> u64 {
        let mut state = self.state.lock();
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

    /// Chooses the start position of a player. `backlog_base` is the number where the worker's backlog begins.
    pub fn join(&self, start: StartSettings, backlog_base: u64) -> JoinedPlayer {
        let state = self.state.lock();
        let wanted = state.ring.start_for(start);
        let (first, packets) = state.ring.from(wanted);
        let older = packets.take(usize::try_from(backlog_base.saturating_sub(first)).unwrap_or(0));
        JoinedPlayer { start: first, older: older.cloned().collect(), headers: state.headers.clone() }
    }

    /// Where a player goes on that was sent the media up to and including the frames with these timestamps; see
    /// [`Ring::continuation`]. `None` if the cache does not have all that follows.
    pub fn continuation(&self, video: Option<u32>, audio: Option<u32>) -> Option<Continuation> {
        self.state.lock().ring.continuation(video, audio)
    }

    /// Where a player goes on behind a gap, with a timestamp of about then: with the oldest key frame behind timestamp
    /// `after`, otherwise with the next packet.
    pub fn behind_gap(&self, after: Option<u32>) -> (Continuation, u32) {
        let state = self.state.lock();
        let first = after.map_or(state.ring.end(), |after| state.ring.key_behind(after));
        let (_, mut packets) = state.ring.from(first);
        let timestamp = packets.find(|packet| packet.header().is_none()).map(|packet| packet.timestamp());
        let at = timestamp.unwrap_or(state.times.audio.max(state.times.video));
        (Continuation::all(first), at)
    }

    /// As [`continuation`](Self::continuation), of a stream of pieces, for a player that was sent all up to and including the piece
    /// that `is_last` recognises.
    pub fn behind_piece(&self, is_last: impl Fn(&[u8]) -> bool) -> Option<Continuation> {
        self.state.lock().ring.behind_piece(is_last).map(Continuation::all)
    }

    /// As [`behind_gap`](Self::behind_gap), of a stream of pieces, with at most [`limits::GAP_PIECES`] pieces from there on; see
    /// [`Ring::key_piece`].
    pub fn behind_piece_gap(&self, is_last: impl Fn(&[u8]) -> bool) -> (Continuation, Vec<Bytes>) {
        let state = self.state.lock();
        let first = state.ring.key_piece(is_last);
        let pieces = state.ring.from(first).1.take(limits::GAP_PIECES);
        (Continuation::all(first), pieces.map(|packet| packet.payload().clone()).collect())
    }

    /// Lets a player go on at `at`; the first packet is a later one if the cache has lost that one meanwhile.
    pub fn join_at(&self, at: Continuation, backlog_base: u64) -> JoinedPlayer {
        let state = self.state.lock();
        let (first, packets) = state.ring.from(at.first());
        let older = packets.take(usize::try_from(backlog_base.saturating_sub(first)).unwrap_or(0));
        JoinedPlayer { start: first, older: older.cloned().collect(), headers: state.headers.clone() }
    }

    /// The newest key frame in the cache, with the headers in force. No header came after it: headers empty the list of key
    /// frames. Without a cache there is one from the next key frame after the first call on, until
    /// [`crate::limits::KEY_FRAMES_FOR_PICTURES`] have come without another call.
    pub fn newest_key_frame(&self) -> Option<KeptKeyFrame> {
        let mut state = self.state.lock();
        let (number, packet) = state.ring.newest_key()?;
        Some(KeptKeyFrame { number, packet: packet.clone(), headers: state.headers.clone() })
    }

    /// Number after the newest packet.
    pub fn end(&self) -> u64 {
        self.state.lock().ring.end()
    }

    /// Number of jumps of publishers' timestamps that were flattened.
    pub fn jumps(&self) -> u64 {
        self.state.lock().timeline.jumps()
    }

    /// The headers in force.
    pub fn headers(&self) -> Headers {
        self.state.lock().headers.clone()
    }

    /// Whether a header exceeded a limit and was not kept for late players since the last call.
    pub fn take_left_out(&self) -> bool {
        std::mem::take(&mut self.state.lock().left_out)
    }

    /// Number of packets dropped from the ring before a worker fetched them.
    pub fn lost_total(&self) -> u64 {
        self.state.lock().lost_total
    }
}

#[cfg(test)]
mod tests;
