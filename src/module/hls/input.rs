//! What HLS files are made of: pieces of a transport stream, or packets that become samples of fragmented MP4.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::{JoinError, JoinHandle};

use super::{SegmentFiles, Segmenter};
use crate::media::mpegts::queue::{FrameBatch, FrameQueue};
use crate::media::publish_packets::{PacketBatch, PublishPackets};
use crate::wire::MediaKind;
use crate::wire::fmp4::{Fmp4Error, Packager, Sample};

/// Interval at which collected media is written.
const WRITE_INTERVAL: Duration = Duration::from_millis(100);

/// Media of one publish.
pub(super) enum HlsInput {
    /// For segments of MPEG-TS: packaged once for all outputs.
    Pieces(Arc<FrameQueue>),
    /// For segments of fragmented MP4. The packager is away while a batch is written.
    Samples(PublishPackets, Option<Box<Packager>>),
}

/// Media that arrived since the last call.
pub(super) enum HlsBatch {
    Pieces(FrameBatch),
    Samples(PacketBatch, Box<Packager>),
}

/// What became of a batch.
#[derive(Default)]
pub(super) struct Written {
    /// Whether timestamps were corrected.
    pub(super) repaired: bool,
    /// First reason of each kind for leaving out media.
    pub(super) left_out: Vec<(MediaKind, Fmp4Error)>,
    packager: Option<Box<Packager>>,
}

impl HlsInput {
    /// Packets for fragmented MP4. The time line begins at the publisher's first timestamp.
    pub(super) fn samples(packets: PublishPackets, hevc_codec_id: u8) -> Self {
        HlsInput::Samples(packets, Some(Box::new(Packager::new(hevc_codec_id, None))))
    }

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
            HlsInput::Samples(packets, packager) => {
                let batch = packets.next(WRITE_INTERVAL).await;
                HlsBatch::Samples(
                    batch,
                    packager.take().expect("the packager came back from the batch before"),
                )
            }
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
            HlsInput::Samples(packets, _) => packets.during(work).await,
        }
    }

    /// Takes back what a batch had with it.
    pub(super) fn take_back(&mut self, written: Written) {
        if let HlsInput::Samples(_, packager) = self {
            *packager = written.packager;
        }
    }
}

impl HlsBatch {
    /// Number of pieces or packets that were lost before it.
    pub(super) fn lost(&self) -> u64 {
        match self {
            HlsBatch::Pieces(batch) => batch.lost,
            HlsBatch::Samples(batch, _) => batch.lost,
        }
    }

    /// Whether nothing follows.
    pub(super) fn ended(&self) -> bool {
        match self {
            HlsBatch::Pieces(batch) => batch.ended,
            HlsBatch::Samples(batch, _) => batch.ended,
        }
    }

    /// Writes it.
    pub(super) fn write(self, segmenter: &mut Segmenter, files: &mut impl SegmentFiles) -> Written {
        let ended = self.ended();
        if self.lost() > 0 {
            segmenter.finish(files);
        }
        let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
        let mut written = Written::default();
        match self {
            HlsBatch::Pieces(batch) => {
                batch.frames.iter().for_each(|frame| segmenter.handle_frame(frame, unix_ms, files));
            }
            HlsBatch::Samples(batch, mut packager) => {
                for sample in package(&batch, &mut packager, &mut written, segmenter) {
                    segmenter.handle_sample(sample, unix_ms, files);
                }
                written.repaired = packager.take_repaired();
                written.packager = Some(packager);
            }
        }
        if ended {
            segmenter.end(files);
        }
        written
    }
}

/// Samples of a batch.
fn package(
    batch: &PacketBatch,
    packager: &mut Packager,
    written: &mut Written,
    segmenter: &mut Segmenter,
) -> Vec<Sample> {
    let mut samples = Vec::new();
    for packet in &batch.packets {
        if packet.kind() == MediaKind::Data {
            segmenter.event(packager, packet.timestamp(), packet.payload());
        }
        let done = packager.handle_frame(packet.kind(), packet.timestamp(), packet.payload(), &mut samples);
        // For a frame without content nothing is missing.
        if let Err(error) = done
            && error != Fmp4Error::Empty
            && !written.left_out.iter().any(|(kind, _)| *kind == packet.kind())
        {
            written.left_out.push((packet.kind(), error));
        }
    }
    segmenter.learn_tracks(packager);
    if batch.ended {
        packager.finish(&mut samples);
    }
    samples
}
