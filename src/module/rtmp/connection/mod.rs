//! An RTMP connection: one task that owns the socket, the protocol core and the session's part in a stream.
//!
//! A player's media does not pass through this task: after `play` is accepted, the sending side of the socket belongs
//! to the worker's delivery loop, and the task only reads, answers pings and waits for the end.

pub mod connecting;
pub mod farewell;
pub mod identity;
mod past;
pub mod play;
pub mod publish;
mod state;
pub mod streams;
mod verify;
pub mod waiting;

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

pub use self::state::RtmpService;
use self::state::{ConnectionEnd, Origin, RtmpConnection, StreamPart, settings_of};
use self::waiting::{WaitEvent, asked_to_close};
use crate::directive::ListenAddr;
use crate::limits;
use crate::media::server_conf::ServerConf;
use crate::media::session::{Reason, Role, SessionMoments, StatusMessage, mark};
use crate::media::workers::Worker;
use crate::module::rtmp::log;
use crate::net::read_pause::ReadMethod;
use crate::net::socket::{Peer, Socket};
use crate::task::fault;
use crate::wire::rtmp::server_session::{ServerEvent, ServerSession};

/// Serves an accepted connection until its end.
pub async fn serve(rtmp: Arc<RtmpService>, worker: Worker, listen: ListenAddr, socket: Socket) {
    let id = rtmp.sessions.next_id();
    // As in the original, the address in the PROXY header is the session's: in access rules, callbacks and logs.
    let Ok(peer) = socket.peer().map(Peer::as_declared) else { return };
    let config = rtmp.store.load();
    log::connected(id, &peer, &listen);
    // Servers for this specific address may share the wildcard's socket.
    let listen = socket.local(listen);
    let Some(servers) = config.rtmp.as_ref().and_then(|conf| conf.servers_at(&listen)) else { return };
    if let Some(info) = socket.tls_info()
        && let Err(refusal) = verify::client(servers, info)
    {
        return log::client_refused(id, refusal, &peer);
    }
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
        next: None,
        farewell: false,
        sent: 0,
    });
    let reason = match connection.run().await {
        Ok(never) => match never {},
        Err(end) => connection.end(end).await,
    };
    let (peer, received) = (connection.peer.clone(), connection.core.bytes_received());
    // This writes the access log.
    drop(connection);
    log::disconnected(id, &peer, reason, received);
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
                WaitEvent::Close(Reason::OverLimit) => return Err(self.over_limit()),
                WaitEvent::Close(Reason::NameLost) => return Err(self.name_lost()),
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
                WaitEvent::Move(next) => self.move_to(next)?,
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
                    self.begin(request, stream_id, &name, Role::Publisher, Origin::default())?;
                }
                ServerEvent::Play { request, stream_id, name, .. } => {
                    self.begin(request, stream_id, &name, Role::Player, Origin::default())?;
                }
                ServerEvent::Media { stream_id, kind, timestamp, payload } => match &mut self.part {
                    StreamPart::Publishing(publishing) if publishing.stream_id() == stream_id => {
                        publishing.media(kind, timestamp, payload);
                    }
                    StreamPart::Pending(pending) if pending.stream_id == stream_id => {
                        pending.origin.early.keep(kind, timestamp, payload);
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
        self.sent += bytes.len() as u64;
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

    /// Ends the part in the stream, then the connection.
    async fn end(&mut self, end: ConnectionEnd) -> Reason {
        let (reason, notified) = match end {
            ConnectionEnd::Closed => (Reason::NormalClose, false),
            ConnectionEnd::Io(error) => {
                log::connection_failed(self.id, &error);
                (Reason::RtmpRecvErr, false)
            }
            ConnectionEnd::Protocol(error) => {
                match error {
                    crate::wire::rtmp::RtmpError::MessageTooLong { length, limit, .. }
                        if self.connected.is_some() =>
                    {
                        log::message_too_long(self.id, &self.peer, length, limit);
                    }
                    error => log::protocol_error(self.id, &self.peer, &error),
                }
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
        let sends_rest = notified || reason == Reason::StreamEnd;
        if let StreamPart::Playing(playing) = std::mem::replace(&mut self.part, StreamPart::None) {
            match sends_rest || reason == Reason::ProcessExit {
                true => playing.finish(&self.worker.delivery).await,
                false => playing.leave(&self.worker.delivery),
            }
        }
        // The session's end is sent before the connection's.
        self.notified = None;
        if sends_rest {
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
