//! Packets of one publish, for a task that writes them to files.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};

use super::reader::PacketReader;
use crate::hub::packet::Packet;
use crate::hub::stream::Stream;
use crate::limits;

/// The packets of a publish. If the disk is too slow, packets are dropped, so memory is bounded.
pub struct PublishPackets {
    reader: PacketReader,
    /// Number after the publisher's last packet, once it has left.
    stopped: oneshot::Receiver<u64>,
    batch: PacketBatch,
    bytes: usize,
}

/// Packets that arrived since the last call.
#[derive(Default)]
pub struct PacketBatch {
    /// Number of packets dropped before `packets`.
    pub lost: u64,
    /// Packets.
    pub packets: Vec<Arc<Packet>>,
    /// Whether no further packets will follow.
    pub ended: bool,
}

/// Dropping it ends the packets with those received so far.
pub struct PublishEnd {
    stream: Arc<Stream>,
    stop: Option<oneshot::Sender<u64>>,
}

impl PublishPackets {
    /// Packets of the publisher that has just taken `stream` and has sent nothing yet.
    pub fn of(stream: &Arc<Stream>) -> (Self, PublishEnd) {
        let (stop, stopped) = oneshot::channel();
        let reader = PacketReader::attach(stream);
        let packets = PublishPackets { reader, stopped, batch: PacketBatch::default(), bytes: 0 };
        (packets, PublishEnd { stream: stream.clone(), stop: Some(stop) })
    }

    /// Waits for packets or the end, and collects what arrives within `interval`.
    pub async fn next(&mut self, interval: Duration) -> PacketBatch {
        while self.batch.packets.is_empty() && !self.batch.ended {
            self.step().await;
        }
        let due = tokio::time::sleep(interval);
        tokio::pin!(due);
        while !self.batch.ended {
            tokio::select! {
                () = &mut due => break,
                () = self.step() => {}
            }
        }
        self.bytes = 0;
        let ended = self.batch.ended;
        std::mem::replace(&mut self.batch, PacketBatch { ended, ..PacketBatch::default() })
    }

    /// Waits for a blocking job; packets that arrive meanwhile are queued.
    ///
    /// # Errors
    ///
    /// The job panicked.
    pub async fn during<T>(&mut self, mut work: JoinHandle<T>) -> Result<T, JoinError> {
        while !self.batch.ended {
            tokio::select! {
                done = &mut work => return done,
                () = self.step() => {}
            }
        }
        work.await
    }

    /// Waits until something has changed; may be cancelled. Not to be called after the end.
    async fn step(&mut self) {
        tokio::select! {
            () = self.reader.ready() => self.fetch(None),
            end = &mut self.stopped => {
                self.fetch(end.ok());
                self.batch.ended = true;
            }
        }
    }

    fn fetch(&mut self, end: Option<u64>) {
        let PacketBatch { packets, lost, .. } = &mut self.batch;
        let before = packets.len();
        *lost += self.reader.fetch(packets);
        if let Some(end) = end {
            // Later packets belong to the next publisher.
            let beyond = usize::try_from(self.reader.next().saturating_sub(end)).unwrap_or(usize::MAX);
            packets.truncate(packets.len().saturating_sub(beyond));
        }
        self.bytes += packets.iter().skip(before).map(|packet| packet.payload().len()).sum::<usize>();
        if self.bytes > limits::PUBLISH_QUEUE_BYTES || packets.len() > limits::PUBLISH_QUEUE_PACKETS {
            // Codec headers count even then.
            *lost += packets.len() as u64;
            packets.retain(|packet| packet.header().is_some());
            *lost -= packets.len() as u64;
            self.bytes = packets.iter().map(|packet| packet.payload().len()).sum();
            if self.bytes > limits::PUBLISH_QUEUE_BYTES || packets.len() > limits::PUBLISH_QUEUE_PACKETS {
                *lost += packets.len() as u64;
                packets.clear();
                self.bytes = 0;
            }
        }
    }
}

impl Drop for PublishEnd {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(self.stream.end());
        }
    }
}
