//! The publisher side of an RTMP connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::play::millis;
use crate::hub::gop::CacheSettings;
use crate::hub::packet::Class;
use crate::hub::stream::{Incoming, PublishSettings};
use crate::module::codec::track::Tracks;
use crate::module::notify::conf::MetaType;
use crate::server::admission::Entered;
use crate::server::context::Context;
use crate::server::event;
use crate::server::mpegts::Outputs;
use crate::server::notify::{Answer, Event, Slot};
use crate::server::session::{Reason, Session, mark};
use crate::server::view::AppView;
use crate::wire::MediaKind;

/// A publisher whose media goes into its stream.
pub struct Publishing {
    context: Arc<Context>,
    view: AppView,
    stream_id: u32,
    entered: Box<Entered>,
    _outputs: Outputs,
    tracks: Tracks,
    /// What this turn has brought; pushed as one batch.
    batch: Vec<Incoming>,
    idle: Option<Duration>,
    /// Set by the first media (`drop_idle_publisher` counts from the last).
    last_media: Option<Instant>,
    /// Whether an `on_meta` has gone out.
    meta_sent: bool,
}

impl Publishing {
    /// Takes the name. Gives the hold on the stream back when somebody else has it.
    pub fn start(
        context: &Arc<Context>,
        view: AppView,
        stream_id: u32,
        entered: Box<Entered>,
    ) -> Result<Self, Box<Entered>> {
        let (server, application) = (&view.server().held, view.held());
        let settings = PublishSettings {
            cache: CacheSettings {
                cache_time: millis(application.gop.cache_time),
                out_queue: usize::try_from(server.out_queue.0).unwrap_or(usize::MAX),
            },
            // As the original: without a cache timestamps are left as they come.
            fix_timestamp: match millis(application.gop.cache_time) {
                0 => 0,
                _ => millis(application.gop.fix_timestamp),
            },
        };
        let outputs = Outputs::prepare(context, &view, entered.stream());
        if entered.stream().start_publish(entered.session().id, settings).is_err() {
            return Err(entered);
        }
        outputs.begin(context, &view, entered.stream());
        let tracks = Tracks::new(
            application.codec.meta,
            u8::try_from(application.rtmp.hevc_codecid).unwrap_or(u8::MAX),
        );
        let idle = application.live.drop_idle_publisher.nonzero();
        event::publishing(entered.session());
        Ok(Publishing {
            context: context.clone(),
            view,
            stream_id,
            entered,
            _outputs: outputs,
            tracks,
            batch: Vec::new(),
            idle,
            last_media: None,
            meta_sent: false,
        })
    }

    /// Takes one media message; [`Publishing::push`] sends it on.
    pub fn media(&mut self, kind: MediaKind, timestamp: u32, payload: Bytes) {
        let moments = &self.entered.session().moments;
        mark(&moments.first_data);
        match kind {
            MediaKind::Audio => mark(&moments.first_audio),
            MediaKind::Video => mark(&moments.first_video),
            MediaKind::Data => mark(&moments.first_metadata),
        }
        let Some((class, payload)) = self.tracks.take(kind, payload) else { return };
        self.batch.push(Incoming { kind, class, timestamp, payload });
    }

    /// Sends on what has come since the last call. `bytes_received` is the connection's count.
    pub fn push(&mut self, bytes_received: u64) {
        self.entered.session().bytes_received.store(bytes_received, Ordering::Relaxed);
        if self.batch.is_empty() {
            return;
        }
        if self.batch.iter().any(|m| m.kind != MediaKind::Data) {
            self.last_media = Some(Instant::now());
        }
        let stream = self.entered.stream().clone();
        if self.tracks.take_changed() {
            stream.set_info(self.tracks.info().clone());
        }
        let headers =
            self.batch.iter().filter(|m| matches!(m.class, Class::AudioHeader | Class::VideoHeader));
        let headers: Vec<MediaKind> = headers.map(|m| m.kind).collect();
        stream.push(self.session().id, self.batch.drain(..));
        for kind in headers {
            self.meta(kind);
        }
    }

    /// When a publisher that sends nothing is closed.
    pub fn idle_due(&self) -> Option<Instant> {
        self.last_media?.checked_add(self.idle?)
    }

    /// Message stream id.
    pub fn stream_id(&self) -> u32 {
        self.stream_id
    }

    /// The session.
    pub fn session(&self) -> &Arc<Session> {
        self.entered.session()
    }

    /// A codec header has come: asks the `on_meta` callbacks, each by its own line.
    fn meta(&mut self, kind: MediaKind) {
        let application = self.view.current();
        let hooks = &application.notify;
        let wanted = match hooks.on_meta_type {
            MetaType::Video => kind == MediaKind::Video,
            MetaType::Audio => kind == MediaKind::Audio,
            MetaType::Both => true,
        };
        if !wanted || hooks.on_meta.is_empty() || (hooks.on_meta_once && self.meta_sent) {
            return;
        }
        self.meta_sent = true;
        for line in 0..hooks.on_meta.len() {
            let (session, view) = (self.session().clone(), self.view.clone());
            let Some(mut event) =
                Event::begin(&self.context.notifier, &self.view, Slot::Meta(line), &session, None)
            else {
                continue;
            };
            // The event lasts as long as the session; nobody waits for its answer.
            drop(self.context.notifier.spawn(async move {
                let answer = event.answer().await;
                let ignore = view.current().notify.ignore_invalid;
                let refused = match answer {
                    Answer::Status(status) => event.hook().enforce.start && status > 300,
                    Answer::Failed | Answer::TimedOut => event.hook().enforce.start && !ignore,
                };
                if refused {
                    event::start_refused(&session, event.hook(), answer);
                    session.close(Reason::NotifyRefused);
                } else {
                    event.keep();
                }
                session.ended().await;
            }));
        }
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        self.entered.stream().end_publish(self.session().id);
        event::published(self.session());
        self.session().end();
    }
}
