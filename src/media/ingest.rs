//! Ingest: media from publishers, clients as well as relays, into streams.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::codec::track::Tracks;
use super::extension::{BatchSummary, OnStream, Output, Running};
use super::millis;
use super::relay_messages;
use super::session::{Arrival, Session, mark};
use super::view::AppView;
use crate::hub::gop::CacheSettings;
use crate::hub::headers::{HeaderKey, HeaderList};
use crate::hub::pace::Grid;
use crate::hub::packet::PacketClass;
use crate::hub::stream::{Busy, Incoming, PublishSettings, Stream};
use crate::limits;
use crate::media::log;
use crate::media::{codec, conf, delivery, gop};
use crate::net::moderation;
use crate::wire::MediaKind;

/// Kind of publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feeder {
    /// A client of this server.
    Client,
    /// A relay from another server.
    Relay,
    /// The other process of an upgrade, whose outputs go on: only those for players begin here.
    Counterpart,
}

/// Data shared by all publishers.
pub struct Intake {
    outputs: Vec<Arc<dyn Output>>,
    grid: Grid,
}

impl Intake {
    /// `outputs` begin and end in this order.
    pub fn new(outputs: Vec<Arc<dyn Output>>, grid: Grid) -> Intake {
        Intake { outputs, grid }
    }

    fn prepare(&self, publisher: OnStream<'_>, feeder: Feeder) -> Vec<Running> {
        self.outputs(feeder).filter_map(|output| output.prepare(publisher)).collect()
    }

    fn begin(&self, publisher: OnStream<'_>, feeder: Feeder) -> Vec<Running> {
        self.outputs(feeder).filter_map(|output| output.clone().begin(publisher)).collect()
    }

    fn outputs(&self, feeder: Feeder) -> impl Iterator<Item = &Arc<dyn Output>> {
        let all = feeder != Feeder::Counterpart;
        self.outputs.iter().filter(move |output| all || output.is_for_players())
    }
}

/// A publisher of a stream; dropping it ends the publish.
pub struct Ingest {
    intake: Arc<Intake>,
    view: AppView,
    session: Arc<Session>,
    stream: Arc<Stream>,
    tracks: Tracks,
    /// Media of this turn, pushed as one batch.
    batch: Vec<Incoming>,
    /// Whether it stands by behind a relay that publishes; meanwhile only `headers` are kept.
    waiting: bool,
    /// Whether a control request has paused it, and no key frame has come since it was resumed. Meanwhile, too, only
    /// `headers` are kept.
    is_held: bool,
    /// Dropped with the first key frame of a publisher that comes from another stream.
    arrival: Option<Arrival>,
    /// The newest headers while it stands by or is held, with which it begins or goes on.
    headers: HeaderList<Incoming>,
    /// Whether a header that is not kept was logged.
    complained: bool,
    /// Outputs of this publish. Dropped before the publisher leaves the stream.
    running: Vec<Running>,
    /// Smallest batching interval among the stream's consumers; see [`Stream::set_patience`].
    patience: Duration,
    /// Configuration generation for which `stream_backlog` was read.
    generation: u64,
    /// Dropped after the publisher has left the stream.
    _prepared: Vec<Running>,
}

impl Ingest {
    /// Takes the stream, or stands by behind the relay that publishes now.
    ///
    /// # Errors
    ///
    /// Another session publishes the stream.
    pub fn start(intake: &Arc<Intake>, publisher: OnStream<'_>, feeder: Feeder) -> Result<Ingest, Busy> {
        let OnStream { view, session, stream } = publisher;
        let (server, application) = (view.server(), view.held());
        let gop = application.get::<gop::conf::Conf>();
        let settings = PublishSettings {
            cache: CacheSettings {
                cache_time: millis(gop.kept()),
                out_queue: usize::try_from(server.out_queue.0).unwrap_or(usize::MAX),
            },
            // As in PingOS, timestamps are not corrected without a cache.
            fix_timestamp: match millis(gop.cache_time) {
                0 => 0,
                _ => millis(gop.fix_timestamp),
            },
            relay: feeder != Feeder::Client,
        };
        let prepared = intake.prepare(publisher, feeder);
        let waiting = match feeder {
            Feeder::Client => stream.publish_or_stand_by(session.id, settings)?,
            Feeder::Relay | Feeder::Counterpart => {
                stream.start_publish(session.id, settings)?;
                false
            }
        };
        let running = if waiting { Vec::new() } else { intake.begin(publisher, feeder) };
        let tracks = Tracks::new(
            application.get::<codec::conf::Conf>().meta,
            application.get::<conf::Conf>().hevc_codec_id(),
        );
        Ok(Ingest {
            intake: intake.clone(),
            view: view.clone(),
            session: session.clone(),
            stream: stream.clone(),
            tracks,
            batch: Vec::new(),
            waiting,
            is_held: false,
            arrival: None,
            headers: HeaderList::default(),
            complained: false,
            running,
            patience: Duration::ZERO,
            generation: 0,
            _prepared: prepared,
        })
    }

    /// Adds one media message; [`Ingest::push`] publishes it.
    pub fn media(&mut self, kind: MediaKind, timestamp: u32, payload: Bytes) {
        let moments = &self.session.moments;
        mark(&moments.first_data);
        match kind {
            MediaKind::Audio => mark(&moments.first_audio),
            MediaKind::Video => mark(&moments.first_video),
            MediaKind::Data => mark(&moments.first_metadata),
        }
        // A publisher must not send these: relays would take them for the server's own.
        if relay_messages::way_of(kind, &payload).is_some() || relay_messages::is_idle(kind, &payload) {
            return;
        }
        let Some((class, payload)) = self.tracks.take(kind, payload) else { return };
        let further_track = self.tracks.further_track();
        self.batch.push(Incoming { kind, class, timestamp, further_track, payload });
    }

    /// Publishes what was added since the last call. `bytes_received` is the connection's count.
    pub fn push(&mut self, bytes_received: u64) -> BatchSummary {
        moderation::count_read();
        self.session.bytes_received.store(bytes_received, Ordering::Relaxed);
        let mut summary = BatchSummary::default();
        let mut headers = false;
        if self.batch.is_empty() {
            return summary;
        }
        for message in &self.batch {
            summary.media |= message.kind != MediaKind::Data;
            summary.bytes += message.payload.len();
            match message.class {
                PacketClass::AudioHeader => summary.audio_headers += 1,
                PacketClass::VideoHeader => summary.video_headers += 1,
                class => summary.video_frames += usize::from(class.is_frame()),
            }
            headers |= HeaderKey::is_of(message.class);
        }
        if self.waiting && !self.take_over() || self.holds_back() {
            return summary;
        }
        let begins = |message: &Incoming| match self.tracks.info().video_codec_id {
            None => message.kind == MediaKind::Audio,
            Some(_) => message.class == PacketClass::Key,
        };
        if self.arrival.is_some() && self.batch.iter().any(begins) {
            self.arrival = None;
        }
        if self.tracks.take_changed() {
            self.stream.set_info(self.tracks.info().clone());
        }
        let generation = self.view.generation();
        if self.generation != generation {
            self.generation = generation;
            self.stream.set_backlog(self.view.current().get::<delivery::conf::Current>().backlog());
        }
        let batch = self.headers.take().chain(self.batch.drain(..));
        self.patience = self.stream.push(self.session.id, batch);
        if headers && self.stream.take_left_out() && !std::mem::replace(&mut self.complained, true) {
            log::headers_left_out(&self.stream);
        }
        summary
    }

    /// Time at which a consumer next needs media; `None` for at once.
    pub fn next_wanted(&self) -> Option<Instant> {
        let waits = self.patience >= limits::LEAST_READ_REST;
        waits.then(|| self.intake.grid.reading(self.patience, limits::READ_REST, Instant::now()))
    }

    /// The publisher comes from another stream.
    pub fn arrives(&mut self, arrival: Arrival) {
        self.arrival = Some(arrival);
    }

    /// The headers in force, in the order of sending.
    pub fn headers(&mut self) -> Vec<(MediaKind, u32, Bytes)> {
        let own: Vec<_> =
            self.headers.take().map(|header| (header.kind, header.timestamp, header.payload)).collect();
        if self.waiting {
            return own;
        }
        let sent = self.stream.headers();
        let sent = sent.iter().map(|packet| (packet.kind(), packet.timestamp(), packet.payload().clone()));
        sent.chain(own).collect()
    }

    /// The session.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Whether the relay ahead has ended. Until then only headers are kept.
    fn take_over(&mut self) -> bool {
        if self.stream.publisher() == Some(self.session.id) {
            self.waiting = false;
            let publisher = OnStream { view: &self.view, session: &self.session, stream: &self.stream };
            self.running = self.intake.begin(publisher, Feeder::Client);
            return true;
        }
        self.keep_headers(self.batch.len());
        false
    }

    /// Whether the batch is held back: the publisher is paused, or was resumed and has sent no key frame since. A batch with
    /// that key frame begins with it.
    fn holds_back(&mut self) -> bool {
        if self.session.is_paused.load(Ordering::Relaxed) {
            self.is_held = true;
            self.keep_headers(self.batch.len());
            return true;
        }
        if !self.is_held {
            return false;
        }
        let begin = match self.tracks.info().video_codec_id {
            // There is no key frame to wait for.
            None => Some(0),
            Some(_) => self.batch.iter().position(|message| message.class == PacketClass::Key),
        };
        self.keep_headers(begin.unwrap_or(self.batch.len()));
        self.is_held = begin.is_none();
        self.is_held
    }

    /// Removes this many messages from the batch and keeps the newest headers among them.
    fn keep_headers(&mut self, count: usize) {
        for message in self.batch.drain(..count) {
            if let Some(key) = HeaderKey::of(message.kind, message.class, &message.payload) {
                self.headers.keep(key, message.payload.len(), message);
            }
        }
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.running.clear();
        self.stream.end_publish(self.session.id);
    }
}
