//! Publisher side of an RTMP connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::media::admission::AdmittedSession;
use crate::media::extension::{OnStream, PublishObserver};
use crate::media::ingest::{Feeder, Ingest, Intake};
use crate::media::live;
use crate::media::session::{Arrival, Session};
use crate::media::view::AppView;
use crate::module::rtmp::log;
use crate::wire::MediaKind;

/// A publisher of a stream.
pub struct Publishing {
    stream_id: u32,
    ingest: Ingest,
    observers: Vec<Box<dyn PublishObserver>>,
    idle: Option<Duration>,
    /// Time of the latest audio or video; used only with `idle`.
    last_media: Option<Instant>,
    began: Instant,
    /// The connection's bytes at the beginning; `None` before the first batch.
    before: Option<u64>,
    _entered: Box<AdmittedSession>,
}

impl Publishing {
    /// Takes the stream name. Returns the session's use of the stream if the name is taken.
    ///
    /// # Errors
    ///
    /// Another session publishes the stream.
    pub fn start(
        intake: &Arc<Intake>,
        view: AppView,
        stream_id: u32,
        entered: Box<AdmittedSession>,
    ) -> Result<Self, Box<AdmittedSession>> {
        if !entered.may_publish() {
            return Err(entered);
        }
        let session = entered.session().clone();
        let publisher = OnStream { view: &view, session: &session, stream: entered.stream() };
        let Ok(ingest) = Ingest::start(intake, publisher, Feeder::Client) else {
            return Err(entered);
        };
        let idle = view.held().get::<live::conf::Conf>().drop_idle_publisher.nonzero();
        log::publishing(&session);
        session.accept_moves();
        let observers = entered.observe_publish();
        Ok(Publishing {
            stream_id,
            ingest,
            observers,
            idle,
            last_media: None,
            began: Instant::now(),
            before: None,
            _entered: entered,
        })
    }

    /// Adds one media message; [`Publishing::push`] publishes it.
    pub fn media(&mut self, kind: MediaKind, timestamp: u32, payload: Bytes) {
        self.ingest.media(kind, timestamp, payload);
    }

    /// Publishes what was added since the last call. `bytes_received` is the connection's count.
    pub fn push(&mut self, bytes_received: u64) {
        self.before.get_or_insert(bytes_received);
        let summary = self.ingest.push(bytes_received);
        if summary.media && self.idle.is_some() {
            self.last_media = Some(Instant::now());
        }
        for observer in &mut self.observers {
            observer.batch_ingested(summary);
        }
    }

    /// Time at which an idle publisher is closed.
    pub fn idle_due(&self) -> Option<Instant> {
        self.last_media?.checked_add(self.idle?)
    }

    /// Time at which a consumer next needs media; `None` for at once.
    pub fn next_wanted(&self) -> Option<Instant> {
        self.ingest.next_wanted()
    }

    /// It comes from another stream.
    pub fn arrives(&mut self, arrival: Arrival) {
        self.ingest.arrives(arrival);
    }

    /// The headers that it has sent, for another stream that it continues with.
    pub fn headers(&mut self) -> Vec<(MediaKind, u32, Bytes)> {
        self.ingest.headers()
    }

    /// Message stream id.
    pub fn stream_id(&self) -> u32 {
        self.stream_id
    }

    /// The session.
    pub fn session(&self) -> &Arc<Session> {
        self.ingest.session()
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        let session = self.session();
        let received = session.bytes_received.load(Ordering::Relaxed);
        log::published(
            session,
            self.began.elapsed(),
            received.saturating_sub(self.before.unwrap_or(received)),
        );
        self.session().end();
    }
}
