//! Task that writes the DASH files of one publish.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::conf::Conf;
use super::writer::DashWriter;
use super::{DashLayout, DashSegmenter, log};
use crate::hub::stream::Stream;
use crate::limits;
use crate::media;
use crate::media::extension::{OnStream, Output, Running};
use crate::media::files::StreamName;
use crate::media::files::claims::FileClaims;
use crate::media::publish_packets::{PacketBatch, PublishPackets};
use crate::task::disk::{self, DiskWork};
use crate::task::lifetime::Lifetime;
use crate::wire::MediaKind;
use crate::wire::fmp4::{Fmp4Error, Packager, Sample};

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
        let Some(name) = StreamName::new(&stream.key().name) else {
            log::name_refused(stream);
            return None;
        };
        if conf.path.0.as_os_str().is_empty() {
            log::without_path(stream);
            return None;
        }
        let hevc = u8::try_from(view.held().get::<media::conf::Conf>().hevc_codecid).unwrap_or(u8::MAX);
        let (packets, end) = PublishPackets::of(stream);
        let layout = DashLayout { name, nested: conf.nested };
        let segmenter = DashSegmenter::new(layout, conf.settings());
        let task = DashTask { stream: stream.clone(), packets, conf, complaints: Complaints::default() };
        let (places, unfinished) = (self.places.clone(), self.lifetime.unfinished.token());
        tokio::spawn(async move {
            task.run(segmenter, hevc, &places).await;
            drop(unfinished);
        });
        Some(Box::new(end))
    }
}

struct DashTask {
    stream: Arc<Stream>,
    packets: PublishPackets,
    conf: Arc<Conf>,
    complaints: Complaints,
}

/// What was logged, once per publish: a full disk fails with every write.
#[derive(Default)]
struct Complaints {
    not_written: bool,
    repaired: bool,
    left_out: [bool; 3],
}

/// What turns packets into files.
struct Chain {
    hevc_codec_id: u8,
    /// Made with the first packets, when its time line begins.
    packager: Option<Packager>,
    segmenter: DashSegmenter,
    writer: DashWriter,
    samples: Vec<Sample>,
    left_out: [Option<Fmp4Error>; 3],
}

impl DashTask {
    async fn run(mut self, segmenter: DashSegmenter, hevc_codec_id: u8, places: &Arc<FileClaims>) {
        let manifest = self.conf.path.0.join(segmenter.layout().manifest_file());
        let place = tokio::select! {
            place = places.take(manifest.clone()) => place,
            () = tokio::time::sleep(limits::HLS_PLACE_WAIT) => return log::place_taken(&self.stream, &manifest),
        };
        let writer = DashWriter::new(self.conf.path.0.clone(), place);
        let mut chain = Chain {
            hevc_codec_id,
            packager: None,
            segmenter,
            writer,
            samples: Vec::new(),
            left_out: [None; 3],
        };
        loop {
            let batch = self.packets.next(WRITE_INTERVAL).await;
            if batch.lost > 0 {
                log::too_slow(&self.stream, batch.lost);
            }
            let ended = batch.ended;
            let work = disk::spawn(DiskWork::Dash, move || {
                let repaired = chain.write(&batch);
                (chain, repaired)
            });
            // All is lost by a panic.
            let Ok((done, repaired)) = self.packets.during(work).await else { return };
            chain = done;
            self.complain(&mut chain, repaired);
            if ended {
                return;
            }
        }
    }

    fn complain(&mut self, chain: &mut Chain, repaired: bool) {
        let Complaints { not_written, repaired: told, left_out } = &mut self.complaints;
        if let Some(error) = chain.writer.take_failure()
            && !std::mem::replace(not_written, true)
        {
            log::not_written(&self.stream, error.call, &error.path, &error.error);
        }
        if repaired && !std::mem::replace(told, true) {
            log::repaired(&self.stream);
        }
        for kind in [MediaKind::Audio, MediaKind::Video] {
            if let Some(error) = chain.left_out[kind as usize].take()
                && !std::mem::replace(&mut left_out[kind as usize], true)
            {
                log::left_out(&self.stream, kind, error);
            }
        }
    }
}

impl Chain {
    /// Writes queued packets. Returns whether timestamps were corrected.
    fn write(&mut self, batch: &PacketBatch) -> bool {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
        let hevc = self.hevc_codec_id;
        let packager = self.packager.get_or_insert_with(|| Packager::new(hevc, Some(now_ms)));
        if batch.lost > 0 {
            self.segmenter.interrupt(now_ms, &mut self.writer);
        }
        for packet in &batch.packets {
            let done =
                packager.handle_frame(packet.kind(), packet.timestamp(), packet.payload(), &mut self.samples);
            // For a frame without content nothing is missing.
            if let Err(error) = done
                && error != Fmp4Error::Empty
            {
                self.left_out[packet.kind() as usize].get_or_insert(error);
            }
        }
        if batch.ended {
            packager.finish(&mut self.samples);
        }
        for sample in self.samples.drain(..) {
            self.segmenter.handle(sample, now_ms, &mut self.writer);
        }
        let repaired = packager.take_repaired();
        if batch.ended {
            self.segmenter.finish(now_ms, &mut self.writer);
        }
        repaired
    }
}
