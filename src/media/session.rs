//! Data of every session, RTMP or HTTP, publisher or player: number, addresses, role, counters, and a way to close it.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;
use strum::{EnumCount, FromRepr};
use tokio::sync::{Notify, oneshot};

use super::delivery::PlayerLink;
pub use super::listing::{ListedSession, Sessions, Traffic};
use super::trail::Trail;
use crate::hub::counters::MediaTimes;
use crate::hub::info::MediaInfo;
use crate::hub::registry::StreamKey;
use crate::hub::stream::Stream;
use crate::limits;
use crate::net::socket::Peer;
use crate::notify::AnsweredLimits;

/// Reason for a session's end (`$finalize_reason`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumCount, FromRepr)]
#[repr(u8)]
pub enum Reason {
    /// Internal error.
    #[default]
    InternalErr,
    /// The peer disconnected or ended its stream.
    NormalClose,
    /// Writing to an RTMP peer failed.
    RtmpSendErr,
    /// An RTMP peer accepted nothing during the send timeout.
    RtmpSendTimeout,
    /// Writing to an HTTP player failed.
    FlvSendErr,
    /// An HTTP player accepted nothing during the send timeout.
    FlvSendTimeout,
    /// An RTMP peer violated the protocol or broke the connection.
    RtmpRecvErr,
    /// Dropped by the control interface.
    ControlDrop,
    /// The publisher sent no media.
    DropIdle,
    /// A callback gave no answer.
    NotifyErr,
    /// A callback refused.
    NotifyRefused,
    /// The stream ended and `idle_streams` is off.
    StreamEnd,
    /// The server stopped.
    ProcessExit,
    /// An answer to a pull, push or meta callback disconnected the sessions that depend on the relay.
    RelayRefused,
    /// The session would feed its stream with itself.
    RelayLoop,
    /// A limit of its application was reached.
    OverLimit,
    /// Another server of the cluster has the publisher's name.
    NameLost,
}

impl Reason {
    /// PingOS's name of the reason.
    pub fn name(self) -> &'static str {
        match self {
            Reason::InternalErr => "internal_err",
            Reason::NormalClose => "normal_close",
            Reason::RtmpSendErr => "rtmp_send_err",
            Reason::RtmpSendTimeout => "rtmp_send_timeout",
            Reason::FlvSendErr => "flv_send_err",
            Reason::FlvSendTimeout => "flv_send_timeout",
            Reason::RtmpRecvErr => "rtmp_recv_err",
            Reason::ControlDrop => "control_drop",
            Reason::DropIdle => "drop_idle",
            Reason::NotifyErr => "notify_notify_err",
            Reason::NotifyRefused | Reason::RelayRefused => "notify_relay_err",
            Reason::StreamEnd | Reason::NameLost => "relay_close",
            Reason::ProcessExit => "process_exit",
            Reason::RelayLoop => "relay_loop",
            Reason::OverLimit => "over_limit",
        }
    }
}

/// Role of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Publishes a stream.
    Publisher,
    /// Plays a stream.
    Player,
}

impl Role {
    /// What it asks for: `publish` or `play`.
    pub fn verb(self) -> &'static str {
        match self {
            Role::Publisher => "publish",
            Role::Player => "play",
        }
    }
}

/// Protocol of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RTMP.
    Rtmp,
    /// HTTP-FLV.
    HttpFlv,
    /// MPEG-TS over HTTP.
    HttpTs,
    /// HLS from memory.
    Hls2,
}

/// Identification of a client: what it sent, and what was derived from that.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Host in tcUrl, or in the `Host` header.
    pub domain: Bytes,
    /// Application.
    pub app: Bytes,
    /// Stream name.
    pub name: Bytes,
    /// Query of the application.
    pub args: Bytes,
    /// Query of the stream name, or of the HTTP request.
    pub pargs: Bytes,
    /// tcUrl of connect; synthesised for an HTTP player.
    pub tc_url: Bytes,
    /// pageUrl, or Referer header.
    pub page_url: Bytes,
    /// swfUrl.
    pub swf_url: Bytes,
    /// flashVer.
    pub flash_ver: Bytes,
    /// audioCodecs of connect.
    pub audio_codecs: u32,
    /// videoCodecs of connect.
    pub video_codecs: u32,
    /// `serverid` of the virtual server.
    pub serverid: Bytes,
    /// `rtmp`, `rtmps`, `http` or `https`.
    pub scheme: &'static str,
    /// Servers through which a relay has come; empty for other clients.
    pub trail: Trail,
}

/// Times of a session's events for callback variables, in milliseconds of the server's clock; 0 if not reached.
#[derive(Debug, Default)]
pub struct SessionMoments {
    /// End of the handshake.
    pub handshake_done: AtomicU64,
    /// `connect`.
    pub connect: AtomicU64,
    /// `createStream`.
    pub create_stream: AtomicU64,
    /// `publish` or `play`.
    pub ptime: AtomicU64,
    /// First media or metadata.
    pub first_data: AtomicU64,
    /// First metadata.
    pub first_metadata: AtomicU64,
    /// First audio.
    pub first_audio: AtomicU64,
    /// First video.
    pub first_video: AtomicU64,
    /// `closeStream`.
    pub close_stream: AtomicU64,
}

/// A media session.
#[derive(Debug)]
pub struct Session {
    /// Connection number: `clientid` of callbacks, `<id>` of statistics, `*N` of the error log.
    pub id: u64,
    /// Both ends' addresses.
    pub peer: Peer,
    /// Protocol.
    pub protocol: Protocol,
    /// Role.
    pub role: Role,
    /// Identification.
    pub identity: Identity,
    /// Its stream's key.
    pub key: StreamKey,
    /// Start of the connection.
    pub started: Instant,
    /// `started` in milliseconds of the server's clock.
    pub init: u64,
    /// Times of events.
    pub moments: SessionMoments,
    /// Time since which it lacks an application because of a reload, if that is to end it; 0 otherwise.
    pub orphaned: AtomicU64,
    /// Bytes received from a publisher.
    pub bytes_received: AtomicU64,
    /// A player's counters.
    pub link: Arc<PlayerLink>,
    /// Whether its client was asked to reconnect.
    pub asked_to_reconnect: AtomicBool,
    /// Number of the claim of a publisher's name in the cluster (`epoch=`), or of the one that a relay pulls; 0 without one.
    pub epoch: AtomicU64,
    /// HTTP status of its last callback; 0 before the first one, `u64::MAX` after a failure.
    pub notify_status: AtomicU64,
    reason: AtomicU8,
    close: Notify,
    closing: OnceLock<Reason>,
    stream: OnceLock<Arc<Stream>>,
    /// Limits in the answer to a publisher's `start`.
    pub answered_limits: OnceLock<Box<AnsweredLimits>>,
    /// Identification that a relay sends to the other server, once known.
    pub relayed_as: OnceLock<Box<Identity>>,
    /// Host and port of the other server of a relay, once known.
    pub relayed_to: Mutex<Option<Box<(String, u16)>>>,
    /// Whether a control request holds back what the publisher sends.
    pub is_paused: AtomicBool,
    /// Whether its connection can change to another stream.
    moves: AtomicBool,
    next_move: Mutex<Option<StreamMove>>,
    next_move_ready: Notify,
    over: AtomicBool,
    ending: Notify,
    statuses: Mutex<VecDeque<StatusMessage>>,
    status_ready: Notify,
}

/// A status message that the server sends of its own accord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusMessage {
    /// `status` or `error`.
    pub level: &'static str,
    /// For example `NetStream.Record.Start`.
    pub code: &'static str,
    /// Human-readable text.
    pub description: String,
}

/// A request to a connection to change to another stream.
#[derive(Debug)]
pub struct StreamMove {
    /// Name of the stream, which may have a query.
    pub name: Bytes,
    /// To be dropped when the connection has arrived, or has failed to.
    pub arrival: Arrival,
}

/// Dropped when a session that moves has arrived.
#[derive(Debug)]
pub struct Arrival(#[expect(dead_code, reason = "dropping it tells the receiver")] oneshot::Sender<()>);

impl Session {
    /// Creates a session for a publish, play or HTTP request.
    #[allow(
        clippy::too_many_arguments,
        reason = "one call site per protocol; a builder would hide what is set"
    )]
    pub fn new(
        id: u64,
        peer: Peer,
        protocol: Protocol,
        role: Role,
        identity: Identity,
        started: Instant,
        moments: SessionMoments,
    ) -> Self {
        let key = StreamKey::new(identity.serverid.clone(), identity.app.clone(), identity.name.clone());
        let link = Arc::new(PlayerLink::of_request(moments.ptime.load(Ordering::Relaxed)));
        Session {
            id,
            peer,
            protocol,
            role,
            identity,
            key,
            started,
            init: millis(started),
            moments,
            orphaned: AtomicU64::new(0),
            bytes_received: AtomicU64::new(0),
            link,
            asked_to_reconnect: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
            notify_status: AtomicU64::new(0),
            reason: AtomicU8::new(Reason::InternalErr as u8),
            close: Notify::new(),
            closing: OnceLock::new(),
            stream: OnceLock::new(),
            answered_limits: OnceLock::new(),
            relayed_as: OnceLock::new(),
            relayed_to: Mutex::default(),
            is_paused: AtomicBool::new(false),
            moves: AtomicBool::new(false),
            next_move: Mutex::default(),
            next_move_ready: Notify::new(),
            over: AtomicBool::new(false),
            ending: Notify::new(),
            statuses: Mutex::default(),
            status_ready: Notify::new(),
        }
    }

    /// Queues a status message for its connection. If [`limits::SESSION_STATUSES`] are queued, the oldest is dropped.
    pub fn tell(&self, level: &'static str, code: &'static str, description: String) {
        let mut statuses = self.statuses.lock();
        if statuses.len() >= limits::SESSION_STATUSES {
            statuses.pop_front();
        }
        statuses.push_back(StatusMessage { level, code, description });
        drop(statuses);
        self.status_ready.notify_one();
    }

    /// Waits for a status message to send.
    pub async fn next_status(&self) -> StatusMessage {
        loop {
            let ready = self.status_ready.notified();
            let next = self.statuses.lock().pop_front();
            if let Some(status) = next {
                return status;
            }
            ready.await;
        }
    }

    /// Requests the end of the session. The first reason counts.
    pub fn close(&self, reason: Reason) {
        if self.closing.set(reason).is_ok() {
            self.close.notify_one();
        }
    }

    /// Waits until the end of the session was requested.
    pub async fn closed(&self) -> Reason {
        loop {
            let asked = self.close.notified();
            if let Some(reason) = self.closing.get() {
                return *reason;
            }
            asked.await;
        }
    }

    /// From now on [`Session::next_move`] is waited for.
    pub fn accept_moves(&self) {
        self.moves.store(true, Ordering::Release);
    }

    /// Asks its connection to change to the stream of this name, which may have a query. The latest request counts. The
    /// result resolves when it has arrived there, or has failed to; `None` if the connection cannot move.
    pub fn move_to(&self, name: Bytes) -> Option<impl Future<Output = ()> + Send + use<>> {
        if !self.moves.load(Ordering::Acquire) {
            return None;
        }
        let (arrival, arrived) = oneshot::channel();
        *self.next_move.lock() = Some(StreamMove { name, arrival: Arrival(arrival) });
        self.next_move_ready.notify_one();
        Some(async move {
            let _ = arrived.await;
        })
    }

    /// Waits for a request to change to another stream.
    pub async fn next_move(&self) -> StreamMove {
        loop {
            let ready = self.next_move_ready.notified();
            let next = self.next_move.lock().take();
            if let Some(next) = next {
                return next;
            }
            ready.await;
        }
    }

    /// Sets the session's stream, for variables about its media.
    pub fn set_stream(&self, stream: Arc<Stream>) {
        // A session has one stream; a second call would set the same.
        let _ = self.stream.set(stream);
    }

    /// Number of its stream.
    pub fn stream_id(&self) -> Option<u64> {
        self.stream.get().map(|stream| stream.id())
    }

    /// Its stream, once it has entered it.
    pub fn stream(&self) -> Option<&Arc<Stream>> {
        self.stream.get()
    }

    /// Newest timestamps of the frames that it has sent or was sent.
    pub fn times(&self) -> MediaTimes {
        match self.role {
            Role::Player => self.link.times(),
            Role::Publisher => self
                .stream()
                .filter(|stream| stream.publisher() == Some(self.id))
                .map_or_else(MediaTimes::default, |stream| stream.counters().times()),
        }
    }

    /// Its traffic so far.
    pub fn traffic(&self) -> Traffic {
        let received = self.bytes_received.load(Ordering::Relaxed);
        Traffic { received, sent: self.link.bytes_sent.load(Ordering::Relaxed) }
    }

    /// Properties of its stream's media.
    pub fn stream_info(&self) -> MediaInfo {
        self.stream.get().map(|stream| stream.info()).unwrap_or_default()
    }

    /// Marks the session as ended, for everything that must not outlive it.
    pub fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.ending.notify_waiters();
    }

    /// Waits until the session has ended.
    pub async fn ended(&self) {
        // Created before the flag is checked, so that no end is missed.
        let ending = self.ending.notified();
        if !self.over.load(Ordering::Acquire) {
            ending.await;
        }
    }

    /// Records the reason for its end, for `$finalize_reason` and the logs.
    pub fn set_reason(&self, reason: Reason) {
        self.reason.store(reason as u8, Ordering::Relaxed);
    }

    /// Reason for its end.
    pub fn reason(&self) -> Reason {
        Reason::from_repr(self.reason.load(Ordering::Relaxed)).unwrap_or_default()
    }
}

/// Milliseconds of the server's monotonic clock, counted from its first use.
pub fn millis(at: Instant) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    // From 1 on, so that 0 can mean "not reached".
    let start = *START.get_or_init(Instant::now);
    at.checked_duration_since(start).map_or(1, |d| d.as_millis() as u64 + 1)
}

/// Records the time of an event when it first occurs.
pub fn mark(moment: &AtomicU64) {
    if moment.load(Ordering::Relaxed) == 0 {
        moment.store(millis(Instant::now()), Ordering::Relaxed);
    }
}
