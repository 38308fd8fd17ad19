//! Media on its way into a stream: what every publisher does, whether it is a client or a relay.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::codec::track::Tracks;
use super::millis;
use super::mpegts::Outputs;
use super::relay_messages;
use super::session::{Session, mark};
use super::view::AppView;
use crate::hub::gop::CacheSettings;
use crate::hub::headers::{HeaderKey, HeaderList};
use crate::hub::packet::Class;
use crate::hub::stream::{Busy, Incoming, PublishSettings, Stream};
use crate::limits;
use crate::media::log;
use crate::module::exec::execs;
use crate::module::live_record::task::LiveRecording;
use crate::module::record::recordings::Recording;
use crate::net::moderation;
use crate::server::context::Context;
use crate::wire::MediaKind;

/// Who feeds a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A client of this server.
    Client,
    /// A relay from another server.
    Relay,
}

/// The publisher's place in a stream, given up when it is dropped.
pub struct Ingest {
    context: Arc<Context>,
    view: AppView,
    session: Arc<Session>,
    stream: Arc<Stream>,
    tracks: Tracks,
    /// What this turn has brought; pushed as one batch.
    batch: Vec<Incoming>,
    /// A relay publishes; what comes meanwhile goes nowhere but into `headers`.
    waiting: bool,
    /// The newest headers while waiting: whoever takes over has to begin with them.
    headers: HeaderList<Incoming>,
    /// Whether it was said that a header is not kept.
    complained: bool,
    /// What runs while this publisher has the stream.
    beside: Option<Beside>,
    /// Of those that the stream goes to; see [`Stream::set_patience`].
    patience: Duration,
    /// Of which `stream_backlog` was read.
    generation: u64,
    /// Dropped after the publisher has left the stream.
    outputs: Outputs,
}

/// What runs beside a publish. Dropped before the publisher leaves the stream.
struct Beside {
    _recording: Recording,
    _live: LiveRecording,
    _exec: execs::Publisher,
}

impl Beside {
    fn start(context: &Arc<Context>, view: &AppView, session: &Arc<Session>, stream: &Arc<Stream>) -> Self {
        Beside {
            _recording: Recording::start(context, view, session, stream),
            _live: LiveRecording::start(context, view, session, stream),
            _exec: context.execs.publish(view, session),
        }
    }
}

/// What a batch has brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brought {
    /// Audio or video came.
    pub media: bool,
    /// Times an audio header came.
    pub audio_headers: usize,
    /// Times a video header came.
    pub video_headers: usize,
}

impl Ingest {
    /// Takes the stream, or the place behind a relay that feeds it now.
    pub fn start(
        context: &Arc<Context>,
        view: &AppView,
        session: &Arc<Session>,
        stream: &Arc<Stream>,
        source: Source,
    ) -> Result<Ingest, Busy> {
        let (server, application) = (view.server(), view.held());
        let settings = PublishSettings {
            cache: CacheSettings {
                cache_time: millis(application.gop.kept()),
                out_queue: usize::try_from(server.out_queue.0).unwrap_or(usize::MAX),
            },
            // As the original: without a cache timestamps are left as they come.
            fix_timestamp: match millis(application.gop.cache_time) {
                0 => 0,
                _ => millis(application.gop.fix_timestamp),
            },
            relay: source == Source::Relay,
        };
        let outputs = Outputs::prepare(context, view, stream);
        let waiting = match source {
            Source::Client => stream.publish_or_stand_by(session.id, settings)?,
            Source::Relay => {
                stream.start_publish(session.id, settings)?;
                false
            }
        };
        let beside = (!waiting).then(|| {
            outputs.begin(context, view, stream);
            Beside::start(context, view, session, stream)
        });
        let tracks = Tracks::new(
            application.codec.meta,
            u8::try_from(application.rtmp.hevc_codecid).unwrap_or(u8::MAX),
        );
        Ok(Ingest {
            context: context.clone(),
            view: view.clone(),
            session: session.clone(),
            stream: stream.clone(),
            tracks,
            batch: Vec::new(),
            waiting,
            headers: HeaderList::default(),
            complained: false,
            beside,
            patience: Duration::ZERO,
            generation: 0,
            outputs,
        })
    }

    /// Takes one media message; [`Ingest::push`] sends it on.
    pub fn media(&mut self, kind: MediaKind, timestamp: u32, payload: Bytes) {
        let moments = &self.session.moments;
        mark(&moments.first_data);
        match kind {
            MediaKind::Audio => mark(&moments.first_audio),
            MediaKind::Video => mark(&moments.first_video),
            MediaKind::Data => mark(&moments.first_metadata),
        }
        // Relays would take a publisher's word for ours.
        if relay_messages::way_of(kind, &payload).is_some() {
            return;
        }
        let Some((class, payload)) = self.tracks.take(kind, payload) else { return };
        let beside = self.tracks.beside();
        self.batch.push(Incoming { kind, class, timestamp, beside, payload });
    }

    /// Sends on what has come since the last call. `bytes_received` is the connection's count.
    pub fn push(&mut self, bytes_received: u64) -> Brought {
        moderation::count_read();
        self.session.bytes_received.store(bytes_received, Ordering::Relaxed);
        let mut brought = Brought::default();
        let mut extras = false;
        if self.batch.is_empty() {
            return brought;
        }
        for message in &self.batch {
            brought.media |= message.kind != MediaKind::Data;
            match message.class {
                Class::AudioHeader => brought.audio_headers += 1,
                Class::VideoHeader => brought.video_headers += 1,
                Class::AudioExtra | Class::VideoExtra => extras = true,
                _ => {}
            }
        }
        if self.waiting && !self.take_over() {
            return brought;
        }
        if self.tracks.take_changed() {
            self.stream.set_info(self.tracks.info().clone());
        }
        let generation = self.view.generation();
        if self.generation != generation {
            self.generation = generation;
            self.stream.set_backlog(self.view.current().delivery.backlog());
        }
        let batch = self.headers.take().chain(self.batch.drain(..));
        self.patience = self.stream.push(self.session.id, batch);
        if extras && self.stream.take_left_out() && !std::mem::replace(&mut self.complained, true) {
            log::headers_left_out(&self.stream);
        }
        brought
    }

    /// When anybody next wants what comes, unless that is at once.
    pub fn next_wanted(&self) -> Option<Instant> {
        let waits = self.patience >= limits::LEAST_READ_REST;
        waits.then(|| self.context.grid.next(self.patience, limits::READ_REST, Instant::now()))
    }

    /// The session.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Whether the relay in front has ended. While it has not, only headers are kept.
    fn take_over(&mut self) -> bool {
        if self.stream.publisher() == Some(self.session.id) {
            self.waiting = false;
            self.outputs.begin(&self.context, &self.view, &self.stream);
            self.beside = Some(Beside::start(&self.context, &self.view, &self.session, &self.stream));
            return true;
        }
        for message in self.batch.drain(..) {
            if let Some(key) = HeaderKey::of(message.kind, message.class, &message.payload) {
                self.headers.keep(key, message.payload.len(), message);
            }
        }
        false
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.beside = None;
        self.stream.end_publish(self.session.id);
    }
}
