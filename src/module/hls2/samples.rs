//! Fragments of fragmented MP4 of one stream, made by a task of its own.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{FragmentSettings, Fragments, log};
use crate::hub::packet::Packet;
use crate::hub::stream::{Stream, StreamPhase};
use crate::media;
use crate::media::log as media_log;
use crate::media::reader::PacketReader;
use crate::media::view::AppView;
use crate::wire::MediaKind;
use crate::wire::fmp4::{Fmp4Error, Packager, Sample};

/// Streams as fragments of fragmented MP4, each packaged once for all its players.
#[derive(Default)]
pub struct SampleFeeds(Mutex<HashMap<u64, Weak<SampleFeed>>>);

/// A stream as fragments of fragmented MP4. It lasts as long as it is held: by its publisher and by its players.
pub struct SampleFeed {
    fragments: Arc<Fragments>,
    /// Dropping it ends the packaging task.
    stop: oneshot::Sender<()>,
}

impl SampleFeeds {
    /// The feed of `source`, created if necessary.
    ///
    /// Must be called within a runtime, on which the packaging task runs.
    pub fn hold(&self, view: &AppView, source: &Arc<Stream>, settings: FragmentSettings) -> Arc<SampleFeed> {
        let mut feeds = self.0.lock();
        feeds.retain(|_, feed| feed.strong_count() > 0);
        // The receiver is closed if the task has died.
        let there = feeds.get(&source.id()).and_then(Weak::upgrade);
        if let Some(feed) = there.filter(|feed| !feed.stop.is_closed()) {
            return feed;
        }
        let hevc = u8::try_from(view.held().get::<media::conf::Conf>().hevc_codecid).unwrap_or(u8::MAX);
        let fragments = Arc::new(Fragments::new(settings, source.clone()));
        let (stop, stopped) = oneshot::channel();
        let packaging = Packaging::new(source, fragments.clone(), hevc);
        tokio::spawn(packaging.run(stopped));
        let feed = Arc::new(SampleFeed { fragments, stop });
        feeds.insert(source.id(), Arc::downgrade(&feed));
        feed
    }

    /// The fragments of `source`, if it is packaged.
    pub fn find(&self, source: &Stream) -> Option<Arc<Fragments>> {
        Some(self.0.lock().get(&source.id())?.upgrade()?.fragments.clone())
    }
}

impl SampleFeed {
    /// The fragments.
    pub fn fragments(&self) -> &Arc<Fragments> {
        &self.fragments
    }
}

/// Reads the source and fills the window.
struct Packaging {
    reader: PacketReader,
    fragments: Arc<Fragments>,
    hevc_codec_id: u8,
    packager: Packager,
    /// The source's publisher whose media is being packaged.
    seen: StreamPhase,
    /// Whether a media message of this publisher was left out and logged, by [`MediaKind`].
    complained: [bool; 3],
    packets: Vec<Arc<Packet>>,
    samples: Vec<Sample>,
}

impl Packaging {
    /// Begins with the contents of the source's cache, so that fragments of a running stream are available at once.
    fn new(source: &Arc<Stream>, fragments: Arc<Fragments>, hevc_codec_id: u8) -> Self {
        let reader = PacketReader::attach(source);
        let before = reader.before();
        let phase = source.phase();
        let mut packaging = Packaging {
            reader,
            fragments,
            hevc_codec_id,
            packager: Packager::new(hevc_codec_id, None),
            seen: phase,
            complained: [false; 3],
            packets: before.headers.iter().cloned().collect(),
            samples: Vec::new(),
        };
        packaging.packets.extend(before.older);
        if phase.publishing {
            packaging.package();
        }
        packaging.packets.clear();
        packaging
    }

    /// Packages until the feed is dropped.
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut phase = self.reader.stream().watch();
        loop {
            self.step();
            tokio::select! {
                () = self.reader.ready() => {}
                _ = phase.changed() => {}
                _ = &mut stopped => return,
            }
        }
    }

    fn step(&mut self) {
        let lost = self.reader.fetch(&mut self.packets);
        if lost > 0 {
            media_log::packets_lost(self.reader.stream(), lost);
        }
        // Read after fetching, so that no packet belongs to a later publisher.
        let phase = self.reader.stream().phase();
        if phase.epoch != self.seen.epoch {
            self.end();
            self.complained = [false; 3];
            self.seen = StreamPhase { publishing: true, ..phase };
        }
        self.package();
        if !phase.publishing {
            self.end();
        }
    }

    fn end(&mut self) {
        if std::mem::replace(&mut self.seen.publishing, false) {
            self.packager.finish(&mut self.samples);
            self.fragments.samples(&self.packager, &mut self.samples);
            self.fragments.ended();
            self.packager = Packager::new(self.hevc_codec_id, None);
        }
    }

    fn package(&mut self) {
        for packet in self.packets.drain(..) {
            if packet.kind() == MediaKind::Data {
                self.fragments.event(&self.packager, packet.timestamp(), packet.payload());
                continue;
            }
            let done = self.packager.handle_frame(
                packet.kind(),
                packet.timestamp(),
                packet.payload(),
                &mut self.samples,
            );
            // For a frame without content nothing is missing.
            if let Err(error) = done
                && error != Fmp4Error::Empty
                && !std::mem::replace(&mut self.complained[packet.kind() as usize], true)
            {
                log::left_out(self.reader.stream(), packet.kind(), error);
            }
        }
        self.fragments.samples(&self.packager, &mut self.samples);
    }
}
