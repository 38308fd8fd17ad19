//! RTMP written down byte for byte, for peers that do not behave.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use pingosd::wire::amf0::AmfValue;
use pingosd::wire::rtmp::chunk;
use pingosd::wire::rtmp::message::{csid, type_id, write_command};

use super::frame::Frame;
use super::rtmp::is_timeout;
use super::wait::PATIENCE;

/// Default chunk size.
const CHUNK_SIZE: usize = 128;

/// What a client sends without ever waiting for an answer.
#[derive(Clone, Default)]
pub struct Script(BytesMut);

impl Script {
    /// C0, C1 and C2.
    pub fn handshake() -> Self {
        let mut out = BytesMut::new();
        out.put_u8(3);
        out.put_bytes(0, 2 * 1536);
        Script(out)
    }

    /// Up to connect to an application.
    pub fn connected(app: &'static str) -> Self {
        let object =
            AmfValue::object([("app", app.into()), ("tcUrl", format!("rtmp://localhost/{app}").into())]);
        Script::handshake().command(0, "connect", &[object])
    }

    /// Up to publish on message stream 1.
    pub fn publishing(name: &'static str) -> Self {
        let script = Script::connected("live").command(0, "createStream", &[AmfValue::Null]);
        script.command(1, "publish", &[AmfValue::Null, name.into(), "live".into()])
    }

    /// Up to play on message stream 1.
    pub fn playing(name: &'static str) -> Self {
        let script = Script::connected("live").command(0, "createStream", &[AmfValue::Null]);
        script.command(1, "play", &[AmfValue::Null, name.into()])
    }

    /// A command.
    pub fn command(mut self, stream_id: u32, name: &'static str, arguments: &[AmfValue]) -> Self {
        let mut values: Vec<AmfValue> = vec![name.into(), 1.0.into()];
        values.extend_from_slice(arguments);
        write_command(&mut self.0, csid::COMMAND, stream_id, CHUNK_SIZE, &values);
        self
    }

    /// Any message, on the chunk stream usual for its type.
    pub fn message(mut self, type_id: u8, stream_id: u32, payload: &[u8]) -> Self {
        let csid = if type_id < type_id::AUDIO { csid::CONTROL } else { csid::STREAM };
        chunk::write_absolute(&mut self.0, csid, 0, type_id, stream_id, payload, CHUNK_SIZE);
        self
    }

    /// Media of message stream 1.
    pub fn frame(mut self, frame: &Frame) -> Self {
        let Frame { kind, timestamp, payload } = frame;
        chunk::write_absolute(&mut self.0, csid::STREAM, *timestamp, kind.type_id(), 1, payload, CHUNK_SIZE);
        self
    }

    /// These very bytes.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// All of it.
    pub fn finish(self) -> Bytes {
        self.0.freeze()
    }

    /// Sends all of it on a connection of its own.
    pub fn send(self, port: u16) -> Raw {
        let mut raw = Raw::open(port);
        raw.send(&self.0);
        raw
    }
}

/// A connection without a protocol.
pub struct Raw(pub TcpStream);

impl Raw {
    /// Connects.
    pub fn open(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_nodelay(true).unwrap();
        Raw(socket)
    }

    /// Sends as much as the server takes; that it closes meanwhile is its right.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    /// Waits until the server has closed the connection.
    #[track_caller]
    pub fn wait_closed(&mut self) {
        let due = Instant::now() + PATIENCE;
        let mut buffer = [0; 16 * 1024];
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        loop {
            match self.0.read(&mut buffer) {
                Ok(0) => return,
                Ok(_) => assert!(Instant::now() < due, "waited in vain for the end of the connection"),
                Err(error) => {
                    assert!(!is_timeout(&error), "waited in vain for the end of the connection");
                    return;
                }
            }
        }
    }
}

/// Bytes and numbers that look random and are the same in every run.
pub struct Random(u64);

impl Random {
    /// `seed` must not be 0.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next number (xorshift64).
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// This number of bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}
