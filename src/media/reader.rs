//! Subscription of a task to all packets of a stream, as delivery workers have it: for packagers, recorders, relays.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::hub::gop::StartSettings;
use crate::hub::packet::Packet;
use crate::hub::stream::{JoinedPlayer, Stream, StreamWaker};

/// First number of readers; delivery workers have much lower numbers.
const FIRST: usize = usize::MAX / 2;

/// A position in a stream's packets. The stream bounds the backlog; packets not fetched in time are lost.
pub struct PacketReader {
    stream: Arc<Stream>,
    id: usize,
    ready: Arc<ReaderQueue>,
    /// Number of the next packet.
    next: u64,
}

struct ReaderQueue(Notify);

impl StreamWaker for ReaderQueue {
    fn wake(&self, _: u64) {
        self.0.notify_one();
    }
}

impl PacketReader {
    /// Reads from now on.
    pub fn attach(stream: &Arc<Stream>) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(FIRST);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let ready = Arc::new(ReaderQueue(Notify::new()));
        let next = stream.attach(id, ready.clone());
        PacketReader { stream: stream.clone(), id, ready, next }
    }

    /// The stream.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Contents of the stream's cache: the headers in force, and packets from the oldest key frame to the first one to
    /// be fetched. Must be called before the first fetch.
    pub fn before(&self) -> JoinedPlayer {
        // Any time other than 0 requests the cache; `send_all` requests all of it.
        let start = StartSettings { cache_time: 1, send_all: true, low_latency: false };
        self.stream.join(start, self.next)
    }

    /// Number of the next packet.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Waits until there may be something to fetch.
    pub async fn ready(&self) {
        self.ready.0.notified().await;
    }

    /// Appends new packets. Returns the number of packets lost before them.
    pub fn fetch(&mut self, out: &mut Vec<Arc<Packet>>) -> u64 {
        let before = out.len();
        let start = self.stream.fetch(self.id, out);
        let lost = start.saturating_sub(self.next);
        self.next = start + (out.len() - before) as u64;
        lost
    }
}

impl Drop for PacketReader {
    fn drop(&mut self) {
        self.stream.detach(self.id);
    }
}
