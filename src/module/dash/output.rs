//! Task that writes the DASH files of one publish.

use std::sync::Arc;
use std::time::Duration;

use super::conf::Conf;
use super::writer::DashWriter;
use super::{DashLayout, DashSegmenter};
use crate::limits;
use crate::media;
use crate::media::extension::{OnStream, Output, Running};
use crate::media::files::StreamName;
use crate::media::files::claims::FileClaims;
use crate::media::files::log::OutputLog;
use crate::media::publish_packets::{PacketBatch, PublishPackets};
use crate::media::samples::{PublishSamples, SampleItem};
use crate::task::clock::unix_ms;
use crate::task::disk::{self, DiskWork};
use crate::task::lifetime::Lifetime;

/// Interval at which collected packets are written.
const WRITE_INTERVAL: Duration = Duration::from_millis(100);

/// Output that writes DASH files of streams with `dash on`.
pub struct DashOutput {
    /// Files being written.
    pub places: Arc<FileClaims>,
    /// Shutdown of the process, which waits for files.
    pub lifetime: Lifetime,
}

impl Output for DashOutput {
    fn begin(self: Arc<Self>, publisher: OnStream<'_>) -> Option<Running> {
        let OnStream { view, stream, .. } = publisher;
        let conf: Arc<Conf> = view.held().share();
        if !conf.dash {
            return None;
        }
        let log = OutputLog::new("dash", stream);
        let Some(name) = StreamName::new(&stream.key().name) else {
            log.name_refused();
            return None;
        };
        if conf.path.0.as_os_str().is_empty() {
            log.without_path();
            return None;
        }
        let hevc = view.held().get::<media::conf::Conf>().hevc_codec_id();
        let (packets, end) = PublishPackets::of(stream);
        let layout = DashLayout { name, nested: conf.nested };
        let segmenter = DashSegmenter::new(layout, conf.settings());
        let task = DashTask { packets, conf, log };
        let (places, unfinished) = (self.places.clone(), self.lifetime.unfinished.token());
        tokio::spawn(async move {
            task.run(segmenter, hevc, &places).await;
            drop(unfinished);
        });
        Some(Box::new(end))
    }
}

struct DashTask {
    packets: PublishPackets,
    conf: Arc<Conf>,
    log: OutputLog,
}

/// What turns packets into files.
struct Chain {
    hevc_codec_id: u8,
    /// Made with the first packets, when its time line begins.
    samples: Option<PublishSamples>,
    segmenter: DashSegmenter,
    writer: DashWriter,
}

impl DashTask {
    async fn run(mut self, segmenter: DashSegmenter, hevc_codec_id: u8, places: &Arc<FileClaims>) {
        let manifest = self.conf.path.0.join(segmenter.layout().manifest_file());
        let place = tokio::select! {
            place = places.take(manifest.clone()) => place,
            () = tokio::time::sleep(limits::HLS_PLACE_WAIT) => return self.log.place_taken(&manifest),
        };
        let writer = DashWriter::new(self.conf.path.0.clone(), place);
        let mut chain = Chain { hevc_codec_id, samples: None, segmenter, writer };
        loop {
            let batch = self.packets.next(WRITE_INTERVAL).await;
            self.log.too_slow(batch.lost);
            let ended = batch.ended;
            let work = disk::spawn(DiskWork::Dash, move || {
                chain.write(&batch);
                chain
            });
            // All is lost by a panic.
            let Ok(done) = self.packets.during(work).await else { return };
            chain = done;
            self.log.not_written(chain.writer.take_failure());
            self.log.remarks(&chain.samples.as_mut().map(PublishSamples::take_remarks).unwrap_or_default());
            if ended {
                return;
            }
        }
    }
}

impl Chain {
    /// Writes queued packets.
    fn write(&mut self, batch: &PacketBatch) {
        let now_ms = unix_ms();
        let hevc = self.hevc_codec_id;
        let samples = self.samples.get_or_insert_with(|| PublishSamples::new(hevc, Some(now_ms)));
        if batch.lost > 0 {
            self.segmenter.interrupt(now_ms, &mut self.writer);
        }
        batch.packets.iter().for_each(|packet| samples.push(packet));
        if batch.ended {
            samples.finish();
        }
        for item in samples.take() {
            if let SampleItem::Sample(sample) = item {
                self.segmenter.handle(sample, now_ms, &mut self.writer);
            }
        }
        if batch.ended {
            self.segmenter.finish(now_ms, &mut self.writer);
        }
    }
}
