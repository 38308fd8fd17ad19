//! A blocking RTMP client over the library's client session.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pingosd::wire::rtmp::client_session::{ClientEvent, ClientPurpose, ClientSession, ClientSettings};

use super::wait::PATIENCE;

/// How a connection ended, as the client saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The server closed it.
    Closed,
    /// An HTTP response was complete.
    Complete,
    /// The server, or the system on its behalf, reset it.
    Reset,
    /// The server broke the protocol, or refused by it.
    Protocol(String),
}

/// One connection, read only when asked to.
pub struct RtmpClient {
    pub socket: TcpStream,
    pub session: ClientSession,
    events: VecDeque<ClientEvent>,
    end: Option<End>,
}

impl RtmpClient {
    /// Connects to `port` and begins to publish `name`.
    pub fn publish(port: u16, app: &str, name: &str) -> Self {
        RtmpClient::open(
            port,
            settings(port, app, ClientPurpose::Publish { name: Bytes::copy_from_slice(name.as_bytes()) }),
        )
    }

    /// Connects to `address`, with its port, and begins to publish `name`.
    pub fn publish_at(address: &str, app: &str, name: &str) -> Self {
        let purpose = ClientPurpose::Publish { name: Bytes::copy_from_slice(name.as_bytes()) };
        RtmpClient::over(TcpStream::connect(address).unwrap(), settings(0, app, purpose))
    }

    /// Connects to `port` and begins to play `name`.
    pub fn play(port: u16, app: &str, name: &str) -> Self {
        RtmpClient::open(
            port,
            settings(port, app, ClientPurpose::Play { name: Bytes::copy_from_slice(name.as_bytes()) }),
        )
    }

    /// Connects with settings of its own.
    pub fn open(port: u16, settings: ClientSettings) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        RtmpClient::over(socket, settings)
    }

    /// Over a socket that was prepared.
    pub fn over(socket: TcpStream, settings: ClientSettings) -> Self {
        socket.set_nodelay(true).unwrap();
        let session = ClientSession::new(settings, Instant::now(), [7; 32]);
        let mut client = RtmpClient { socket, session, events: VecDeque::new(), end: None };
        client.flush();
        client
    }

    /// Sends what the session has to say.
    pub fn flush(&mut self) {
        if let Some(bytes) = self.session.poll_transmit()
            && let Err(error) = self.socket.write_all(&bytes)
        {
            self.end.get_or_insert(end_of(&error));
        }
    }

    /// Takes what has come; waits for it, but no longer than `wait`.
    pub fn read(&mut self, wait: Duration) {
        let mut buffer = [0; 16 * 1024];
        self.socket.set_read_timeout(Some(wait.max(Duration::from_millis(1)))).unwrap();
        match self.socket.read(&mut buffer) {
            Ok(0) => self.end = Some(End::Closed),
            Ok(n) => self.take(&buffer[..n]),
            Err(error) if is_timeout(&error) => {}
            Err(error) => self.end = Some(end_of(&error)),
        }
    }

    /// Processes bytes that were read from the socket elsewhere.
    pub fn take(&mut self, bytes: &[u8]) {
        if let Err(error) = self.session.handle_input(bytes, Instant::now()) {
            self.end = Some(End::Protocol(error.to_string()));
        }
        self.events.extend(std::iter::from_fn(|| self.session.poll_event()));
        self.flush();
    }

    /// The next event that has been taken.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// How the connection ended, if that was seen.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Waits for an event that fits; what comes before it is thrown away.
    #[track_caller]
    pub fn wait_event(&mut self, what: &str, mut fits: impl FnMut(&ClientEvent) -> bool) -> ClientEvent {
        let due = Instant::now() + PATIENCE;
        loop {
            while let Some(event) = self.events.pop_front() {
                if fits(&event) {
                    return event;
                }
            }
            assert_eq!(self.end, None, "the connection ended before {what}");
            assert!(Instant::now() < due, "waited in vain for {what}");
            self.read(Duration::from_millis(100));
        }
    }

    /// Waits until publish or play was accepted.
    #[track_caller]
    pub fn wait_started(mut self) -> Self {
        self.wait_event("publish or play was accepted", |event| *event == ClientEvent::Started);
        self
    }

    /// Waits for a status with this code.
    #[track_caller]
    pub fn wait_status(&mut self, wanted: &str) {
        self.wait_event(wanted, |event| matches!(event, ClientEvent::Status { code, .. } if code == wanted));
    }

    /// Waits until the connection has ended; what else comes is thrown away.
    #[track_caller]
    pub fn wait_end(&mut self) -> End {
        let due = Instant::now() + PATIENCE;
        loop {
            if let Some(end) = &self.end {
                return end.clone();
            }
            assert!(Instant::now() < due, "waited in vain for the end of the connection");
            self.read(Duration::from_millis(100));
            self.events.clear();
        }
    }

    /// Ends the stream and the connection as a client should.
    pub fn leave(mut self) {
        self.session.close();
        self.flush();
        // Closed with unread input, the connection would be reset, and the server would lose what it has not read.
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
        let deadline = Instant::now() + PATIENCE;
        while self.end.is_none() && Instant::now() < deadline {
            self.read(Duration::from_millis(100));
        }
    }

    /// Ends the connection with a reset, as a killed process with unread input does.
    pub fn reset(self) {
        socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// Usual settings.
pub fn settings(port: u16, app: &str, purpose: ClientPurpose) -> ClientSettings {
    ClientSettings::new(app.to_owned(), format!("rtmp://127.0.0.1:{port}/{app}"), purpose)
}

/// Whether a read with a timeout ran out of time.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// What an error of the socket means.
pub fn end_of(error: &io::Error) -> End {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => End::Reset,
        _ => End::Protocol(error.to_string()),
    }
}
