//! Client side of an RTMP connection: publishes or plays one stream.
//!
//! ```text
//!                S2 complete          _result              _result              Publish.Start / Play.Start
//!   Handshake --------------> Connect -------> CreateStream -------> Asked ---------------------------> Started
//!                                |                 |                   |
//!                                v                 v                   v   status of level error
//!                          ConnectRefused   CreateStreamRefused     Event::Status, the caller decides
//! ```
//!
//! All arrows are actions of the server; the session sends the next command by itself.

mod event;
mod settings;

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use super::RtmpError;
use super::chunk::{Limits, write_absolute};
use super::handshake::ClientHandshake;
use super::link::ChunkLink;
use super::message::{
    self, CommandMessage, Control, Message, SET_DATA_FRAME, UserControl, csid, data_body, split_aggregate,
    type_id,
};
use crate::limits::{CHUNK_SIZE, MESSAGE_LENGTH, PARTIAL_MESSAGES};
use crate::wire::amf0::{AmfMembers, AmfValue};

pub use crate::wire::MediaKind;
pub use event::ClientEvent;
pub use settings::{ClientPurpose, ClientSettings};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientState {
    Handshake,
    Connect,
    CreateStream,
    Asked,
    Started,
}

/// Client side of one connection. Used like [`super::ServerSession`].
#[derive(Debug)]
pub struct ClientSession {
    settings: ClientSettings,
    state: ClientState,
    /// `None` once complete.
    handshake: Option<ClientHandshake>,
    link: ChunkLink,
    stream_id: u32,
    events: VecDeque<ClientEvent>,
    start: Instant,
}

/// Transaction ids; each command is sent at most once.
mod transaction {
    pub(super) const CONNECT: f64 = 1.0;
    pub(super) const RELEASE_STREAM: f64 = 2.0;
    pub(super) const FC_PUBLISH: f64 = 3.0;
    pub(super) const CREATE_STREAM: f64 = 4.0;
    pub(super) const START: f64 = 5.0;
    pub(super) const FC_UNPUBLISH: f64 = 6.0;
    pub(super) const DELETE_STREAM: f64 = 7.0;
}

impl ClientSession {
    /// Queues C0 and C1.
    pub fn new(settings: ClientSettings, now: Instant, seed: [u8; 32]) -> Self {
        let limits = Limits {
            max_message: settings.max_message,
            max_chunk_streams: settings.max_chunk_streams,
            max_partial: settings.max_message.saturating_mul(PARTIAL_MESSAGES),
            publish_time_fix: true,
        };
        let mut link = ChunkLink::new(limits, settings.window_ack_size);
        let handshake = ClientHandshake::new(&seed, settings.digest_handshake, 0, link.out());
        Self {
            settings: ClientSettings { chunk_size: settings.chunk_size.clamp(1, CHUNK_SIZE), ..settings },
            state: ClientState::Handshake,
            handshake: Some(handshake),
            link,
            stream_id: 0,
            events: VecDeque::new(),
            start: now,
        }
    }

    /// Processes all of `input`.
    ///
    /// # Errors
    ///
    /// The server violates RTMP; the connection must be closed.
    pub fn handle_input(&mut self, mut input: &[u8], now: Instant) -> Result<(), RtmpError> {
        self.link.count(input);
        if let Some(handshake) = &mut self.handshake {
            let time = now.duration_since(self.start).as_millis() as u32;
            if !handshake.handle_input(&mut input, time, self.link.out())? {
                return Ok(());
            }
            self.handshake = None;
            self.send_connect();
        }
        while let Some(message) = self.link.read(&mut input)? {
            self.handle_message(&message)?;
        }
        self.link.finish_input()
    }

    /// Does nothing: a client has no timers; the caller limits the time to wait for an answer.
    ///
    /// # Errors
    ///
    /// Never.
    pub fn handle_timeout(&mut self, _now: Instant) -> Result<(), RtmpError> {
        Ok(())
    }

    /// Always `None`; see [`ClientSession::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// Returns all bytes to be sent now.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.link.poll_transmit()
    }

    /// Queues media of the published stream. Metadata is sent as `@setDataFrame`.
    ///
    /// # Errors
    ///
    /// The session does not publish, or the message is longer than RTMP allows.
    pub fn send_media(&mut self, kind: MediaKind, timestamp: u32, payload: &Bytes) -> Result<(), RtmpError> {
        let publishes = matches!(self.settings.purpose, ClientPurpose::Publish { .. });
        if !publishes || self.state != ClientState::Started {
            return Err(RtmpError::NotPublishing);
        }
        if payload.len() > MESSAGE_LENGTH - SET_DATA_FRAME.len() {
            return Err(RtmpError::PayloadTooLong { length: payload.len() });
        }
        let marked;
        let (csid, payload) = match kind {
            MediaKind::Audio => (csid::AUDIO, payload),
            MediaKind::Video => (csid::VIDEO, payload),
            MediaKind::Data if payload.starts_with(b"\x02\x00\x0AonMetaData") => {
                marked = Bytes::from([SET_DATA_FRAME, payload].concat());
                (csid::STREAM, &marked)
            }
            MediaKind::Data => (csid::STREAM, payload),
        };
        let chunk_size = self.link.chunk_size();
        write_absolute(self.link.out(), csid, timestamp, kind.type_id(), self.stream_id, payload, chunk_size);
        Ok(())
    }

    /// Queues the commands that end the stream. The connection may be closed after they were sent.
    pub fn close(&mut self) {
        if !matches!(self.state, ClientState::Asked | ClientState::Started) {
            return;
        }
        if let ClientPurpose::Publish { name } = self.settings.purpose.clone() {
            self.send_command(0, "FCUnpublish", transaction::FC_UNPUBLISH, &[AmfValue::Null, name.into()]);
        }
        let stream_id = self.stream_id.into();
        self.send_command(0, "deleteStream", transaction::DELETE_STREAM, &[AmfValue::Null, stream_id]);
    }

    /// Number of bytes received, including the handshake.
    pub fn bytes_received(&self) -> u64 {
        self.link.received()
    }

    /// Message stream id from createStream; 0 before.
    pub fn stream_id(&self) -> u32 {
        self.stream_id
    }

    fn send_connect(&mut self) {
        self.state = ClientState::Connect;
        self.link.send_chunk_size(self.settings.chunk_size);
        let settings = &self.settings;
        let mut members = AmfMembers::new();
        let mut put = |name: &'static str, value: AmfValue| {
            members.push((Bytes::from_static(name.as_bytes()), value));
        };
        put("app", settings.app.clone().into());
        put("type", "nonprivate".into());
        for (name, text) in [
            ("flashVer", &settings.flash_ver),
            ("swfUrl", &settings.swf_url),
            ("tcUrl", &settings.tc_url),
            ("pageUrl", &settings.page_url),
        ] {
            if !text.is_empty() {
                put(name, text.clone().into());
            }
        }
        if matches!(settings.purpose, ClientPurpose::Play { .. }) {
            put("fpad", false.into());
            put("capabilities", 15.0.into());
            // All codecs in the specification's tables.
            put("audioCodecs", 4071.0.into());
            put("videoCodecs", 252.0.into());
            put("videoFunction", 1.0.into());
        }
        members.extend(settings.extra.iter().cloned());
        self.send_command(0, "connect", transaction::CONNECT, &[AmfValue::Object(members)]);
    }

    fn handle_message(&mut self, message: &Message) -> Result<(), RtmpError> {
        match message.type_id {
            type_id::COMMAND | type_id::COMMAND_AMF3 => {
                if let Some(command) = CommandMessage::parse(message)? {
                    self.handle_command(command)?;
                }
            }
            type_id::AGGREGATE => {
                for inner in split_aggregate(message) {
                    self.handle_media(&inner?);
                }
            }
            type_id::USER_CONTROL => match message.control()? {
                Some(Control::User(UserControl::StreamBegin(id))) if id == self.stream_id => {
                    self.events.push_back(ClientEvent::StreamBegin);
                }
                Some(Control::User(UserControl::StreamEof(id))) if id == self.stream_id => {
                    self.events.push_back(ClientEvent::StreamEof);
                }
                _ => {}
            },
            _ => self.handle_media(message),
        }
        Ok(())
    }

    fn handle_command(&mut self, mut command: CommandMessage) -> Result<(), RtmpError> {
        match (&command.name[..], self.state) {
            (b"onStatus", _) => self.handle_status(&mut command),
            (b"_result", ClientState::Connect) if command.transaction_id == transaction::CONNECT => {
                self.events.push_back(ClientEvent::Connected);
                self.send_create_stream();
                Ok(())
            }
            (b"_error", ClientState::Connect) if command.transaction_id == transaction::CONNECT => {
                command.argument()?;
                let information = command.argument()?;
                let text = |name: &[u8]| {
                    let text = information.get(name).and_then(AmfValue::as_str);
                    readable(text.unwrap_or_default())
                };
                Err(RtmpError::ConnectRefused { code: text(b"code"), description: text(b"description") })
            }
            (b"_result", ClientState::CreateStream)
                if command.transaction_id == transaction::CREATE_STREAM =>
            {
                command.argument()?;
                let AmfValue::Number(stream_id) = command.argument()? else {
                    return Err(RtmpError::Argument { command: "createStream", argument: "stream id" });
                };
                self.stream_id = stream_id as u32;
                self.send_start();
                Ok(())
            }
            (b"_error", ClientState::CreateStream)
                if command.transaction_id == transaction::CREATE_STREAM =>
            {
                Err(RtmpError::CreateStreamRefused)
            }
            _ => Ok(()),
        }
    }

    fn handle_status(&mut self, command: &mut CommandMessage) -> Result<(), RtmpError> {
        command.argument()?;
        let information = command.argument()?;
        let text = |name: &[u8]| {
            let text = information.get(name).and_then(AmfValue::as_bytes);
            text.cloned().unwrap_or_default()
        };
        let code = text(b"code");
        let started = match self.settings.purpose {
            ClientPurpose::Publish { .. } => &code[..] == b"NetStream.Publish.Start",
            ClientPurpose::Play { .. } => &code[..] == b"NetStream.Play.Start",
        };
        self.events.push_back(ClientEvent::Status {
            level: text(b"level"),
            code,
            description: text(b"description"),
        });
        if started && self.state == ClientState::Asked {
            self.state = ClientState::Started;
            self.events.push_back(ClientEvent::Started);
        }
        Ok(())
    }

    fn handle_media(&mut self, message: &Message) {
        let (kind, payload) = match MediaKind::from_type_id(message.type_id) {
            Some(kind @ (MediaKind::Audio | MediaKind::Video)) => (kind, message.payload.clone()),
            _ => match data_body(message) {
                Some(body) => (MediaKind::Data, body),
                None => return,
            },
        };
        let plays = matches!(self.settings.purpose, ClientPurpose::Play { .. });
        if plays && !payload.is_empty() {
            self.events.push_back(ClientEvent::Media { kind, timestamp: message.timestamp, payload });
        }
    }

    fn send_create_stream(&mut self) {
        self.state = ClientState::CreateStream;
        self.link.send(&message::window_ack_size(self.settings.window_ack_size));
        if let ClientPurpose::Publish { name } = self.settings.purpose.clone() {
            for (command, transaction_id) in
                [("releaseStream", transaction::RELEASE_STREAM), ("FCPublish", transaction::FC_PUBLISH)]
            {
                let arguments = [AmfValue::Null, name.clone().into()];
                self.send_command(0, command, transaction_id, &arguments);
            }
        }
        self.send_command(0, "createStream", transaction::CREATE_STREAM, &[AmfValue::Null]);
    }

    fn send_start(&mut self) {
        self.state = ClientState::Asked;
        let stream_id = self.stream_id;
        match self.settings.purpose.clone() {
            ClientPurpose::Publish { name } => self.send_command(
                stream_id,
                "publish",
                transaction::START,
                &[AmfValue::Null, name.into(), "live".into()],
            ),
            ClientPurpose::Play { name } => {
                let millis = self.settings.buffer_length.as_millis() as u32;
                let buffer = UserControl::SetBufferLength { stream_id, millis };
                self.link.send(&buffer.to_message());
                self.send_command(
                    stream_id,
                    "play",
                    transaction::START,
                    &[AmfValue::Null, name.into(), (-2.0).into()],
                );
            }
        }
    }

    fn send_command(
        &mut self,
        stream_id: u32,
        name: &'static str,
        transaction_id: f64,
        arguments: &[AmfValue],
    ) {
        let mut values: Vec<AmfValue> = vec![name.into(), transaction_id.into()];
        values.extend_from_slice(arguments);
        self.link.send_command(stream_id, &values);
    }
}

/// A peer's text for logs; bytes that are not UTF-8 are shown one by one.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_utf_8_are_told_as_they_are() {
        assert_eq!(readable(b"h\xC3\xB6r caf\xE9\xFF!"), "h\u{f6}r caf\\xE9\\xFF!");
    }
}
