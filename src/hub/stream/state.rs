//! State of a stream under its lock.

use std::sync::Arc;
use std::time::Duration;

use super::input::{Incoming, PublishSettings};
use crate::hub::counters::MediaTimes;
use crate::hub::gop::Ring;
use crate::hub::headers::Headers;
use crate::hub::packet::{Lane, Packet, PacketClass};
use crate::hub::timeline::Timeline;
use crate::wire::MediaKind;

/// State under the lock.
pub(super) struct StreamState {
    pub(super) publisher: Option<u64>,
    pub(super) settings: PublishSettings,
    /// Publisher that takes over when the current one, a relay, ends.
    pub(super) standby: Option<(u64, PublishSettings)>,
    pub(super) timeline: Timeline,
    pub(super) ring: Ring,
    pub(super) headers: Headers,
    /// Further tracks of this publisher, in the order of their first frames.
    pub(super) further: Vec<(MediaKind, u8)>,
    /// Whether a header of this publisher exceeded a limit; see [`super::Stream::take_left_out`].
    pub(super) left_out: bool,
    /// Whether the publisher has sent media.
    pub(super) flows: bool,
    /// Newest timestamps of this publisher.
    pub(super) times: MediaTimes,
    pub(super) workers: Vec<AttachedWorker>,
    /// Number of packets dropped from the ring before a worker fetched them.
    pub(super) lost_total: u64,
}

/// Receives notice that a stream has new packets. Called outside the stream's lock, at most once per batch and worker.
pub trait StreamWaker: Send + Sync {
    /// `stream` is [`Stream::id`](super::Stream::id).
    fn wake(&self, stream: u64);
}

/// An attached delivery worker.
pub(super) struct AttachedWorker {
    pub(super) wake: Arc<dyn StreamWaker>,
    pub(super) worker: usize,
    pub(super) fetched: u64,
    /// See [`super::Stream::set_patience`].
    pub(super) patience: Duration,
    /// Whether it was woken and has not fetched yet.
    pub(super) woken: bool,
}

impl std::fmt::Debug for StreamState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("publisher", &self.publisher).finish_non_exhaustive()
    }
}

impl StreamState {
    pub(super) fn begin(&mut self, publisher: u64, settings: PublishSettings) {
        self.publisher = Some(publisher);
        self.settings = settings;
        self.timeline.start_publisher();
        self.ring.start_publisher(settings.cache);
        self.headers = Headers::default();
        self.further.clear();
        self.left_out = false;
        self.flows = false;
        self.times = MediaTimes::default();
    }

    /// Adds a packet. Returns whether it is media that can start a waiting player.
    pub(super) fn add(&mut self, incoming: Incoming, chunk_size: usize) -> bool {
        let Incoming { kind, class, timestamp, further_track, payload } = incoming;
        let is_frame = matches!(class, PacketClass::Audio | PacketClass::Key | PacketClass::Inter);
        let lane = match further_track {
            Some(track) if is_frame => self.further_lane(kind, track),
            _ => Lane::main(kind),
        };
        // Metadata and codec headers often have timestamp 0, even in mid-stream, so only frames move the timeline.
        let (timestamp, delta) = match lane.place() {
            Some(at) => self.timeline.place_beside(kind, at, timestamp),
            None if is_frame => self.timeline.place(kind, timestamp, self.settings.fix_timestamp),
            None if class == PacketClass::Other => (self.timeline.place_message(timestamp), 0),
            None => (self.timeline.newest_of(kind), 0),
        };
        let packet = Arc::new(Packet::new(kind, class, timestamp, delta, payload, chunk_size).in_lane(lane));
        if packet.header().is_some() {
            if self.headers.repeats(&packet) {
                return false;
            }
            self.left_out |= !self.headers.keep_packet(&packet);
        }
        if is_frame {
            self.times.note(&packet);
        }
        self.ring.push(packet);
        is_frame
    }

    fn further_lane(&mut self, kind: MediaKind, track: u8) -> Lane {
        let of_kind = self.further.iter().filter(|(of, _)| *of == kind);
        let at = match of_kind.clone().position(|(_, known)| *known == track) {
            Some(at) => at,
            None => {
                let at = of_kind.count();
                // Track ids have one byte, which bounds the list.
                self.further.push((kind, track));
                at
            }
        };
        Lane::further(kind, at)
    }

    pub(super) fn lowest_fetched(&self) -> u64 {
        self.workers.iter().map(|w| w.fetched).min().unwrap_or(u64::MAX)
    }
}
