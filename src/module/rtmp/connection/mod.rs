//! An RTMP connection: one task that owns the socket, the protocol core and the session's part in a stream.
//!
//! A player's media does not pass through this task: after `play` is accepted, the sending side of the socket belongs
//! to the worker's delivery loop, and the task only reads, answers pings and waits for the end.

pub mod connecting;
pub mod farewell;
pub mod identity;
pub mod play;
pub mod publish;
pub mod streams;
pub mod waiting;
use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use self::connecting::{Connecting, NotifiedConnection};
use self::play::Playing;
use self::publish::Publishing;
use self::waiting::{WaitEvent, asked_to_close};
use crate::config::store::Store;
use crate::directive::ListenAddr;
use crate::hub::headers::{HeaderKey, HeaderList};
use crate::limits;
use crate::media::admission::{Admission, AdmissionRefusal, AdmittedSession};
use crate::media::codec::track;
use crate::media::conf::Conf;
use crate::media::ingest::Intake;
use crate::media::server_conf::ServerConf;
use crate::media::session::{Identity, Reason, Role, Session, SessionMoments, Sessions, StatusMessage, mark};
use crate::media::trail::{self, Claim};
use crate::media::trail_proof;
use crate::media::view::AppView;
use crate::media::workers::Worker;
use crate::module::rtmp::log;
use crate::net::read_pause::ReadMethod;
use crate::net::socket::{Peer, Socket};
use crate::notify::Notifier;
use crate::task::fault;
use crate::task::lifetime::Lifetime;
use crate::wire::MediaKind;
use crate::wire::rtmp::server_session::{
    Connect, RequestId, ServerEvent, ServerSession, ServerSessionSettings,
};

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
    /// Shutdown of the process.
    pub lifetime: Lifetime,
    /// Number of open connections, limited by `max_connections`.
    pub open: AtomicU64,
}

/// Serves an accepted connection until its end.
pub async fn serve(rtmp: Arc<RtmpService>, worker: Worker, listen: ListenAddr, socket: Socket) {
    let id = rtmp.sessions.next_id();
    let Ok(peer) = socket.peer() else { return };
    let config = rtmp.store.load();
    log::connected(id, &peer, &listen);
    // Servers for this specific address may share the wildcard's socket.
    let listen = socket.local(listen);
    let Some(servers) = config.rtmp.as_ref().and_then(|conf| conf.servers_at(&listen)) else { return };
    let server = servers.default_server();
    let conf = server.get::<ServerConf>();
    let (settings, timeout) = (settings_of(conf, server.base.get()), conf.timeout.duration());
    // A reference kept here would live as long as the connection.
    drop(config);
    let _open = OpenConnection::count(&rtmp);
    // Until an application is known: replies delayed by Nagle's algorithm would take 40 ms.
    socket.set_nodelay(true);
    let now = Instant::now();
    let mut connection = Box::new(RtmpConnection {
        core: ServerSession::new(settings, now, crate::task::seed()),
        timeout,
        rtmp,
        worker,
        listen,
        socket: Arc::new(socket),
        id,
        peer,
        started: now,
        moments: SessionMoments::default(),
        connected: None,
        connecting: None,
        notified: None,
        part: StreamPart::None,
        leaving: false,
        farewell: false,
    });
    let reason = match connection.run().await {
        Ok(never) => match never {},
        Err(end) => connection.end(end).await,
    };
    log::disconnected(connection.id, &connection.peer, reason, connection.core.bytes_received());
}

/// Settings of the protocol core from those of a virtual server.
fn settings_of(held: &ServerConf, base: &Conf) -> ServerSessionSettings {
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

/// Reason for the end of a connection.
enum ConnectionEnd {
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

struct RtmpConnection {
    rtmp: Arc<RtmpService>,
    worker: Worker,
    listen: ListenAddr,
    socket: Arc<Socket>,
    core: ServerSession,
    id: u64,
    peer: Peer,
    started: Instant,
    moments: SessionMoments,
    timeout: Duration,
    connected: Option<Connected>,
    /// A `connect` command that waits for its answer.
    connecting: Option<Box<Connecting>>,
    /// Set when `on_connect` was called.
    notified: Option<NotifiedConnection>,
    part: StreamPart,
    /// Whether the delivery loop was asked for the sending side: until it is back, nothing is sent and no event
    /// handled.
    leaving: bool,
    /// Whether the peer was informed that the server drains.
    farewell: bool,
}

/// Result of `connect`.
struct Connected {
    view: AppView,
    identity: Identity,
    /// Trail that the peer claims.
    claim: Claim,
    /// Whether the peer supports reconnect requests.
    reconnects: bool,
}

/// The connection's part in a stream.
enum StreamPart {
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
type PendingVerdict =
    Pin<Box<dyn Future<Output = (Box<AdmittedSession>, Result<(), AdmissionRefusal>)> + Send>>;

struct Pending {
    /// Headers that an encoder sends without waiting for the answer.
    early: EarlyHeaders,
    request: RequestId,
    stream_id: u32,
    session: Arc<Session>,
    verdict: PendingVerdict,
}

/// The newest metadata and codec headers that arrived before a publisher was admitted. Without them the stream could
/// not be played; early frames are dropped.
#[derive(Default)]
struct EarlyHeaders(HeaderList<(MediaKind, u32, Bytes)>);

impl EarlyHeaders {
    fn keep(&mut self, kind: MediaKind, timestamp: u32, payload: Bytes) {
        let class = track::early_class(kind, &payload);
        if let Some(key) = class.and_then(|class| HeaderKey::of(kind, class, &payload)) {
            self.0.keep(key, payload.len(), (kind, timestamp, payload));
        }
    }

    /// Metadata first, as encoders send it.
    fn into_iter(mut self) -> impl Iterator<Item = (MediaKind, u32, Bytes)> {
        self.0.take()
    }
}

enum Never {}

/// Counts an open RTMP connection.
struct OpenConnection(Arc<RtmpService>);

impl OpenConnection {
    fn count(rtmp: &Arc<RtmpService>) -> Self {
        rtmp.open.fetch_add(1, Ordering::Relaxed);
        OpenConnection(rtmp.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for RtmpConnection {
    fn drop(&mut self) {
        // After a regular end the player has already left. A panic, or the end of the thread, must not leave a player
        // in the delivery loop.
        if let StreamPart::Playing(playing) = &self.part {
            playing.leave(&self.worker.delivery);
        }
    }
}

thread_local! {
    /// One read buffer per worker, so that an idle connection needs none.
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; limits::READ_BUFFER].into());
}

impl RtmpConnection {
    async fn run(&mut self) -> Result<Never, ConnectionEnd> {
        loop {
            self.flush().await?;
            let wake = match self.part {
                // Boxed, so that connections of players do not reserve memory for it.
                StreamPart::Publishing(_) => Box::pin(self.wait_for_media()).await?,
                _ => self.wait().await?,
            };
            match wake {
                WaitEvent::Readable => self.read_turn(Socket::try_read).await?,
                WaitEvent::Changed => {}
                WaitEvent::Timer => self.handle_timer()?,
                WaitEvent::Verdict(entered, verdict) => self.admitted(entered, verdict)?,
                WaitEvent::ConnectVerdict(event, verdict) => self.connect_decided(*event, verdict)?,
                WaitEvent::Close(Reason::NotifyRefused) => return Err(self.refuse_publisher()),
                // As recorded from PingOS, without another status.
                WaitEvent::Close(reason @ Reason::RelayRefused) => return Err(ConnectionEnd::Told(reason)),
                WaitEvent::Close(reason) => {
                    if reason == Reason::ProcessExit {
                        self.say_exit();
                    }
                    return Err(ConnectionEnd::Because(reason));
                }
                WaitEvent::Draining => self.say_draining(),
                WaitEvent::Delivery => self.delivery_ended().await?,
                WaitEvent::Phase => self.phase_changed()?,
                WaitEvent::Status(StatusMessage { level, code, description }) => {
                    if let StreamPart::Publishing(publishing) = &self.part {
                        self.core.send_status(publishing.stream_id(), level, code, &description);
                    }
                }
            }
        }
    }

    fn handle_timer(&mut self) -> Result<(), ConnectionEnd> {
        let now = Instant::now();
        if self.connected.is_none() && self.connecting.is_none() && now >= self.started + self.timeout {
            return Err(ConnectionEnd::TimedOut);
        }
        if let StreamPart::Publishing(publishing) = &self.part
            && publishing.idle_due().is_some_and(|due| now >= due)
        {
            return Err(ConnectionEnd::Because(Reason::DropIdle));
        }
        self.core.handle_timeout(now).map_err(ConnectionEnd::Protocol)
    }

    /// Reads available data with `how`, a bounded amount at a time.
    async fn read_turn(&mut self, how: ReadMethod) -> Result<(), ConnectionEnd> {
        if self.read(how)? {
            // Lets other tasks of the worker run, even if this peer sends without pause.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Reads with `how` and processes the data; returns whether there may be more.
    fn read(&mut self, how: ReadMethod) -> Result<bool, ConnectionEnd> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            for _ in 0..limits::READS_PER_TURN {
                match how(&self.socket, buffer) {
                    Ok(0) => return Err(ConnectionEnd::Closed),
                    Ok(n) => {
                        let mut input = &buffer[..n];
                        while !input.is_empty() {
                            let outcome = self.core.handle_some_input(&mut input, Instant::now());
                            // Input before a protocol error still counts.
                            self.handle_events()?;
                            outcome.map_err(ConnectionEnd::Protocol)?;
                        }
                        if n < buffer.len() {
                            return Ok(false);
                        }
                    }
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(ConnectionEnd::Io(e)),
                }
            }
            Ok(true)
        })
    }

    fn handle_events(&mut self) -> Result<(), ConnectionEnd> {
        fault::panic_at("session");
        while !self.leaving
            && let Some(event) = self.core.poll_event()
        {
            match event {
                ServerEvent::HandshakeDone => mark(&self.moments.handshake_done),
                ServerEvent::Connect { request, connect } => self.connect(request, &connect)?,
                ServerEvent::CreateStream { .. } => mark(&self.moments.create_stream),
                ServerEvent::Publish { request, stream_id, name, .. } => {
                    self.begin(request, stream_id, &name, Role::Publisher)?;
                }
                ServerEvent::Play { request, stream_id, name, .. } => {
                    self.begin(request, stream_id, &name, Role::Player)?;
                }
                ServerEvent::Media { stream_id, kind, timestamp, payload } => match &mut self.part {
                    StreamPart::Publishing(publishing) if publishing.stream_id() == stream_id => {
                        publishing.media(kind, timestamp, payload);
                    }
                    StreamPart::Pending(pending) if pending.stream_id == stream_id => {
                        pending.early.keep(kind, timestamp, payload);
                    }
                    _ => {}
                },
                ServerEvent::CloseStream { stream_id } => self.close_stream(stream_id),
                ServerEvent::Pause { stream_id, paused } => {
                    if let StreamPart::Playing(playing) = &self.part
                        && playing.stream_id() == stream_id
                    {
                        playing.pause(&self.worker.delivery, paused);
                    }
                }
                ServerEvent::Seek { .. } | ServerEvent::BufferLength { .. } => {}
            }
        }
        if let StreamPart::Publishing(publishing) = &mut self.part {
            publishing.push(self.core.bytes_received());
        }
        Ok(())
    }

    /// Sends what the protocol core has queued: directly, or between two messages of a player's media.
    async fn flush(&mut self) -> Result<(), ConnectionEnd> {
        if self.leaving {
            return Ok(());
        }
        let Some(bytes) = self.core.poll_transmit() else { return Ok(()) };
        if let StreamPart::Playing(playing) = &self.part {
            playing.control(&self.worker.delivery, bytes);
            return Ok(());
        }
        self.write(&bytes).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), ConnectionEnd> {
        match self.socket.try_write(bytes) {
            Ok(n) if n == bytes.len() => Ok(()),
            Ok(n) => self.write_rest(&bytes[n..]).await,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.write_rest(bytes).await,
            Err(e) => Err(ConnectionEnd::Io(e)),
        }
    }

    /// Waits until the peer accepts the rest, unless the session is asked to end in the meantime.
    async fn write_rest(&mut self, bytes: &[u8]) -> Result<(), ConnectionEnd> {
        let timeout = if self.timeout.is_zero() { limits::DEFAULT_SEND_TIMEOUT } else { self.timeout };
        let session = self.session().cloned();
        tokio::select! {
            biased;
            written = self.socket.write_all(bytes) => Ok(written?),
            reason = asked_to_close(session.as_deref()) => Err(ConnectionEnd::Because(reason)),
            () = self.rtmp.lifetime.shutdown.cancelled() => Err(ConnectionEnd::Because(Reason::ProcessExit)),
            () = tokio::time::sleep(timeout) => Err(ConnectionEnd::TimedOut),
        }
    }

    fn session(&self) -> Option<&Arc<Session>> {
        match &self.part {
            StreamPart::None => None,
            StreamPart::Pending(pending) => Some(&pending.session),
            StreamPart::Discarding { entered, .. } => Some(entered.session()),
            StreamPart::Publishing(publishing) => Some(publishing.session()),
            StreamPart::Playing(playing) => Some(playing.session()),
        }
    }

    /// Ends the part in the stream, then the connection.
    async fn end(&mut self, end: ConnectionEnd) -> Reason {
        let (reason, notified) = match end {
            ConnectionEnd::Closed => (Reason::NormalClose, false),
            ConnectionEnd::Io(error) => {
                log::connection_failed(self.id, &error);
                (Reason::RtmpRecvErr, false)
            }
            ConnectionEnd::Protocol(error) => {
                log::protocol_error(self.id, &self.peer, &error);
                (Reason::RtmpRecvErr, false)
            }
            ConnectionEnd::TimedOut => {
                log::timed_out(self.id, &self.peer);
                (Reason::RtmpSendTimeout, false)
            }
            ConnectionEnd::Told(reason) => (reason, true),
            ConnectionEnd::Because(reason) => (reason, false),
        };
        if let Some(session) = self.session() {
            session.set_reason(reason);
        }
        if let Some(notified) = &self.notified {
            notified.session.set_reason(reason);
        }
        let playing = match std::mem::replace(&mut self.part, StreamPart::None) {
            StreamPart::Playing(playing) => {
                match reason {
                    Reason::StreamEnd | Reason::ProcessExit => playing.finish(&self.worker.delivery).await,
                    _ => playing.leave(&self.worker.delivery),
                }
                true
            }
            _ => false,
        };
        // The session's end is sent before the connection's.
        self.notified = None;
        if notified && !playing {
            self.close_gently().await;
        }
        reason
    }

    /// Makes sure that the peer can read the last message before the connection closes: closing with unread input would
    /// reset the connection, which could overtake the message.
    async fn close_gently(&mut self) {
        if let Some(bytes) = self.core.poll_transmit()
            && self.write(&bytes).await.is_err()
        {
            return;
        }
        self.socket.shutdown_write();
        let linger = async {
            while self.socket.readable().await.is_ok() {
                let read = READ_BUFFER.with_borrow_mut(|buffer| self.socket.try_read(buffer));
                match read {
                    Ok(0) => return,
                    Ok(_) => {}
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
        };
        let _ = tokio::time::timeout(limits::LINGER, linger).await;
    }
}

/// Trail that a relay sends in connect.
fn claim_of(connect: &Connect) -> Claim {
    let member = |wanted: &str| {
        let member = connect.extra.iter().find(|(name, _)| name == wanted);
        member.and_then(|(_, value)| value.as_str()).unwrap_or_default()
    };
    Claim::new(member(trail::CONNECT_MEMBER), member(trail_proof::CONNECT_MEMBER), &connect.app)
}
