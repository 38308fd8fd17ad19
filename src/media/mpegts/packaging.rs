//! Packaging task of one stream.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::log;
use super::shared::Shared;
use crate::hub::packet::{Packet, PacketClass};
use crate::hub::stream::{Incoming, PublishSettings, Stream, StreamPhase};
use crate::media::log as media_log;
use crate::media::reader::PacketReader;
use crate::wire::MediaKind;
use crate::wire::mpegts::{MpegtsError, Packager, TsFrame};

/// Publisher number of the packaging task, the only publisher of the packaged stream.
const PUBLISHER: u64 = 0;

/// Reads the source and publishes its pieces.
pub(super) struct Packaging {
    reader: PacketReader,
    stream: Arc<Stream>,
    shared: Arc<Shared>,
    packager: Packager,
    /// The source's publisher whose media is being packaged.
    seen: StreamPhase,
    /// Whether a media message of this publisher was left out and logged, by [`MediaKind`].
    complained: [bool; 3],
    packets: Vec<Arc<Packet>>,
    frames: Vec<TsFrame>,
}

impl Drop for Packaging {
    fn drop(&mut self) {
        // Also after a panic, or with the end of the worker: consumers must not wait for more pieces.
        self.stream.end_publish(PUBLISHER);
    }
}

impl Packaging {
    /// Begins with the contents of the source's cache, so that pieces of a running stream are available at once.
    pub(super) fn new(source: &Arc<Stream>, stream: &Arc<Stream>, shared: Arc<Shared>) -> Self {
        let reader = PacketReader::attach(source);
        let before = reader.before();
        let mut packaging = Packaging {
            reader,
            stream: stream.clone(),
            packager: Packager::new(shared.settings().packager),
            shared,
            seen: StreamPhase { epoch: source.phase().epoch, ..StreamPhase::default() },
            complained: [false; 3],
            packets: before.headers.iter().cloned().collect(),
            frames: Vec::new(),
        };
        packaging.packets.extend(before.older);
        let phase = source.phase();
        if phase.publishing {
            packaging.begin(phase);
            packaging.package();
        }
        packaging.packets.clear();
        packaging
    }

    /// Packages until `stopped`, and then the rest.
    pub(super) async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut phase = self.reader.stream().watch();
        loop {
            self.step();
            tokio::select! {
                () = self.reader.ready() => {}
                _ = phase.changed() => {}
                _ = &mut stopped => {
                    self.step();
                    self.end();
                    return;
                }
            }
        }
    }

    fn step(&mut self) {
        let lost = self.reader.fetch(&mut self.packets);
        if lost > 0 {
            media_log::packets_lost(self.reader.stream(), lost);
        }
        // Read after fetching, so that no packet belongs to a later publisher. If the publisher has changed, some
        // packets may still belong to the preceding one; without its headers they are dropped.
        let phase = self.reader.stream().phase();
        if phase.epoch != self.seen.epoch {
            self.end();
            self.begin(phase);
        }
        self.package();
        if !phase.publishing {
            self.end();
        }
    }

    fn begin(&mut self, phase: StreamPhase) {
        let settings = self.shared.settings();
        self.seen = StreamPhase { publishing: true, ..phase };
        self.complained = [false; 3];
        self.packager.configure(settings.packager);
        let settings = PublishSettings { cache: settings.cache, fix_timestamp: 0, relay: false };
        // The packaging task is the only publisher, and ends a publish before the next one.
        let _ = self.stream.start_publish(PUBLISHER, settings);
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.seen.publishing, false) {
            return;
        }
        self.packager.finish(&mut self.frames);
        self.publish();
        let epoch = self.seen.epoch;
        self.shared.for_taps(|tap| tap.end(epoch));
        self.stream.end_publish(PUBLISHER);
    }

    fn package(&mut self) {
        for packet in self.packets.drain(..) {
            let done = self.packager.handle_frame(
                packet.kind(),
                packet.timestamp(),
                packet.payload(),
                &mut self.frames,
            );
            // For a frame without content nothing is missing.
            if let Err(error) = done
                && error != MpegtsError::Empty
                && !std::mem::replace(&mut self.complained[packet.kind() as usize], true)
            {
                log::not_packaged(self.reader.stream(), packet.kind(), &error);
            }
        }
        self.publish();
    }

    fn publish(&mut self) {
        if self.frames.is_empty() {
            return;
        }
        let (epoch, frames) = (self.seen.epoch, &self.frames);
        self.shared.for_taps(|tap| frames.iter().for_each(|frame| tap.frame(epoch, frame)));
        self.stream.push(PUBLISHER, self.frames.drain(..).map(incoming));
    }
}

/// Converts a piece to a packet. A consumer that starts at a key packet finds the tables in it; in a stream without
/// video only some pieces have them, and the others cannot start a consumer.
fn incoming(frame: TsFrame) -> Incoming {
    let class = match (frame.key && frame.starts_with_tables, frame.video) {
        (true, _) => PacketClass::Key,
        (false, true) => PacketClass::Inter,
        (false, false) => PacketClass::Audio,
    };
    Incoming {
        kind: if frame.video { MediaKind::Video } else { MediaKind::Audio },
        class,
        // The low bits: the stream's timeline uses it only to measure the cache.
        timestamp: frame.dts_ms as u32,
        further_track: None,
        payload: frame.bytes,
    }
}
