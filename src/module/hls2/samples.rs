//! Fragments of fragmented MP4 of one stream, made by a task of its own.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{FragmentSettings, Fragments};
use crate::hub::packet::Packet;
use crate::hub::stream::{Stream, StreamPhase};
use crate::media;
use crate::media::log as media_log;
use crate::media::reader::PacketReader;
use crate::media::samples::PublishSamples;
use crate::media::view::AppView;

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
        let hevc = view.held().get::<media::conf::Conf>().hevc_codec_id();
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
    samples: PublishSamples,
    /// The source's publisher whose media is being packaged.
    seen: StreamPhase,
    packets: Vec<Arc<Packet>>,
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
            samples: PublishSamples::new(hevc_codec_id, None),
            seen: phase,
            packets: before.headers.iter().cloned().collect(),
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
            self.seen = StreamPhase { publishing: true, ..phase };
        }
        self.package();
        if !phase.publishing {
            self.end();
        }
    }

    fn end(&mut self) {
        if std::mem::replace(&mut self.seen.publishing, false) {
            self.samples.finish();
            self.fragments.take(&mut self.samples);
            self.fragments.ended();
        }
    }

    fn package(&mut self) {
        self.packets.drain(..).for_each(|packet| self.samples.push(&packet));
        for remark in self.samples.take_remarks() {
            media_log::sample_remark("hls2", self.reader.stream(), remark);
        }
        self.fragments.take(&mut self.samples);
    }
}
