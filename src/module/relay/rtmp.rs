//! RTMP connection of a relay.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::timeout;

use super::connect::connect;
use super::destination::Destination;
use super::error::RelayError;
use super::outcome::{RelayEnd, setup_time};
use crate::limits;
use crate::media::split_query;
use crate::media::{trail, trail_proof};
use crate::module::relay::relays::Relays;
use crate::net::moderation;
use crate::net::read_pause::ReadMethod;
use crate::net::socket::Socket;
use crate::wire::rtmp::ClientSession;
use crate::wire::rtmp::client_session::{ClientEvent, ClientPurpose, ClientSettings};

/// A connection to another server.
pub(super) struct Upstream {
    pub(super) socket: Arc<Socket>,
    pub(super) core: ClientSession,
    /// Whether the delivery loop writes to the socket.
    pub(super) is_lent: bool,
}

/// Parameters of a connection.
pub(super) struct ConnectSettings<'a> {
    /// For resolution and TLS.
    pub(super) relays: &'a Relays,
    /// Connect timeout.
    pub(super) connect: Duration,
    /// Chunk size for sending.
    pub(super) chunk_size: u32,
    /// Maximum length of received messages.
    pub(super) max_message: usize,
    /// Buffer length announced when playing.
    pub(super) buffer: Duration,
    /// Trail of the relay.
    pub(super) trail: Bytes,
}

thread_local! {
    /// One read buffer per worker, as with client connections.
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; limits::READ_BUFFER].into());
}

impl Upstream {
    /// Connects and waits until the other server starts the stream.
    pub(super) async fn start(
        destination: &Destination,
        purpose: fn(Bytes) -> ClientPurpose,
        terms: ConnectSettings<'_>,
    ) -> Result<Upstream, RelayEnd> {
        let limit = setup_time(terms.connect);
        let socket = connect(terms.relays, &destination.address, terms.connect).await?;
        let purpose = purpose(destination.name_and_query());
        let (verb, asked) = match &purpose {
            ClientPurpose::Play { name } => ("play", name),
            ClientPurpose::Publish { name } => ("publish", name),
        };
        let (name, _) = split_query(asked);
        let asked = trail_proof::ProofPurpose { verb, app: &destination.app, name: &name };
        let proof = terms.relays.trails.proof(&terms.trail, asked);
        let member = |name: &'static str, value: Bytes| (Bytes::from_static(name.as_bytes()), value.into());
        let settings = ClientSettings {
            flash_ver: destination.flash_ver.clone(),
            page_url: destination.page_url.clone(),
            swf_url: destination.swf_url.clone(),
            extra: vec![
                member(trail::CONNECT_MEMBER, terms.trail),
                member(trail_proof::CONNECT_MEMBER, proof),
            ],
            chunk_size: terms.chunk_size,
            max_message: terms.max_message,
            buffer_length: terms.buffer,
            ..ClientSettings::new(destination.app.clone(), destination.tc_url(), purpose)
        };
        let core = ClientSession::new(settings, Instant::now(), crate::task::seed());
        moderation::is_prompt(socket.descriptor());
        let mut upstream = Upstream { socket: Arc::new(socket), core, is_lent: false };
        match timeout(limit, upstream.until_started()).await {
            Ok(Ok(())) => Ok(upstream),
            Ok(Err(end)) => Err(end),
            Err(_) => Err(RelayError::StartTimeout(limit).into()),
        }
    }

    async fn until_started(&mut self) -> Result<(), RelayEnd> {
        loop {
            self.flush().await?;
            while let Some(event) = self.core.poll_event() {
                match event {
                    ClientEvent::Started => return Ok(()),
                    event => check(event)?,
                }
            }
            self.read().await?;
        }
    }

    /// Sends what the protocol core has queued.
    pub(super) async fn flush(&mut self) -> Result<(), RelayEnd> {
        let Some(bytes) = self.core.poll_transmit() else { return Ok(()) };
        match timeout(limits::DEFAULT_SEND_TIMEOUT, self.socket.write_all(&bytes)).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(RelayError::SendTimeout.into()),
        }
    }

    /// Waits for input and processes a bounded amount of it.
    pub(super) async fn read(&mut self) -> Result<(), RelayEnd> {
        self.socket.readable().await?;
        self.read_with(Socket::try_read)
    }

    /// Processes a bounded amount of input.
    pub(super) fn read_with(&mut self, read: ReadMethod) -> Result<(), RelayEnd> {
        READ_BUFFER.with_borrow_mut(|buffer| match read(&self.socket, buffer) {
            Ok(0) => Err(RelayEnd::Closed),
            Ok(n) => Ok(self.core.handle_input(&buffer[..n], Instant::now())?),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(()),
            Err(e) => Err(e.into()),
        })
    }
}

/// Converts a status of level `error` to a refusal; others are ignored.
pub(super) fn check(event: ClientEvent) -> Result<(), RelayEnd> {
    match event {
        ClientEvent::Status { level, code, .. } if &level[..] == b"error" => {
            Err(RelayError::Answer(code).into())
        }
        _ => Ok(()),
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if self.is_lent {
            return;
        }
        // Ends the stream properly if the socket accepts the data at once; otherwise closing suffices.
        self.core.close();
        if let Some(bytes) = self.core.poll_transmit() {
            let _ = self.socket.try_write(&bytes);
        }
    }
}
