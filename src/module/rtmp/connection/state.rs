//! State of an RTMP connection.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::play::Playing;
use super::publish::Publishing;
use crate::config::store::Store;
use crate::directive::ListenAddr;
use crate::hub::headers::{HeaderKey, HeaderList};
use crate::media::admission::{Admission, AdmissionRefusal, AdmittedSession};
use crate::media::codec::track;
use crate::media::conf::Conf;
use crate::media::extension::EndedClient;
use crate::media::ingest::Intake;
use crate::media::listing::Traffic;
use crate::media::past::Pasts;
use crate::media::server_conf::ServerConf;
use crate::media::session::{Arrival, Identity, Reason, Session, SessionMoments, Sessions, StreamMove};
use crate::media::trail::{self, Claim};
use crate::media::trail_proof;
use crate::media::view::AppView;
use crate::media::workers::Worker;
use crate::net::socket::{Peer, Socket};
use crate::notify::{Notifier, SessionEvent};
use crate::task::lifetime::Lifetime;
use crate::wire::MediaKind;
use crate::wire::rtmp::server_session::{Connect, RequestId, ServerSession, ServerSessionSettings};

/// Data shared by all RTMP connections.
pub struct RtmpService {
    /// The configuration in force.
    pub store: Arc<Store>,
    /// All sessions.
    pub sessions: Arc<Sessions>,
    /// Callbacks.
    pub callbacks: Notifier,
    /// Admission of sessions.
    pub admission: Arc<Admission>,
    /// Ingest of published media.
    pub intake: Arc<Intake>,
    /// What is recorded of streams.
    pub pasts: Arc<dyn Pasts>,
    /// Shutdown of the process.
    pub lifetime: Lifetime,
    /// Number of open connections, limited by `max_connections`.
    pub open: AtomicU64,
}

/// Reason for the end of a connection.
pub(super) enum ConnectionEnd {
    /// The peer closed the connection.
    Closed,
    /// Reading or writing failed.
    Io(io::Error),
    /// The peer violated the protocol.
    Protocol(crate::wire::rtmp::RtmpError),
    /// Nothing could be written, or no `connect` arrived, in time.
    TimedOut,
    /// The peer was informed and gets a moment to read the message.
    Told(Reason),
    /// Another local reason.
    Because(Reason),
}

impl From<io::Error> for ConnectionEnd {
    fn from(error: io::Error) -> Self {
        ConnectionEnd::Io(error)
    }
}

pub(super) struct RtmpConnection {
    pub(super) rtmp: Arc<RtmpService>,
    pub(super) worker: Worker,
    pub(super) listen: ListenAddr,
    pub(super) socket: Arc<Socket>,
    pub(super) core: ServerSession,
    pub(super) id: u64,
    pub(super) peer: Peer,
    pub(super) started: Instant,
    pub(super) moments: SessionMoments,
    pub(super) timeout: Duration,
    pub(super) connected: Option<Connected>,
    /// A `connect` command that waits for its answer.
    pub(super) connecting: Option<Box<Connecting>>,
    /// Set when `on_connect` was called.
    pub(super) notified: Option<NotifiedConnection>,
    pub(super) part: StreamPart,
    /// Whether the delivery loop was asked for the sending side: until it is back, nothing is sent and no event
    /// handled.
    pub(super) leaving: bool,
    /// The stream that a leaving player continues with.
    pub(super) next: Option<StreamMove>,
    /// Whether the peer was informed that the server drains.
    pub(super) farewell: bool,
    /// Bytes sent, without a player's media.
    pub(super) sent: u64,
}

/// Result of `connect`.
pub(super) struct Connected {
    pub(super) view: AppView,
    pub(super) identity: Identity,
    /// Trail that the peer claims.
    pub(super) claim: Claim,
    /// Whether the peer supports reconnect requests.
    pub(super) reconnects: bool,
}

/// The connection's part in a stream.
pub(super) enum StreamPart {
    None,
    /// Callbacks are pending.
    Pending(Box<Pending>),
    /// Admitted, but media is dropped: the name is taken, or the application is not live.
    Discarding {
        stream_id: u32,
        entered: Box<AdmittedSession>,
    },
    Publishing(Box<Publishing>),
    Playing(Box<Playing>),
}

/// Resolves when callbacks and access rules have decided.
pub(super) type PendingVerdict =
    Pin<Box<dyn Future<Output = (Box<AdmittedSession>, Result<(), AdmissionRefusal>)> + Send>>;

pub(super) struct Pending {
    /// What it comes with.
    pub(super) origin: Origin,
    pub(super) request: RequestId,
    pub(super) stream_id: u32,
    pub(super) session: Arc<Session>,
    pub(super) verdict: PendingVerdict,
}

/// What a session brings to its stream.
#[derive(Default)]
pub(super) struct Origin {
    /// Headers that an encoder sends without waiting for the answer, or has sent to the stream that it comes from.
    pub(super) early: EarlyHeaders,
    /// Set if it comes from another stream.
    pub(super) arrival: Option<Arrival>,
}

/// The newest metadata and codec headers that arrived before a publisher was admitted. Without them the stream could
/// not be played; early frames are dropped.
#[derive(Default)]
pub(super) struct EarlyHeaders(HeaderList<(MediaKind, u32, Bytes)>);

impl EarlyHeaders {
    pub(super) fn keep(&mut self, kind: MediaKind, timestamp: u32, payload: Bytes) {
        let class = track::early_class(kind, &payload);
        if let Some(key) = class.and_then(|class| HeaderKey::of(kind, class, &payload)) {
            self.0.keep(key, payload.len(), (kind, timestamp, payload));
        }
    }

    /// Metadata first, as encoders send it.
    pub(super) fn into_iter(mut self) -> impl Iterator<Item = (MediaKind, u32, Bytes)> {
        self.0.take()
    }
}

/// A connect command that waits for the answer of the callback.
pub(super) struct Connecting {
    pub(super) request: RequestId,
    pub(super) connected: Connected,
    pub(super) session: Arc<Session>,
    pub(super) verdict: ConnectVerdict,
}

/// Resolves when the callback was answered.
pub(super) type ConnectVerdict =
    Pin<Box<dyn Future<Output = (SessionEvent, Result<(), AdmissionRefusal>)> + Send>>;

/// A connection whose `start` was sent, and which therefore needs a `done`.
pub(super) struct NotifiedConnection {
    pub(super) session: Arc<Session>,
    /// Dropping it sends `done`.
    pub(super) _event: SessionEvent,
}

impl RtmpConnection {
    /// The session that publishes or plays, or waits for that.
    pub(super) fn session(&self) -> Option<&Arc<Session>> {
        match &self.part {
            StreamPart::None => None,
            StreamPart::Pending(pending) => Some(&pending.session),
            StreamPart::Discarding { entered, .. } => Some(entered.session()),
            StreamPart::Publishing(publishing) => Some(publishing.session()),
            StreamPart::Playing(playing) => Some(playing.session()),
        }
    }
}

impl Drop for RtmpConnection {
    fn drop(&mut self) {
        // After a regular end the player has already left. A panic, or the end of the thread, must not leave a player
        // in the delivery loop.
        if let StreamPart::Playing(playing) = &self.part {
            playing.leave(&self.worker.delivery);
        }
        let Some(connected) = &self.connected else { return };
        self.rtmp.admission.disconnected(EndedClient {
            id: self.id,
            peer: &self.peer,
            view: &connected.view,
            identity: &connected.identity,
            started: self.started,
            traffic: Traffic { received: self.core.bytes_received(), sent: self.sent },
        });
    }
}

/// Settings of the protocol core from those of a virtual server.
pub(super) fn settings_of(held: &ServerConf, base: &Conf) -> ServerSessionSettings {
    ServerSessionSettings {
        chunk_size: held.chunk_size.0,
        window_ack_size: u32::try_from(held.ack_window).unwrap_or(u32::MAX),
        max_message: usize::try_from(held.max_message.0).unwrap_or(usize::MAX),
        max_chunk_streams: u32::try_from(held.max_streams).unwrap_or(u32::MAX),
        ping: held.ping.nonzero(),
        ping_timeout: held.ping_timeout.duration(),
        busy: held.busy,
        publish_time_fix: base.publish_time_fix,
    }
}

/// Trail that a relay sends in connect.
pub(super) fn claim_of(connect: &Connect) -> Claim {
    let member = |wanted: &str| {
        let member = connect.extra.iter().find(|(name, _)| name == wanted);
        member.and_then(|(_, value)| value.as_str()).unwrap_or_default()
    };
    Claim::new(member(trail::CONNECT_MEMBER), member(trail_proof::CONNECT_MEMBER), &connect.app)
}
