//! Chunk reader: reassembles messages.

use bytes::Bytes;

use super::header::{self, ChunkHeader, Fields};
use super::{DEFAULT_CHUNK_SIZE, MAX_HEADER};
use crate::limits::{CHUNK_SIZE, CHUNK_STREAMS, MESSAGE_LENGTH, PAYLOAD_RESERVE};
use crate::wire::rtmp::RtmpError;
use crate::wire::rtmp::message::{Message, type_id};

/// Limits of a [`ChunkReader`]; may be changed between two reads.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum message length in bytes.
    pub max_message: usize,
    /// Exclusive upper bound of chunk stream ids.
    pub max_chunk_streams: u32,
    /// Maximum memory for incomplete messages of all chunk streams together, in bytes.
    pub max_partial: usize,
    /// Whether chunks of type 3 may repeat an extended timestamp. See [`ChunkReader`].
    pub publish_time_fix: bool,
}

/// Reassembles messages from chunks.
///
/// The caller owns the socket's read buffer; the reader keeps only incomplete data, so an idle connection costs one
/// entry per chunk stream in use.
///
/// Where senders deviate from the specification or from one another:
/// - *Extended timestamps in type 3 chunks.* Most senders repeat the four bytes, some do not. With `publish_time_fix`, four
///   bytes equal to the expected timestamp are skipped, and anything else is payload; without it, they are not expected.
/// - *A new message with a type 3 header after a type 0 header* keeps the timestamp. By the letter of §5.3.1.2.4 it would
///   add the timestamp of the type 0 header once more; librtmp and PingOS do as we do.
/// - *Type 1 on an unused chunk stream* counts from zero on message stream 0, as librtmp sends it.
/// - Types 2 and 3 on an unused chunk stream, and types 0 to 2 inside a message, are errors: after them the position in the
///   byte stream is unknown.
#[derive(Debug)]
pub struct ChunkReader {
    limits: Limits,
    chunk_size: u32,
    /// Chunk streams in use, sorted by id.
    streams: Vec<ChunkStream>,
    /// Bytes of an incomplete header, and payload bytes after it that had to be inspected.
    held: [u8; MAX_HEADER],
    held_len: usize,
    /// The chunk whose payload is being read.
    chunk: Option<Chunk>,
    /// Sum of the capacities of all incomplete payloads, in bytes.
    partial: usize,
}

#[derive(Clone, Copy, Debug)]
struct Chunk {
    /// Index into `streams`, which changes only between chunks.
    index: usize,
    /// Payload bytes of this chunk still to be read.
    left: usize,
}

#[derive(Debug, Default)]
struct ChunkStream {
    csid: u32,
    /// Absolute timestamp of the newest message.
    timestamp: u32,
    /// Timestamp delta of a message with a type 3 header.
    delta: u32,
    length: u32,
    stream_id: u32,
    type_id: u8,
    /// Whether the newest message is incomplete.
    in_message: bool,
    /// Extended timestamp field of the newest header that had one.
    extended: Option<u32>,
    payload: Vec<u8>,
}

impl ChunkReader {
    /// Starts at the first byte after the handshake.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            chunk_size: DEFAULT_CHUNK_SIZE,
            streams: Vec::new(),
            held: [0; MAX_HEADER],
            held_len: 0,
            chunk: None,
            partial: 0,
        }
    }

    /// Consumes `input` until a message is complete or no bytes are left.
    ///
    /// Set Chunk Size and Abort are applied and not returned. After an error the rest of the byte stream cannot be
    /// parsed.
    ///
    /// # Errors
    ///
    /// The bytes are not a valid chunk stream, or a bound is exceeded.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, RtmpError> {
        loop {
            let Some(chunk) = self.chunk else {
                if !self.read_header(input)? {
                    return Ok(None);
                }
                continue;
            };
            if !self.read_payload(chunk, input)? {
                return Ok(None);
            }
            self.chunk = None;
            if let Some(message) = self.finish_message(chunk.index)
                && !self.obey(&message)?
            {
                return Ok(Some(message));
            }
        }
    }

    /// Sets the limits for messages whose headers have not been read yet.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Memory held by incomplete messages, in bytes.
    pub fn partial_bytes(&self) -> usize {
        self.partial
    }

    /// Reads a header. Returns whether it was complete.
    fn read_header(&mut self, input: &mut &[u8]) -> Result<bool, RtmpError> {
        let header = if self.held_len == 0 {
            match self.parse_header(input)? {
                Some(header) => {
                    *input = &input[header.size..];
                    header
                }
                None => {
                    // An incomplete header, hence shorter than the longest one.
                    self.held[..input.len()].copy_from_slice(input);
                    self.held_len = input.len();
                    *input = &[];
                    return Ok(false);
                }
            }
        } else {
            match self.parse_held_header(input)? {
                Some(header) => header,
                None => return Ok(false),
            }
        };
        self.begin_chunk(&header)?;
        Ok(true)
    }

    /// Adds input to the held bytes one by one until they form a header. Bytes that turn out not to belong to it stay
    /// held as the first bytes of the payload.
    fn parse_held_header(&mut self, input: &mut &[u8]) -> Result<Option<ChunkHeader>, RtmpError> {
        loop {
            let held = self.held;
            if let Some(header) = self.parse_header(&held[..self.held_len])? {
                self.held.copy_within(header.size..self.held_len, 0);
                self.held_len -= header.size;
                return Ok(Some(header));
            }
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(None);
            };
            self.held[self.held_len] = byte;
            self.held_len += 1;
            *input = rest;
        }
    }

    /// Parses a header (RTMP 1.0 §5.3.1). `None` if bytes are missing.
    fn parse_header(&self, bytes: &[u8]) -> Result<Option<ChunkHeader>, RtmpError> {
        let mut fields = Fields::new(bytes);
        let Some((format, csid)) = header::basic(&mut fields) else {
            return Ok(None);
        };
        if csid >= self.limits.max_chunk_streams {
            return Err(RtmpError::ChunkStreamId { csid, limit: self.limits.max_chunk_streams });
        }
        let mut header = ChunkHeader { format, csid, ..ChunkHeader::default() };
        let complete = match format {
            3 => self.parse_repeated_time(&header, &mut fields)?,
            _ => header.parse_message_header(&mut fields).is_some(),
        };
        header.size = bytes.len() - fields.rest().len();
        Ok(complete.then_some(header))
    }

    /// Skips an extended timestamp that a type 3 chunk repeats, if this sender repeats it.
    fn parse_repeated_time(&self, header: &ChunkHeader, fields: &mut Fields) -> Result<bool, RtmpError> {
        let Ok(index) = self.find(header.csid) else {
            return Err(RtmpError::HeaderWithoutPrevious { csid: header.csid, format: header.format });
        };
        let stream = &self.streams[index];
        let Some(extended) = stream.extended.filter(|_| self.limits.publish_time_fix) else {
            return Ok(true);
        };
        // Some senders repeat the delta field, others the resulting timestamp.
        for expected in [extended, stream.timestamp] {
            let expected = expected.to_be_bytes();
            let shown = fields.rest().len().min(expected.len());
            if fields.rest()[..shown] == expected[..shown] {
                return Ok(fields.uint(4).is_some());
            }
        }
        Ok(true)
    }

    fn begin_chunk(&mut self, header: &ChunkHeader) -> Result<(), RtmpError> {
        let index = match self.find(header.csid) {
            Ok(index) => index,
            Err(_) if header.format > 1 => {
                return Err(RtmpError::HeaderWithoutPrevious { csid: header.csid, format: header.format });
            }
            Err(_) if self.streams.len() >= CHUNK_STREAMS => {
                return Err(RtmpError::ChunkStreams { limit: CHUNK_STREAMS });
            }
            Err(index) => {
                self.streams.insert(index, ChunkStream { csid: header.csid, ..ChunkStream::default() });
                index
            }
        };
        let stream = &mut self.streams[index];
        stream.apply(header)?;
        let limit = self.limits.max_message.min(MESSAGE_LENGTH);
        if stream.length as usize > limit {
            return Err(RtmpError::MessageTooLong { type_id: stream.type_id, length: stream.length, limit });
        }
        let left = (stream.length as usize - stream.payload.len()).min(self.chunk_size as usize);
        self.chunk = Some(Chunk { index, left });
        Ok(())
    }

    /// Reads the payload of a chunk. Returns whether it was complete.
    fn read_payload(&mut self, mut chunk: Chunk, input: &mut &[u8]) -> Result<bool, RtmpError> {
        let held = chunk.left.min(self.held_len);
        if held > 0 {
            let bytes = self.held;
            self.append(chunk.index, &bytes[..held])?;
            self.held.copy_within(held..self.held_len, 0);
            self.held_len -= held;
            chunk.left -= held;
        }
        let (taken, rest) = input.split_at(chunk.left.min(input.len()));
        *input = rest;
        self.append(chunk.index, taken)?;
        chunk.left -= taken.len();
        self.chunk = Some(chunk);
        Ok(chunk.left == 0)
    }

    fn append(&mut self, index: usize, bytes: &[u8]) -> Result<(), RtmpError> {
        let payload = &mut self.streams[index].payload;
        let needed = payload.len() + bytes.len();
        if needed > payload.capacity() {
            let length = self.streams[index].length as usize;
            let payload = &mut self.streams[index].payload;
            // Doubling keeps the amount of copying linear; the cap at the message length leaves no slack in a complete
            // payload.
            let grown = needed.max(PAYLOAD_RESERVE).max(2 * payload.capacity()).min(length);
            self.partial -= payload.capacity();
            if self.partial + grown > self.limits.max_partial {
                return Err(RtmpError::PartialMessages { limit: self.limits.max_partial });
            }
            payload.reserve_exact(grown - payload.len());
            self.partial += payload.capacity();
        }
        self.streams[index].payload.extend_from_slice(bytes);
        Ok(())
    }

    fn finish_message(&mut self, index: usize) -> Option<Message> {
        let stream = &mut self.streams[index];
        if stream.payload.len() < stream.length as usize {
            return None;
        }
        stream.in_message = false;
        self.partial -= stream.payload.capacity();
        Some(Message {
            chunk_stream_id: stream.csid,
            type_id: stream.type_id,
            stream_id: stream.stream_id,
            timestamp: stream.timestamp,
            payload: Bytes::from(std::mem::take(&mut stream.payload)),
        })
    }

    /// Applies messages about chunks (RTMP 1.0 §5.4.1, §5.4.2). Returns whether it was one.
    fn obey(&mut self, message: &Message) -> Result<bool, RtmpError> {
        match message.type_id {
            type_id::SET_CHUNK_SIZE => {
                let size = message.control_value()?;
                if size == 0 || size > i32::MAX as u32 {
                    return Err(RtmpError::ChunkSize(size));
                }
                self.chunk_size = size.min(CHUNK_SIZE);
                Ok(true)
            }
            type_id::ABORT => {
                let csid = message.control_value()?;
                if let Ok(index) = self.find(csid) {
                    let stream = &mut self.streams[index];
                    stream.in_message = false;
                    self.partial -= stream.payload.capacity();
                    stream.payload = Vec::new();
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn find(&self, csid: u32) -> Result<usize, usize> {
        self.streams.binary_search_by_key(&csid, |stream| stream.csid)
    }
}

impl ChunkStream {
    fn apply(&mut self, header: &ChunkHeader) -> Result<(), RtmpError> {
        if self.in_message {
            if header.format == 3 {
                return Ok(());
            }
            return Err(RtmpError::HeaderInsideMessage { csid: self.csid, format: header.format });
        }
        if header.format < 2 {
            self.length = header.length;
            self.type_id = header.type_id;
        }
        if header.format < 3 {
            self.extended = header.extended.then_some(header.time);
        }
        match header.format {
            0 => {
                self.timestamp = header.time;
                self.delta = 0;
                self.stream_id = header.stream_id;
            }
            1 | 2 => {
                self.delta = header.time;
                self.timestamp = self.timestamp.wrapping_add(self.delta);
            }
            _ => self.timestamp = self.timestamp.wrapping_add(self.delta),
        }
        self.in_message = true;
        Ok(())
    }
}
