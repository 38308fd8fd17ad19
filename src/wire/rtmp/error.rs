//! Errors of RTMP connections.

use std::fmt;

use crate::wire::{Culprit, amf0};

/// Fatal error of an RTMP core: the connection must be closed.
#[derive(Clone, Debug, PartialEq)]
pub enum RtmpError {
    /// C0 or S0 requests a protocol version other than 3; 6 is the encrypted variant.
    UnsupportedVersion(u8),
    /// A chunk stream id outside the allowed range.
    ChunkStreamId {
        /// The received id.
        csid: u32,
        /// Exclusive upper bound; ids start at 2.
        limit: u32,
    },
    /// Too many chunk streams.
    ChunkStreams {
        /// Allowed number.
        limit: usize,
    },
    /// Set Chunk Size with zero or with the reserved bit.
    ChunkSize(u32),
    /// A chunk that refers to a preceding header on a chunk stream without one.
    HeaderWithoutPrevious {
        /// The chunk stream.
        csid: u32,
        /// Chunk type, 2 or 3.
        format: u8,
    },
    /// A new message header while a message of the same chunk stream is incomplete.
    HeaderInsideMessage {
        /// The chunk stream.
        csid: u32,
        /// Chunk type, 0 to 2.
        format: u8,
    },
    /// A message longer than allowed.
    MessageTooLong {
        /// Message type.
        type_id: u8,
        /// Announced length in bytes.
        length: u32,
        /// Allowed length in bytes.
        limit: usize,
    },
    /// Incomplete messages of all chunk streams are too large together.
    PartialMessages {
        /// Allowed sum in bytes.
        limit: usize,
    },
    /// A protocol control message shorter than its fields.
    ShortControl {
        /// Message type.
        type_id: u8,
        /// Its length in bytes.
        length: usize,
    },
    /// An aggregate message with an invalid inner header.
    Aggregate,
    /// An aggregate message with too many inner messages.
    AggregateCount,
    /// A command or data message that is not valid AMF0.
    Amf0(amf0::AmfError),
    /// A command whose required argument is missing or has the wrong type.
    Argument {
        /// The command.
        command: &'static str,
        /// The argument.
        argument: &'static str,
    },
    /// A command that requires a preceding `connect`.
    NotConnected {
        /// The command.
        command: &'static str,
    },
    /// A second `connect` on one connection.
    SecondConnect,
    /// Too many commands before the answer to `connect`.
    DeferredCommands,
    /// Too many message streams.
    MessageStreams {
        /// Allowed number.
        limit: usize,
    },
    /// The peer does not read our replies.
    RepliesUnread {
        /// Allowed number of queued bytes.
        limit: usize,
    },
    /// A ping request was not answered in time.
    PingTimeout,
    /// Nothing was received for a whole ping interval, on a server with `busy on`.
    Idle,
    /// The server refused `connect`.
    ConnectRefused {
        /// Status code, such as `NetConnection.Connect.Rejected`.
        code: String,
        /// Description, which may contain a redirect.
        description: String,
    },
    /// The server refused createStream.
    CreateStreamRefused,
    /// Media passed to a client session that does not publish.
    NotPublishing,
    /// A payload longer than the maximum message length.
    PayloadTooLong {
        /// Its length in bytes.
        length: usize,
    },
}

impl RtmpError {
    /// Origin of the error.
    pub fn culprit(&self) -> Culprit {
        match self {
            Self::NotPublishing | Self::PayloadTooLong { .. } => Culprit::Local,
            _ => Culprit::Peer,
        }
    }
}

impl fmt::Display for RtmpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsupportedVersion(6) => f.write_str("handshake asks for encrypted RTMP (version 0x06)"),
            Self::UnsupportedVersion(version) => {
                write!(f, "handshake asks for RTMP version {version:#04x}")
            }
            Self::ChunkStreamId { csid, limit } => {
                write!(f, "chunk stream id {csid} is not below {limit}")
            }
            Self::ChunkStreams { limit } => write!(f, "more than {limit} chunk streams"),
            Self::ChunkSize(size) => write!(f, "chunk size {size:#010x} is not allowed"),
            Self::HeaderWithoutPrevious { csid, format } => {
                write!(f, "chunk of type {format} on chunk stream {csid} without a message header before it")
            }
            Self::HeaderInsideMessage { csid, format } => {
                write!(f, "chunk of type {format} inside an incomplete message of chunk stream {csid}")
            }
            Self::MessageTooLong { type_id, length, limit } => {
                write!(f, "message of type {type_id:#04x} is {length} bytes long, allowed are {limit}")
            }
            Self::PartialMessages { limit } => {
                write!(f, "incomplete messages exceed {limit} bytes")
            }
            Self::ShortControl { type_id, length } => {
                write!(f, "control message of type {type_id:#04x} is only {length} bytes long")
            }
            Self::Aggregate => f.write_str("aggregate message cut short"),
            Self::AggregateCount => f.write_str("aggregate message holds too many messages"),
            Self::Amf0(error) => error.fmt(f),
            Self::Argument { command, argument } => {
                write!(f, "{command} without a usable {argument}")
            }
            Self::NotConnected { command } => write!(f, "{command} before connect"),
            Self::SecondConnect => f.write_str("second connect on one connection"),
            Self::DeferredCommands => f.write_str("too many commands before connect was answered"),
            Self::MessageStreams { limit } => write!(f, "more than {limit} message streams"),
            Self::RepliesUnread { limit } => {
                write!(f, "peer reads none of the answers, more than {limit} bytes wait")
            }
            Self::PingTimeout => f.write_str("ping request was not answered"),
            Self::Idle => f.write_str("nothing received between pings"),
            Self::ConnectRefused { code, description } => {
                write!(f, "connect was refused: {code} {description}")
            }
            Self::CreateStreamRefused => f.write_str("createStream was refused"),
            Self::NotPublishing => f.write_str("media for a session that does not publish"),
            Self::PayloadTooLong { length } => {
                write!(f, "payload of {length} bytes does not fit into a message")
            }
        }
    }
}

impl std::error::Error for RtmpError {}

impl From<amf0::AmfError> for RtmpError {
    fn from(error: amf0::AmfError) -> Self {
        Self::Amf0(error)
    }
}
