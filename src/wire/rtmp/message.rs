//! Messages of chunk streams, and their numbers (RTMP 1.0 §5.4 to §7.1).

mod aggregate;
mod command;
mod control;

use bytes::{Bytes, BytesMut};

use super::{RtmpError, chunk};

pub use aggregate::{Aggregate, split_aggregate};
pub use command::{CommandMessage, SET_DATA_FRAME, data_body, write_command};
pub use control::{
    Control, PeerBandwidthLimit, UserControl, acknowledgement, peer_bandwidth, set_chunk_size,
    window_ack_size,
};

/// Message types.
pub mod type_id {
    /// Set Chunk Size, §5.4.1.
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// Abort Message, §5.4.2.
    pub const ABORT: u8 = 2;
    /// Acknowledgement, §5.4.3.
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// User Control, §6.2.
    pub const USER_CONTROL: u8 = 4;
    /// Window Acknowledgement Size, §5.4.4.
    pub const WINDOW_ACK_SIZE: u8 = 5;
    /// Set Peer Bandwidth, §5.4.5.
    pub const PEER_BANDWIDTH: u8 = 6;
    /// Audio, §7.1.4.
    pub const AUDIO: u8 = 8;
    /// Video, §7.1.5.
    pub const VIDEO: u8 = 9;
    /// Data after one AMF3 byte, §7.1.2.
    pub const DATA_AMF3: u8 = 15;
    /// Shared object after one AMF3 byte, §7.1.3.
    pub const SHARED_OBJECT_AMF3: u8 = 16;
    /// Command after one AMF3 byte, §7.1.1.
    pub const COMMAND_AMF3: u8 = 17;
    /// Data, §7.1.2.
    pub const DATA: u8 = 18;
    /// Shared object, §7.1.3.
    pub const SHARED_OBJECT: u8 = 19;
    /// Command, §7.1.1.
    pub const COMMAND: u8 = 20;
    /// Aggregate, §7.1.6.
    pub const AGGREGATE: u8 = 22;
}

/// Chunk stream ids for sending. The specification fixes only 2; the others are PingOS's.
pub mod csid {
    /// Protocol control and user control messages.
    pub const CONTROL: u32 = 2;
    /// Commands on message stream 0.
    pub const COMMAND: u32 = 3;
    /// Commands and data on a message stream.
    pub const STREAM: u32 = 5;
    /// Audio.
    pub const AUDIO: u32 = 6;
    /// Video.
    pub const VIDEO: u32 = 7;
}

/// A received message, or one to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Chunk stream id.
    pub chunk_stream_id: u32,
    /// Message type; see [`type_id`].
    pub type_id: u8,
    /// Message stream id; 0 is the connection itself.
    pub stream_id: u32,
    /// Absolute timestamp in milliseconds, modulo 2^32.
    pub timestamp: u32,
    /// Message body.
    pub payload: Bytes,
}

impl Message {
    /// Creates a protocol control message: chunk stream 2, message stream 0, timestamp ignored (§5.4).
    fn control_message(type_id: u8, payload: impl Into<Bytes>) -> Self {
        Self { chunk_stream_id: csid::CONTROL, type_id, stream_id: 0, timestamp: 0, payload: payload.into() }
    }

    /// Appends the message with a complete header.
    pub fn write(&self, out: &mut BytesMut, chunk_size: usize) {
        chunk::write_absolute(
            out,
            self.chunk_stream_id,
            self.timestamp,
            self.type_id,
            self.stream_id,
            &self.payload,
            chunk_size,
        );
    }

    /// The number at the beginning of a protocol control message.
    pub(super) fn control_value(&self) -> Result<u32, RtmpError> {
        self.field(0)
    }

    /// A big-endian four-byte field of a control message.
    fn field(&self, offset: usize) -> Result<u32, RtmpError> {
        self.payload
            .get(offset..)
            .and_then(|bytes| bytes.first_chunk())
            .map(|bytes| u32::from_be_bytes(*bytes))
            .ok_or(RtmpError::ShortControl { type_id: self.type_id, length: self.payload.len() })
    }
}
