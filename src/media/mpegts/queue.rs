//! Queue of pieces from the packaging task to a task that writes files.

use parking_lot::Mutex;

use tokio::sync::Notify;

use super::PieceObserver;
use crate::limits;
use crate::wire::mpegts::TsFrame;

/// Pieces of one publisher. If the disk is too slow, pieces are dropped, so memory is bounded.
#[derive(Default)]
pub struct FrameQueue {
    /// The publisher's epoch; pieces of other publishers are ignored.
    epoch: u64,
    state: Mutex<FrameBatch>,
    changed: Notify,
}

/// Pieces that arrived since the last call.
#[derive(Default)]
pub struct FrameBatch {
    /// Number of pieces dropped before `frames`.
    pub lost: u64,
    /// Pieces.
    pub frames: Vec<TsFrame>,
    /// Whether no further pieces will follow.
    pub ended: bool,
    bytes: usize,
}

impl FrameQueue {
    /// Queue for the publisher with this epoch.
    pub fn new(epoch: u64) -> Self {
        FrameQueue { epoch, ..FrameQueue::default() }
    }

    /// Waits for pieces or the end.
    pub async fn filled(&self) {
        self.until(|batch| !batch.frames.is_empty() || batch.ended).await;
    }

    /// Waits for the end.
    pub async fn ended(&self) {
        self.until(|batch| batch.ended).await;
    }

    /// Takes everything that has arrived.
    pub fn take(&self) -> FrameBatch {
        let mut batch = self.state.lock();
        let ended = batch.ended;
        std::mem::replace(&mut *batch, FrameBatch { ended, ..FrameBatch::default() })
    }

    async fn until(&self, reached: impl Fn(&FrameBatch) -> bool) {
        loop {
            let changed = self.changed.notified();
            if reached(&self.state.lock()) {
                return;
            }
            changed.await;
        }
    }
}

impl PieceObserver for FrameQueue {
    fn frame(&self, epoch: u64, frame: &TsFrame) {
        if epoch < self.epoch {
            return;
        }
        let mut batch = self.state.lock();
        if epoch > self.epoch || batch.ended {
            batch.ended = true;
        } else {
            if batch.bytes > limits::HLS_QUEUE_BYTES || batch.frames.len() >= limits::HLS_QUEUE_FRAMES {
                batch.lost += batch.frames.len() as u64;
                batch.bytes = 0;
                batch.frames.clear();
            }
            batch.bytes += frame.bytes.len();
            batch.frames.push(frame.clone());
        }
        drop(batch);
        self.changed.notify_one();
    }

    fn end(&self, epoch: u64) {
        if epoch >= self.epoch {
            self.state.lock().ended = true;
            self.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn frame(len: usize) -> TsFrame {
        TsFrame {
            bytes: Bytes::from(vec![0x47; len]),
            tables: Bytes::new(),
            starts_with_tables: true,
            dts_ms: 0,
            duration_ms: 0,
            video: true,
            key: true,
            program_change: false,
            messages: Vec::new(),
        }
    }

    #[test]
    fn a_publisher_before_ends_nothing_and_the_next_one_does() {
        let queue = FrameQueue::new(2);
        queue.frame(1, &frame(188));
        queue.end(1);
        queue.frame(2, &frame(188));
        let batch = queue.take();
        assert_eq!((batch.frames.len(), batch.ended), (1, false));
        queue.frame(3, &frame(188));
        let batch = queue.take();
        assert_eq!((batch.frames.len(), batch.ended), (0, true));
    }

    #[test]
    fn what_is_not_taken_is_lost_and_counted() {
        let queue = FrameQueue::new(1);
        for _ in 0..limits::HLS_QUEUE_FRAMES + 3 {
            queue.frame(1, &frame(188));
        }
        let batch = queue.take();
        assert_eq!((batch.lost, batch.frames.len()), (limits::HLS_QUEUE_FRAMES as u64, 3));
        assert_eq!(queue.take().lost, 0);
    }
}
