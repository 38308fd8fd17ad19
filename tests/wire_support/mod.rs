//! Two kinds of peers for sessions in memory: [`Peer`] says exactly what a test writes down, [`Pair`] joins a
//! client session to a server session.

#![allow(dead_code, reason = "every test file uses its own part")]

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use pingosd::wire::amf0::{AmfValue, Decoder};
use pingosd::wire::rtmp::RtmpError;
use pingosd::wire::rtmp::chunk::{self, ChunkReader, Limits};
use pingosd::wire::rtmp::client_session::{self, ClientPurpose, ClientSession, ClientSettings};
use pingosd::wire::rtmp::message::{CommandMessage, Message, type_id, write_command};
use pingosd::wire::rtmp::server_session::{RequestId, ServerEvent, ServerSession, ServerSessionSettings};

pub const SEED: [u8; 32] = [42; 32];

/// A hand-driven client of a [`ServerSession`].
pub struct Peer {
    pub server: ServerSession,
    pub now: Instant,
    reader: ChunkReader,
    /// What the peer sends in chunks of.
    pub chunk_size: usize,
}

impl Peer {
    /// A peer that has sent nothing.
    pub fn silent(settings: ServerSessionSettings) -> Self {
        let now = Instant::now();
        Self {
            server: ServerSession::new(settings, now, SEED),
            now,
            reader: ChunkReader::new(Limits {
                max_message: 1 << 20,
                max_chunk_streams: 100,
                max_partial: 1 << 22,
                publish_time_fix: true,
            }),
            chunk_size: 128,
        }
    }

    /// A peer that has shaken hands.
    pub fn shaken(settings: ServerSessionSettings) -> Self {
        let mut peer = Self::silent(settings);
        peer.bytes(&[3]).unwrap();
        peer.bytes(&[0; 1536]).unwrap();
        let answer = peer.server.poll_transmit().unwrap();
        assert_eq!(answer.len(), 3073);
        peer.bytes(&[0; 1536]).unwrap();
        assert_eq!(peer.events(), ["HandshakeDone"]);
        peer
    }

    /// A peer whose connect was accepted.
    pub fn connected(settings: ServerSessionSettings) -> Self {
        let mut peer = Self::shaken(settings.clone());
        peer.command(0, "connect", 1.0, &[app("live")]).unwrap();
        let Some(ServerEvent::Connect { request, .. }) = peer.server.poll_event() else {
            panic!("connect is an event");
        };
        assert!(peer.server.accept_connect(request, settings));
        peer.replies();
        peer
    }

    /// A peer that publishes `name` on stream 1.
    pub fn publishing(settings: ServerSessionSettings, name: &'static str) -> Self {
        let mut peer = Self::connected(settings);
        peer.command(0, "createStream", 2.0, &[AmfValue::Null]).unwrap();
        peer.command(1, "publish", 3.0, &[AmfValue::Null, name.into()]).unwrap();
        let request = peer.request();
        assert!(peer.server.accept_publish(request));
        peer.replies();
        peer
    }

    /// A peer that plays `name` on stream 1.
    pub fn playing(settings: ServerSessionSettings, name: &'static str) -> Self {
        let mut peer = Self::connected(settings);
        peer.command(0, "createStream", 2.0, &[AmfValue::Null]).unwrap();
        peer.command(1, "play", 3.0, &[AmfValue::Null, name.into()]).unwrap();
        let request = peer.request();
        assert!(peer.server.accept_play(request));
        peer.replies();
        peer
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), RtmpError> {
        self.server.handle_input(bytes, self.now)
    }

    pub fn message(&mut self, type_id: u8, stream_id: u32, payload: &[u8]) -> Result<(), RtmpError> {
        self.message_at(type_id, stream_id, 0, payload)
    }

    pub fn message_at(
        &mut self,
        type_id: u8,
        stream_id: u32,
        timestamp: u32,
        payload: &[u8],
    ) -> Result<(), RtmpError> {
        let csid = if type_id < 8 { 2 } else { 4 };
        let mut out = BytesMut::new();
        chunk::write_absolute(&mut out, csid, timestamp, type_id, stream_id, payload, self.chunk_size);
        self.bytes(&out)
    }

    pub fn command(
        &mut self,
        stream_id: u32,
        name: &'static str,
        transaction_id: f64,
        arguments: &[AmfValue],
    ) -> Result<(), RtmpError> {
        let mut values: Vec<AmfValue> = vec![name.into(), transaction_id.into()];
        values.extend_from_slice(arguments);
        let mut out = BytesMut::new();
        write_command(&mut out, 3, stream_id, self.chunk_size, &values);
        self.bytes(&out)
    }

    /// Everything the server sent since, one line per message. Set Chunk Size is obeyed and not shown.
    pub fn replies(&mut self) -> Vec<String> {
        let sent = self.server.poll_transmit().unwrap_or_default();
        let mut input = &sent[..];
        let mut lines = Vec::new();
        while let Some(message) = self.reader.read(&mut input).unwrap() {
            lines.push(show(&message));
        }
        lines
    }

    /// The events since, one line each; requests are shown without their id.
    pub fn events(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.server.poll_event()).map(|event| show_event(&event)).collect()
    }

    /// The last publish or play among the events since.
    pub fn request(&mut self) -> RequestId {
        std::iter::from_fn(|| self.server.poll_event())
            .filter_map(|event| match event {
                ServerEvent::Publish { request, .. } | ServerEvent::Play { request, .. } => Some(request),
                _ => None,
            })
            .last()
            .expect("publish or play is among the events")
    }

    pub fn after(&mut self, duration: Duration) {
        self.now += duration;
    }
}

/// The command object of connect.
pub fn app(name: &'static str) -> AmfValue {
    AmfValue::object([
        ("app", name.into()),
        ("tcUrl", "rtmp://host/live".into()),
        ("flashVer", "FMLE/3.0".into()),
    ])
}

/// A message as a line: `20#1 onStatus 0 null {level: status, ...}`.
pub fn show(message: &Message) -> String {
    if let Some(control) = message.control().unwrap() {
        return format!("{control:?}");
    }
    let head = format!("{}#{}", message.type_id, message.stream_id);
    match message.type_id {
        type_id::COMMAND => {
            let command = CommandMessage::parse(message).unwrap().unwrap();
            let mut line = format!("{head} {} {}", text(&command.name), command.transaction_id);
            for value in command.arguments {
                line += &format!(" {}", show_value(&value.unwrap()));
            }
            line
        }
        type_id::DATA => Decoder::new(&message.payload)
            .fold(head, |line, value| format!("{line} {}", show_value(&value.unwrap()))),
        _ => format!("{head} @{} {}", message.timestamp, text(&message.payload)),
    }
}

pub fn show_value(value: &AmfValue) -> String {
    match value {
        AmfValue::Number(number) => number.to_string(),
        AmfValue::Boolean(flag) => flag.to_string(),
        AmfValue::String(string) => text(string),
        AmfValue::Null => "null".to_owned(),
        AmfValue::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{}: {}", text(name), show_value(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        other => format!("{other:?}"),
    }
}

pub fn show_event(event: &ServerEvent) -> String {
    match event {
        ServerEvent::Connect { connect, .. } => {
            format!("Connect {} {}", text(&connect.app), text(&connect.tc_url))
        }
        ServerEvent::Publish { stream_id, name, kind, .. } => {
            format!("Publish#{stream_id} {} {}", text(name), text(kind))
        }
        ServerEvent::Play { stream_id, name, start, duration, reset, .. } => {
            format!("Play#{stream_id} {} {start} {duration} {reset}", text(name))
        }
        ServerEvent::Media { stream_id, kind, timestamp, payload } => {
            format!("{kind:?}#{stream_id} @{timestamp} {}", text(payload))
        }
        other => format!("{other:?}"),
    }
}

fn text(bytes: &Bytes) -> String {
    bytes.escape_ascii().to_string()
}

/// A client session and a server session, joined.
pub struct Pair {
    pub client: ClientSession,
    pub server: ServerSession,
    pub now: Instant,
    /// Bytes handed over at a time.
    pub step: usize,
}

impl Pair {
    pub fn new(purpose: ClientPurpose, digest: bool, step: usize) -> Self {
        let now = Instant::now();
        let settings = ClientSettings {
            digest_handshake: digest,
            ..ClientSettings::new("live", "rtmp://host/live", purpose)
        };
        Self {
            client: ClientSession::new(settings, now, [1; 32]),
            server: ServerSession::new(ServerSessionSettings::default(), now, SEED),
            now,
            step,
        }
    }

    /// Hands over bytes until both are quiet, accepting whatever is asked. Returns what each saw.
    pub fn exchange(&mut self) -> (Vec<ServerEvent>, Vec<client_session::ClientEvent>) {
        let (mut at_server, mut at_client) = (Vec::new(), Vec::new());
        loop {
            let up = self.client.poll_transmit().unwrap_or_default();
            let down = self.server.poll_transmit().unwrap_or_default();
            if up.is_empty() && down.is_empty() {
                return (at_server, at_client);
            }
            for bytes in up.chunks(self.step) {
                self.server.handle_input(bytes, self.now).unwrap();
            }
            for bytes in down.chunks(self.step) {
                self.client.handle_input(bytes, self.now).unwrap();
            }
            while let Some(event) = self.server.poll_event() {
                match event {
                    ServerEvent::Connect { request, .. } => {
                        assert!(self.server.accept_connect(request, ServerSessionSettings::default()));
                    }
                    ServerEvent::Publish { request, .. } => assert!(self.server.accept_publish(request)),
                    ServerEvent::Play { request, .. } => assert!(self.server.accept_play(request)),
                    _ => {}
                }
                at_server.push(event);
            }
            at_client.extend(std::iter::from_fn(|| self.client.poll_event()));
        }
    }
}
