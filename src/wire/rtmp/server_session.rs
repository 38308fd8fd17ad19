//! Server side of an RTMP connection.
//!
//! ```text
//!              C2 complete            connect               accept_connect
//!   Handshake ------------> Connecting -------> (asked) -----------------> Connected
//!                                                  |    reject_connect
//!                                                  +---------------------> Rejected
//!
//! Each message stream, once connected:
//!
//!            publish                  accept_publish
//!     Idle ---------> PublishPending --------------> Publishing
//!      |  ^                 |                            |
//!      |  |                 | reject_request             |
//!      |  |                 v                            |
//!      |  |              Refused  (media is dropped; publish and play may be tried again)
//!      |  |                 ^                            |
//!      |  |                 | reject_request             |
//!      |  |   play          |        accept_play         |
//!      |  +--------- PlayPending ------------------> Playing
//!      |                                                 |
//!      +<-- closeStream, deleteStream, FCUnpublish, play(false): from any state
//! ```
//!
//! Arrows that start with `accept_` or `reject_` are actions of the caller, all others of the peer. A pending request
//! does not block input: media for a stream that neither publishes nor has requested to is dropped; commands that
//! arrive before `connect` was answered are queued, within bounds, and handled right after the answer.
//!
//! [`ServerSession::ask_again`], an action of the caller too, leads from Publishing to PublishPending and from Playing to
//! PlayPending: the stream continues with other media.
//!
//! Differs from PingOS: a connection may publish again after deleteStream.

mod command;
mod connect;
mod event;
mod request_id;
mod settings;
mod stream;

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use super::RtmpError;
use super::handshake::ServerHandshake;
use super::link::{ChunkLink, status};
use super::message::{
    self, Control, Message, PeerBandwidthLimit, UserControl, data_body, split_aggregate, type_id,
};
use crate::limits::{CHUNK_SIZE, DEFERRED_BYTES, DEFERRED_COMMANDS};
use crate::wire::amf0::AmfValue;

pub use crate::wire::MediaKind;
pub use connect::Connect;
pub use event::{ConnectionPhase, ServerEvent};
pub use request_id::RequestId;
pub use settings::ServerSessionSettings;
use stream::{MessageStreams, StreamRole};

/// Server side of one connection. See the module documentation for its states.
///
/// Three kinds of methods, to be called in this order after every event:
/// 1. `handle_*`, `accept_*`, `reject_*`, `send_*` change the state;
/// 2. [`ServerSession::poll_event`] until it is empty, which may lead to more of the first kind;
/// 3. [`ServerSession::poll_transmit`] and [`ServerSession::poll_timeout`].
///
/// An error ends the session; queued bytes may still be sent.
#[derive(Debug)]
pub struct ServerSession {
    settings: ServerSessionSettings,
    phase: ConnectionPhase,
    /// `None` once complete.
    handshake: Option<ServerHandshake>,
    link: ChunkLink,
    streams: MessageStreams,
    connect: connect::ConnectState,
    /// Commands received while `connect` waits for its answer.
    deferred: Vec<Message>,
    /// Error that occurred outside `handle_*`; returned by the next call of one of them.
    failure: Option<RtmpError>,
    events: VecDeque<ServerEvent>,
    next_request: u64,
    start: Instant,
    last_input: Instant,
    /// Time of the unanswered ping request.
    pinged: Option<Instant>,
}

/// Event capacity that an idle publisher keeps; players have events only at the beginning.
const IDLE_EVENTS: usize = 16;

impl ServerSession {
    /// Waits for C0. `settings` are those of the listener, until [`ServerSession::accept_connect`] replaces them with
    /// those of the virtual server.
    pub fn new(settings: ServerSessionSettings, now: Instant, seed: [u8; 32]) -> Self {
        Self {
            phase: ConnectionPhase::Handshake,
            handshake: Some(ServerHandshake::new(seed)),
            link: ChunkLink::new(settings.unadmitted_limits(), settings.window_ack_size),
            settings,
            streams: MessageStreams::default(),
            connect: connect::ConnectState::None,
            deferred: Vec::new(),
            failure: None,
            events: VecDeque::new(),
            next_request: 1,
            start: now,
            last_input: now,
            pinged: None,
        }
    }

    /// Processes all of `input`.
    ///
    /// # Errors
    ///
    /// The peer violates RTMP; the connection must be closed.
    pub fn handle_input(&mut self, mut input: &[u8], now: Instant) -> Result<(), RtmpError> {
        loop {
            self.handle_some_input(&mut input, now)?;
            if input.is_empty() {
                return Ok(());
            }
        }
    }

    /// Like [`ServerSession::handle_input`], but stops after a connect, publish or play command, so that encoders that
    /// do not wait for the answer can be answered before the following input is processed. Consumes the processed part
    /// of `input`.
    ///
    /// # Errors
    ///
    /// As [`ServerSession::handle_input`].
    pub fn handle_some_input(&mut self, input: &mut &[u8], now: Instant) -> Result<(), RtmpError> {
        self.raise_failure()?;
        if input.is_empty() {
            return Ok(());
        }
        let before = *input;
        let outcome = self.handle_until_asked(input, now);
        self.link.count(&before[..before.len() - input.len()]);
        outcome?;
        self.link.finish_input()
    }

    fn handle_until_asked(&mut self, input: &mut &[u8], now: Instant) -> Result<(), RtmpError> {
        self.last_input = now;
        self.pinged = None;
        if let Some(handshake) = &mut self.handshake {
            let time = millis(now, self.start);
            if !handshake.handle_input(input, time, self.link.out())? {
                return Ok(());
            }
            self.handshake = None;
            self.phase = ConnectionPhase::Connecting;
            self.events.push_back(ServerEvent::HandshakeDone);
        }
        let asked = self.next_request;
        while let Some(message) = self.link.read(input)? {
            self.handle_message(message)?;
            if self.next_request != asked {
                break;
            }
        }
        Ok(())
    }

    /// Must be called at the time of [`ServerSession::poll_timeout`]; harmless earlier.
    ///
    /// # Errors
    ///
    /// A timeout expired; the connection must be closed.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), RtmpError> {
        self.raise_failure()?;
        let (Some(interval), false) = (self.settings.ping, self.phase == ConnectionPhase::Handshake) else {
            return Ok(());
        };
        match self.pinged {
            Some(sent) if now.duration_since(sent) >= self.settings.ping_timeout => {
                Err(RtmpError::PingTimeout)
            }
            None if now.duration_since(self.last_input) >= interval => {
                if self.settings.busy {
                    return Err(RtmpError::Idle);
                }
                self.pinged = Some(now);
                let request = UserControl::PingRequest(millis(now, self.start));
                self.link.send(&request.to_message());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Time at which [`ServerSession::handle_timeout`] must be called if nothing is received before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.failure.is_some() {
            return Some(self.last_input);
        }
        if self.phase == ConnectionPhase::Handshake {
            return None;
        }
        let interval = self.settings.ping?;
        match self.pinged {
            Some(sent) => sent.checked_add(self.settings.ping_timeout),
            None => self.last_input.checked_add(interval),
        }
    }

    /// Returns the next event. There are at most as many events as input bytes.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        let event = self.events.pop_front();
        let keep = if self.streams.has_publisher() { IDLE_EVENTS } else { 0 };
        if self.events.is_empty() && self.events.capacity() > keep {
            self.events = VecDeque::new();
        }
        event
    }

    /// Returns all bytes to be sent now.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.link.poll_transmit()
    }

    /// Accepts `connect`, with the settings of the virtual server. Returns whether the request was still pending.
    pub fn accept_connect(&mut self, request: RequestId, settings: ServerSessionSettings) -> bool {
        let Some(asked) = self.connect.take(request) else {
            return false;
        };
        self.phase = ConnectionPhase::Connected;
        self.settings =
            ServerSessionSettings { chunk_size: settings.chunk_size.clamp(1, CHUNK_SIZE), ..settings };
        let window = self.settings.window_ack_size;
        self.link.set_limits(self.settings.limits());
        self.link.set_default_window(window);
        self.link.send(&message::window_ack_size(window));
        self.link.send(&message::peer_bandwidth(window, PeerBandwidthLimit::Dynamic));
        self.link.send_chunk_size(self.settings.chunk_size);
        self.link.send_command(0, &asked.success());
        for message in std::mem::take(&mut self.deferred) {
            if let Err(error) = self.handle_message(message) {
                self.failure = Some(error);
                break;
            }
        }
        true
    }

    /// Refuses `connect`, for example with `NetConnection.Connect.Rejected`. The caller closes the connection once the
    /// answer was sent. Returns whether the request was still pending.
    pub fn reject_connect(&mut self, request: RequestId, code: &str, description: &str) -> bool {
        let Some(asked) = self.connect.take(request) else {
            return false;
        };
        self.phase = ConnectionPhase::Rejected;
        self.deferred = Vec::new();
        self.link.send_command(0, &asked.failure(code, description));
        true
    }

    /// Accepts `publish`. Returns whether the request was still pending.
    pub fn accept_publish(&mut self, request: RequestId) -> bool {
        let Some(stream) = self.streams.find_role(StreamRole::PublishPending(request)) else {
            return false;
        };
        stream.role = StreamRole::Publishing;
        let stream_id = stream.id;
        self.send_status(stream_id, "status", "NetStream.Publish.Start", "Start publishing");
        true
    }

    /// Accepts `play`. Returns whether the request was still pending.
    pub fn accept_play(&mut self, request: RequestId) -> bool {
        let Some(stream) = self.streams.find_role(StreamRole::PlayPending(request)) else {
            return false;
        };
        stream.role = StreamRole::Playing;
        let stream_id = stream.id;
        self.link.send(&UserControl::StreamBegin(stream_id).to_message());
        self.send_status(stream_id, "status", "NetStream.Play.Start", "Start live");
        self.link.send_data(stream_id, &["|RtmpSampleAccess".into(), true.into(), true.into()]);
        true
    }

    /// Refuses `publish` or `play`, for example with `NetStream.Publish.BadName`. The connection continues, and the
    /// stream may send another request. Returns whether the request was still pending.
    pub fn reject_request(&mut self, request: RequestId, code: &str, description: &str) -> bool {
        let Some(stream) = self.streams.find_request(request) else {
            return false;
        };
        stream.role = StreamRole::Refused;
        let stream_id = stream.id;
        self.send_status(stream_id, "error", code, description);
        true
    }

    /// Makes a stream that publishes or plays wait for an answer again, as after a request of the peer. Returns the request;
    /// `None` if the stream does neither.
    pub fn ask_again(&mut self, stream_id: u32) -> Option<RequestId> {
        let request = self.new_request();
        let stream = self.streams.find(stream_id)?;
        stream.role = match stream.role {
            StreamRole::Publishing => StreamRole::PublishPending(request),
            StreamRole::Playing => StreamRole::PlayPending(request),
            StreamRole::Idle
            | StreamRole::PublishPending(_)
            | StreamRole::PlayPending(_)
            | StreamRole::Refused => return None,
        };
        Some(request)
    }

    /// Sends onStatus on a message stream.
    pub fn send_status(&mut self, stream_id: u32, level: &str, code: &str, description: &str) {
        self.link.send_command(
            stream_id,
            &["onStatus".into(), 0.0.into(), AmfValue::Null, status(level, code, description)],
        );
    }

    /// Sends a data message to a player.
    pub fn send_data(&mut self, stream_id: u32, values: &[AmfValue]) {
        self.link.send_data(stream_id, values);
    }

    /// Sends a user control event.
    pub fn send_user_control(&mut self, event: UserControl) {
        self.link.send(&event.to_message());
    }

    /// Number of bytes received, including the handshake.
    pub fn bytes_received(&self) -> u64 {
        self.link.received()
    }

    /// Phase of the connection.
    pub fn phase(&self) -> ConnectionPhase {
        self.phase
    }

    /// Announces another chunk size, and uses it from then on.
    pub fn set_chunk_size(&mut self, size: usize) {
        self.link.send_chunk_size(u32::try_from(size).unwrap_or(CHUNK_SIZE).clamp(1, CHUNK_SIZE));
    }

    /// Current chunk size for sending. Media that is chunked elsewhere must use it.
    pub fn chunk_size(&self) -> usize {
        self.link.chunk_size()
    }

    /// Memory held by incomplete messages and by commands queued before the answer to `connect`, in bytes.
    pub fn held_bytes(&self) -> usize {
        let deferred: usize = self.deferred.iter().map(|m| m.payload.len()).sum();
        self.link.partial_bytes() + deferred
    }

    fn handle_message(&mut self, message: Message) -> Result<(), RtmpError> {
        match message.type_id {
            type_id::COMMAND | type_id::COMMAND_AMF3 if self.connect.is_asked() => self.defer(message),
            type_id::COMMAND | type_id::COMMAND_AMF3 => self.handle_command(&message),
            type_id::AUDIO | type_id::VIDEO | type_id::DATA | type_id::DATA_AMF3 => {
                self.handle_media(message);
                Ok(())
            }
            type_id::AGGREGATE => {
                for inner in split_aggregate(&message) {
                    self.handle_media(inner?);
                }
                Ok(())
            }
            type_id::USER_CONTROL => {
                if let Some(Control::User(UserControl::SetBufferLength { stream_id, millis })) =
                    message.control()?
                    && self.phase == ConnectionPhase::Connected
                {
                    self.events.push_back(ServerEvent::BufferLength { stream_id, millis });
                }
                Ok(())
            }
            // Shared objects, and message types outside the specification.
            _ => Ok(()),
        }
    }

    fn handle_media(&mut self, message: Message) {
        let Some(stream_id) = self.streams.publishing(message.stream_id) else {
            return;
        };
        let (kind, payload) = match MediaKind::from_type_id(message.type_id) {
            Some(kind @ (MediaKind::Audio | MediaKind::Video)) => (kind, message.payload),
            _ => match data_body(&message) {
                Some(body) => (MediaKind::Data, body),
                None => return,
            },
        };
        // Some encoders fill gaps with empty messages, which carry no information and fit into no container.
        if payload.is_empty() {
            return;
        }
        self.events.push_back(ServerEvent::Media { stream_id, kind, timestamp: message.timestamp, payload });
    }

    fn defer(&mut self, message: Message) -> Result<(), RtmpError> {
        let bytes: usize = self.deferred.iter().map(|m| m.payload.len()).sum();
        if self.deferred.len() == DEFERRED_COMMANDS || bytes + message.payload.len() > DEFERRED_BYTES {
            return Err(RtmpError::DeferredCommands);
        }
        self.deferred.push(message);
        Ok(())
    }

    fn new_request(&mut self) -> RequestId {
        let request = RequestId(self.next_request);
        self.next_request += 1;
        request
    }

    fn raise_failure(&mut self) -> Result<(), RtmpError> {
        self.failure.take().map_or(Ok(()), Err)
    }
}

/// Timestamps on the wire are milliseconds modulo 2^32.
fn millis(now: Instant, start: Instant) -> u32 {
    now.duration_since(start).as_millis() as u32
}
