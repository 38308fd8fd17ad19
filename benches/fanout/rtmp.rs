//! As much RTMP as a player, a publisher and the floor need: chunks, and AMF0 commands.

use std::collections::HashMap;

use crate::Result;

pub const SET_CHUNK_SIZE: u8 = 1;
pub const ACKNOWLEDGEMENT: u8 = 3;
pub const WINDOW_ACK_SIZE: u8 = 5;
pub const SET_PEER_BANDWIDTH: u8 = 6;
pub const AUDIO: u8 = 8;
pub const VIDEO: u8 = 9;
pub const DATA: u8 = 18;
pub const COMMAND: u8 = 20;

/// Chunk size of everything sent here, which is also what servers are asked to use.
pub const CHUNK_SIZE: usize = 4096;

/// C1, S1, C2 and S2 (RTMP 1.0 §5.2.3).
pub const HANDSHAKE: usize = 1536;

/// Until a peer sets another (RTMP 1.0 §5.4.1).
const DEFAULT_CHUNK_SIZE: usize = 128;

/// Basic header of one byte, message header of type 0.
pub const PAYLOAD_AT: usize = 12;

/// A timestamp field with this value is followed by the extended timestamp.
const EXTENDED: u32 = 0xff_ffff;

/// A message from the peer, put together from its chunks.
pub struct Message {
    pub kind: u8,
    pub timestamp: u32,
    pub payload: Vec<u8>,
}

/// A message as chunks of [`CHUNK_SIZE`], all with absolute timestamps: the same bytes serve every player.
pub fn chunks(csid: u8, kind: u8, stream_id: u32, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let size = (payload.len() as u32).to_be_bytes();
    let time = (timestamp.min(EXTENDED - 1)).to_be_bytes();
    let mut out = Vec::with_capacity(PAYLOAD_AT + payload.len() + payload.len() / CHUNK_SIZE);
    out.extend_from_slice(&[csid & 0x3f, time[1], time[2], time[3], size[1], size[2], size[3], kind]);
    out.extend_from_slice(&stream_id.to_le_bytes());
    for (index, piece) in payload.chunks(CHUNK_SIZE).enumerate() {
        if index > 0 {
            out.push(0xc0 | (csid & 0x3f));
        }
        out.extend_from_slice(piece);
    }
    out
}

/// A message on the control chunk stream.
pub fn control(kind: u8, payload: &[u8]) -> Vec<u8> {
    chunks(2, kind, 0, 0, payload)
}

/// The chunk stream ids that encoders and servers commonly use for media.
pub fn media_csid(kind: u8) -> u8 {
    match kind {
        AUDIO => 4,
        VIDEO => 6,
        _ => 5,
    }
}

#[derive(Default)]
struct ChunkStream {
    kind: u8,
    size: usize,
    timestamp: u32,
    delta: u32,
    extended: bool,
    payload: Vec<u8>,
}

/// Takes bytes in any pieces, gives whole messages.
pub struct ChunkReader {
    buffer: Vec<u8>,
    position: usize,
    chunk_size: usize,
    streams: HashMap<u32, ChunkStream>,
}

impl ChunkReader {
    pub fn new() -> ChunkReader {
        ChunkReader {
            buffer: Vec::new(),
            position: 0,
            chunk_size: DEFAULT_CHUNK_SIZE,
            streams: HashMap::new(),
        }
    }

    pub fn push(&mut self, data: &[u8]) {
        self.buffer.drain(..self.position);
        self.position = 0;
        self.buffer.extend_from_slice(data);
    }

    pub fn poll_message(&mut self) -> Result<Option<Message>> {
        loop {
            match self.take_chunk()? {
                Chunk::Missing => return Ok(None),
                Chunk::Part => {}
                Chunk::Whole(message) => {
                    if message.kind == SET_CHUNK_SIZE {
                        let bytes: [u8; 4] =
                            message.payload[..].try_into().map_err(|_| "bad chunk size message")?;
                        self.chunk_size = u32::from_be_bytes(bytes).clamp(1, EXTENDED) as usize;
                    }
                    return Ok(Some(message));
                }
            }
        }
    }

    fn take_chunk(&mut self) -> Result<Chunk> {
        let rest = &self.buffer[self.position..];
        let Some(&first) = rest.first() else { return Ok(Chunk::Missing) };
        let (csid, mut at) = match (first & 0x3f, rest) {
            (0, [_, low, ..]) => (64 + u32::from(*low), 2),
            (1, [_, low, high, ..]) => (64 + u32::from(*low) + 256 * u32::from(*high), 3),
            (0 | 1, _) => return Ok(Chunk::Missing),
            (csid, _) => (u32::from(csid), 1),
        };
        let format = first >> 6;
        let header_size = [11, 7, 3, 0][usize::from(format)];
        let Some(header) = rest.get(at..at + header_size) else { return Ok(Chunk::Missing) };
        at += header_size;
        let stream = self.streams.entry(csid).or_default();
        let field = header.get(..3).map(|time| u32::from_be_bytes([0, time[0], time[1], time[2]]));
        let extended = field.map_or(stream.extended, |field| field == EXTENDED);
        let time = if extended {
            let Some(bytes) = rest.get(at..at + 4) else { return Ok(Chunk::Missing) };
            at += 4;
            Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        } else {
            field
        };
        let size = match header.get(3..6) {
            Some(size) => u32::from_be_bytes([0, size[0], size[1], size[2]]) as usize,
            None => stream.size,
        };
        let piece_size = self.chunk_size.min(size.saturating_sub(stream.payload.len()));
        let Some(piece) = rest.get(at..at + piece_size) else { return Ok(Chunk::Missing) };
        // Only now, with the whole chunk at hand, may the chunk stream change.
        stream.extended = extended;
        stream.size = size;
        stream.kind = header.get(6).copied().unwrap_or(stream.kind);
        if stream.payload.is_empty() {
            match (format, time) {
                (0, Some(time)) => stream.timestamp = time,
                (1 | 2, Some(delta)) => {
                    stream.delta = delta;
                    stream.timestamp = stream.timestamp.wrapping_add(delta);
                }
                _ => stream.timestamp = stream.timestamp.wrapping_add(stream.delta),
            }
        }
        stream.payload.extend_from_slice(piece);
        self.position += at + piece_size;
        if stream.payload.len() < stream.size {
            return Ok(Chunk::Part);
        }
        let payload = std::mem::take(&mut stream.payload);
        Ok(Chunk::Whole(Message { kind: stream.kind, timestamp: stream.timestamp, payload }))
    }
}

enum Chunk {
    Missing,
    Part,
    Whole(Message),
}

/// The AMF0 values that the commands of this program consist of.
pub enum Amf<'a> {
    Number(f64),
    String(&'a str),
    Null,
    Object(&'a [(&'a str, Amf<'a>)]),
}

/// A command message's chunks.
pub fn command(stream_id: u32, values: &[Amf]) -> Vec<u8> {
    let mut payload = Vec::new();
    for value in values {
        encode(value, &mut payload);
    }
    chunks(3, COMMAND, stream_id, 0, &payload)
}

fn encode(value: &Amf, out: &mut Vec<u8>) {
    match value {
        Amf::Number(number) => {
            out.push(0x00);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Amf::String(text) => {
            out.push(0x02);
            encode_text(text, out);
        }
        Amf::Null => out.push(0x05),
        Amf::Object(pairs) => {
            out.push(0x03);
            for (key, value) in *pairs {
                encode_text(key, out);
                encode(value, out);
            }
            out.extend_from_slice(&[0, 0, 0x09]);
        }
    }
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// What a received command says: the leading strings and numbers, up to the first object.
#[derive(Default)]
pub struct Received {
    pub strings: Vec<String>,
    pub numbers: Vec<f64>,
}

impl Received {
    pub fn parse(payload: &[u8]) -> Received {
        let mut received = Received::default();
        let mut rest = payload;
        loop {
            match rest {
                [0x00, a, b, c, d, e, f, g, h, tail @ ..] => {
                    received.numbers.push(f64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]));
                    rest = tail;
                }
                [0x02, high, low, tail @ ..] => {
                    let size = usize::from(u16::from_be_bytes([*high, *low]));
                    let Some((text, tail)) = tail.split_at_checked(size) else { return received };
                    received.strings.push(String::from_utf8_lossy(text).into_owned());
                    rest = tail;
                }
                [0x05, tail @ ..] => rest = tail,
                _ => return received,
            }
        }
    }

    pub fn name(&self) -> &str {
        self.strings.first().map_or("", String::as_str)
    }
}
