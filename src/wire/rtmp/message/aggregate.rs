//! Aggregate messages: FLV tags in one message (RTMP 1.0 §7.1.6).

use bytes::{Buf, Bytes};

use super::{Message, type_id};
use crate::limits::AGGREGATE_MESSAGES;
use crate::wire::rtmp::RtmpError;

/// Length of an inner header: type, length, timestamp, stream id.
const HEADER: usize = 11;
/// Length of the back pointer, which repeats the size of the preceding message.
const BACK_POINTER: usize = 4;

/// Iterator over the messages in an aggregate message. See [`split_aggregate`].
#[derive(Clone, Debug)]
pub struct Aggregate {
    chunk_stream_id: u32,
    stream_id: u32,
    timestamp: u32,
    /// Timestamp of the first inner message, relative to which inner timestamps count.
    first: Option<u32>,
    left: usize,
    input: Bytes,
}

/// Splits `message`, which should have type 22.
///
/// Inner messages take the message stream of the aggregate, and timestamps such that the first one has the timestamp of
/// the aggregate. A missing back pointer after the last one is accepted. Iteration ends after the first error. A nested
/// aggregate is returned unchanged, for the caller to ignore.
pub fn split_aggregate(message: &Message) -> Aggregate {
    Aggregate {
        chunk_stream_id: message.chunk_stream_id,
        stream_id: message.stream_id,
        timestamp: message.timestamp,
        first: None,
        left: AGGREGATE_MESSAGES,
        input: message.payload.clone(),
    }
}

impl Aggregate {
    fn message(&mut self) -> Result<Message, RtmpError> {
        self.left = self.left.checked_sub(1).ok_or(RtmpError::AggregateCount)?;
        if self.input.len() < HEADER {
            return Err(RtmpError::Aggregate);
        }
        let type_id = self.input.get_u8();
        let length = self.input.get_uint(3) as usize;
        let low = self.input.get_uint(3) as u32;
        let timestamp = u32::from(self.input.get_u8()) << 24 | low;
        self.input.advance(3);
        if length > self.input.len() {
            return Err(RtmpError::Aggregate);
        }
        let payload = self.input.split_to(length);
        self.input.advance(self.input.len().min(BACK_POINTER));
        let first = *self.first.get_or_insert(timestamp);
        Ok(Message {
            chunk_stream_id: self.chunk_stream_id,
            type_id,
            stream_id: self.stream_id,
            timestamp: self.timestamp.wrapping_add(timestamp.wrapping_sub(first)),
            payload,
        })
    }
}

impl Iterator for Aggregate {
    type Item = Result<Message, RtmpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.input.is_empty() {
            return None;
        }
        let message = self.message();
        if message.is_err() {
            self.input.clear();
        }
        Some(message)
    }
}

impl Message {
    /// Whether it is an aggregate message.
    pub fn is_aggregate(&self) -> bool {
        self.type_id == type_id::AGGREGATE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aggregate(payload: impl Into<Bytes>) -> Message {
        Message {
            chunk_stream_id: 6,
            type_id: type_id::AGGREGATE,
            stream_id: 1,
            timestamp: 5000,
            payload: payload.into(),
        }
    }

    const TWO: &[u8] = b"\x08\0\0\x02\0\0\x64\0\0\0\0ab\0\0\0\x0D\x09\0\0\x01\0\0\x7B\0\0\0\0c\0\0\0\x0C";

    #[test]
    fn inner_timestamps_count_from_the_aggregate() {
        let inner: Vec<_> = split_aggregate(&aggregate(TWO))
            .map(|message| message.unwrap())
            .map(|message| (message.type_id, message.stream_id, message.timestamp, message.payload))
            .collect();
        assert_eq!(inner, [(8, 1, 5000, Bytes::from_static(b"ab")), (9, 1, 5023, Bytes::from_static(b"c"))]);
    }

    #[test]
    fn truncated_aggregate_yields_what_is_whole_then_an_error() {
        for length in 1..TWO.len() {
            let parts: Vec<_> = split_aggregate(&aggregate(&TWO[..length])).collect();
            let whole = parts.iter().filter(|part| part.is_ok()).count();
            // A back pointer has four bytes and may be missing.
            let expected = usize::from(length >= 13) + usize::from(length >= 29);
            assert_eq!(whole, expected, "{length}");
            let clean = [13, 14, 15, 16, 17].contains(&length) || length >= 29;
            assert_eq!(parts.last().unwrap().is_ok(), clean, "{length}");
        }
    }

    #[test]
    fn number_of_inner_messages_is_bounded() {
        let many = [0u8; (HEADER + BACK_POINTER) * (AGGREGATE_MESSAGES + 1)];
        let last = split_aggregate(&aggregate(many.to_vec())).last();
        assert_eq!(last, Some(Err(RtmpError::AggregateCount)));
    }
}
