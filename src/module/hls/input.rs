//! What HLS files are made of: pieces of a transport stream, or packets that become samples of fragmented MP4.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};

use super::{SegmentFiles, Segmenter};
use crate::media::mpegts::queue::{FrameBatch, FrameQueue};
use crate::media::publish_packets::{PacketBatch, PublishPackets};
use crate::media::samples::{PublishSamples, SampleItem};
use crate::task::clock::unix_ms;

/// Interval at which collected media is written.
const WRITE_INTERVAL: Duration = Duration::from_millis(100);

/// Media of one publish.
pub(super) enum HlsInput {
    /// For segments of MPEG-TS: packaged once for all outputs.
    Pieces(Arc<FrameQueue>),
    /// For segments of fragmented MP4.
    Packets(PublishPackets),
}

/// Media that arrived since the last call.
pub(super) enum HlsBatch {
    Pieces(FrameBatch),
    Packets(PacketBatch),
}

impl HlsInput {
    /// Waits for media or the end, and collects what arrives within an interval.
    pub(super) async fn next(&mut self) -> HlsBatch {
        match self {
            HlsInput::Pieces(queue) => {
                queue.filled().await;
                tokio::select! {
                    () = tokio::time::sleep(WRITE_INTERVAL) => {}
                    () = queue.ended() => {}
                }
                HlsBatch::Pieces(queue.take())
            }
            HlsInput::Packets(packets) => HlsBatch::Packets(packets.next(WRITE_INTERVAL).await),
        }
    }

    /// Waits for a blocking job; media that arrives meanwhile is queued.
    ///
    /// # Errors
    ///
    /// The job panicked.
    pub(super) async fn during<T>(&mut self, work: JoinHandle<T>) -> Result<T, JoinError> {
        match self {
            HlsInput::Pieces(_) => work.await,
            HlsInput::Packets(packets) => packets.during(work).await,
        }
    }
}

impl HlsBatch {
    /// Number of pieces or packets that were lost before it.
    pub(super) fn lost(&self) -> u64 {
        match self {
            HlsBatch::Pieces(batch) => batch.lost,
            HlsBatch::Packets(batch) => batch.lost,
        }
    }

    /// Whether nothing follows.
    pub(super) fn ended(&self) -> bool {
        match self {
            HlsBatch::Pieces(batch) => batch.ended,
            HlsBatch::Packets(batch) => batch.ended,
        }
    }

    /// Writes it; `samples` makes the samples of the publish.
    pub(super) fn write(
        &self,
        samples: &mut PublishSamples,
        segmenter: &mut Segmenter,
        files: &mut impl SegmentFiles,
    ) {
        if self.lost() > 0 {
            segmenter.finish(files);
        }
        let unix_ms = unix_ms();
        match self {
            HlsBatch::Pieces(batch) => {
                batch.frames.iter().for_each(|frame| segmenter.handle_frame(frame, unix_ms, files));
            }
            HlsBatch::Packets(batch) => {
                batch.packets.iter().for_each(|packet| samples.push(packet));
                segmenter.learn_tracks(samples.packager());
                if batch.ended {
                    samples.finish();
                }
                for item in samples.take() {
                    match item {
                        SampleItem::Sample(sample) => segmenter.handle_sample(sample, unix_ms, files),
                        SampleItem::Event { time_ms, message } => segmenter.event(time_ms, &message),
                    }
                }
            }
        }
        if self.ended() {
            segmenter.end(files);
        }
    }
}
