//! Protocol control and user control messages.

use bytes::{BufMut, BytesMut};

use super::{Message, type_id};
use crate::wire::rtmp::RtmpError;

/// Limit type of Set Peer Bandwidth (RTMP 1.0 §5.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerBandwidthLimit {
    /// Use this window.
    Hard,
    /// Use the smaller of this window and the one in effect.
    Soft,
    /// Hard if the last limit was hard, otherwise ignored.
    Dynamic,
    /// Any other number.
    Other(u8),
}

/// A parsed control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Chunk size that the sender uses from here on.
    SetChunkSize(u32),
    /// Discard the incomplete message of this chunk stream.
    Abort(u32),
    /// Number of bytes received so far, modulo 2^32.
    Acknowledgement(u32),
    /// Number of bytes after which the sender expects an acknowledgement.
    WindowAckSize(u32),
    /// Limit of the data in flight that the sender requests.
    PeerBandwidth {
        /// Window in bytes.
        size: u32,
        /// Limit type.
        limit: PeerBandwidthLimit,
    },
    /// A user control event.
    User(UserControl),
}

/// User control events (RTMP 1.0 §7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserControl {
    /// Event 0: the message stream can be used.
    StreamBegin(u32),
    /// Event 1: playback of the stream is over.
    StreamEof(u32),
    /// Event 2: no data on the stream at present.
    StreamDry(u32),
    /// Event 3: buffer length of the player.
    SetBufferLength {
        /// The message stream.
        stream_id: u32,
        /// Buffer length in milliseconds.
        millis: u32,
    },
    /// Event 4: the stream is a recording.
    StreamIsRecorded(u32),
    /// Event 6, with the sender's timestamp.
    PingRequest(u32),
    /// Event 7, with the timestamp of the request.
    PingResponse(u32),
    /// Any other event; ignored.
    Other(u16),
}

/// Set Chunk Size.
pub fn set_chunk_size(size: u32) -> Message {
    number(type_id::SET_CHUNK_SIZE, size)
}

/// Window Acknowledgement Size.
pub fn window_ack_size(size: u32) -> Message {
    number(type_id::WINDOW_ACK_SIZE, size)
}

/// Acknowledgement of this number of bytes, modulo 2^32.
pub fn acknowledgement(sequence_number: u32) -> Message {
    number(type_id::ACKNOWLEDGEMENT, sequence_number)
}

/// Set Peer Bandwidth.
pub fn peer_bandwidth(size: u32, limit: PeerBandwidthLimit) -> Message {
    let mut payload = BytesMut::with_capacity(5);
    payload.put_u32(size);
    payload.put_u8(limit.into());
    Message::control_message(type_id::PEER_BANDWIDTH, payload)
}

fn number(type_id: u8, number: u32) -> Message {
    Message::control_message(type_id, number.to_be_bytes().to_vec())
}

impl UserControl {
    /// Converts the event to a message.
    pub fn to_message(self) -> Message {
        let (event, first, second) = match self {
            Self::StreamBegin(stream_id) => (0, Some(stream_id), None),
            Self::StreamEof(stream_id) => (1, Some(stream_id), None),
            Self::StreamDry(stream_id) => (2, Some(stream_id), None),
            Self::SetBufferLength { stream_id, millis } => (3, Some(stream_id), Some(millis)),
            Self::StreamIsRecorded(stream_id) => (4, Some(stream_id), None),
            Self::PingRequest(timestamp) => (6, Some(timestamp), None),
            Self::PingResponse(timestamp) => (7, Some(timestamp), None),
            Self::Other(event) => (event, None, None),
        };
        let mut payload = BytesMut::with_capacity(10);
        payload.put_u16(event);
        for field in [first, second].into_iter().flatten() {
            payload.put_u32(field);
        }
        Message::control_message(type_id::USER_CONTROL, payload)
    }

    fn parse(message: &Message) -> Result<Self, RtmpError> {
        let Some(event) = message.payload.first_chunk() else {
            return Err(RtmpError::ShortControl { type_id: message.type_id, length: message.payload.len() });
        };
        Ok(match u16::from_be_bytes(*event) {
            0 => Self::StreamBegin(message.field(2)?),
            1 => Self::StreamEof(message.field(2)?),
            2 => Self::StreamDry(message.field(2)?),
            3 => Self::SetBufferLength { stream_id: message.field(2)?, millis: message.field(6)? },
            4 => Self::StreamIsRecorded(message.field(2)?),
            6 => Self::PingRequest(message.field(2)?),
            7 => Self::PingResponse(message.field(2)?),
            other => Self::Other(other),
        })
    }
}

impl Message {
    /// Parses the control message; `None` for other types.
    ///
    /// # Errors
    ///
    /// The message is shorter than its type requires.
    pub fn control(&self) -> Result<Option<Control>, RtmpError> {
        Ok(Some(match self.type_id {
            type_id::SET_CHUNK_SIZE => Control::SetChunkSize(self.field(0)?),
            type_id::ABORT => Control::Abort(self.field(0)?),
            type_id::ACKNOWLEDGEMENT => Control::Acknowledgement(self.field(0)?),
            type_id::USER_CONTROL => Control::User(UserControl::parse(self)?),
            type_id::WINDOW_ACK_SIZE => Control::WindowAckSize(self.field(0)?),
            type_id::PEER_BANDWIDTH => Control::PeerBandwidth {
                size: self.field(0)?,
                // Some senders omit the limit type.
                limit: self.payload.get(4).map_or(PeerBandwidthLimit::Hard, |&n| n.into()),
            },
            _ => return Ok(None),
        }))
    }
}

impl From<u8> for PeerBandwidthLimit {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::Hard,
            1 => Self::Soft,
            2 => Self::Dynamic,
            other => Self::Other(other),
        }
    }
}

impl From<PeerBandwidthLimit> for u8 {
    fn from(limit: PeerBandwidthLimit) -> Self {
        match limit {
            PeerBandwidthLimit::Hard => 0,
            PeerBandwidthLimit::Soft => 1,
            PeerBandwidthLimit::Dynamic => 2,
            PeerBandwidthLimit::Other(number) => number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_control_events_are_read_as_written() {
        for event in [
            UserControl::StreamBegin(1),
            UserControl::StreamEof(2),
            UserControl::StreamDry(3),
            UserControl::SetBufferLength { stream_id: 1, millis: 3000 },
            UserControl::StreamIsRecorded(4),
            UserControl::PingRequest(0xFFFF_FFFF),
            UserControl::PingResponse(7),
            UserControl::Other(31),
        ] {
            let message = event.to_message();
            assert_eq!(message.control(), Ok(Some(Control::User(event))));
        }
    }

    #[test]
    fn control_messages_are_read_as_written() {
        let limit = PeerBandwidthLimit::Dynamic;
        for (message, control) in [
            (set_chunk_size(4096), Control::SetChunkSize(4096)),
            (window_ack_size(5_000_000), Control::WindowAckSize(5_000_000)),
            (acknowledgement(9), Control::Acknowledgement(9)),
            (peer_bandwidth(8, limit), Control::PeerBandwidth { size: 8, limit }),
        ] {
            assert_eq!(message.control(), Ok(Some(control)));
        }
    }

    #[test]
    fn every_shortened_control_message_is_refused() {
        let whole = [
            set_chunk_size(1),
            window_ack_size(1),
            acknowledgement(1),
            UserControl::StreamBegin(1).to_message(),
            UserControl::PingRequest(1).to_message(),
            UserControl::SetBufferLength { stream_id: 1, millis: 1 }.to_message(),
        ];
        for message in whole {
            for length in 0..message.payload.len() {
                let mut short = message.clone();
                short.payload.truncate(length);
                assert_eq!(
                    short.control(),
                    Err(RtmpError::ShortControl { type_id: message.type_id, length })
                );
            }
        }
    }
}
