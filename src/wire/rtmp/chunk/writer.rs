//! Chunk writer.
//!
//! Free functions on purpose: messages for many players are chunked once, and no header state of a connection may get
//! into shared bytes.

use bytes::{BufMut, BytesMut};

use super::EXTENDED;
use crate::limits::MESSAGE_LENGTH;

/// Length of a type 1 header with a one-byte basic header and without an extended timestamp.
pub const DELTA_HEADER: usize = 8;

/// Appends a message with a complete header (type 0) and an absolute timestamp in milliseconds.
///
/// # Panics
///
/// If `chunk_size` is zero, `csid` is not in 2..=65,599, or the payload does not fit into 24 bits.
pub fn write_absolute(
    out: &mut BytesMut,
    csid: u32,
    timestamp: u32,
    type_id: u8,
    stream_id: u32,
    payload: &[u8],
    chunk_size: usize,
) {
    let header = LastHeader { format: 0, csid, time: timestamp, type_id, stream_id: Some(stream_id) };
    write(out, &header, payload, chunk_size);
}

/// Appends a message that follows another one of the same message stream on this chunk stream, `delta` milliseconds
/// later (type 1).
///
/// # Panics
///
/// As [`write_absolute`].
pub fn write_delta(
    out: &mut BytesMut,
    csid: u32,
    delta: u32,
    type_id: u8,
    payload: &[u8],
    chunk_size: usize,
) {
    let header = LastHeader { format: 1, csid, time: delta, type_id, stream_id: None };
    write(out, &header, payload, chunk_size);
}

/// Header with which [`write_delta`] begins a message of `length` bytes.
///
/// # Panics
///
/// If `csid` is not in 2..=63, `delta` needs an extended timestamp, or `length` does not fit into 24 bits.
pub fn delta_header(csid: u32, delta: u32, type_id: u8, length: usize) -> [u8; DELTA_HEADER] {
    let header = LastHeader { format: 1, csid, time: delta, type_id, stream_id: None };
    let mut bytes = [0; DELTA_HEADER];
    write_header(&mut &mut bytes[..], &header, length);
    bytes
}

/// Appends only the header with which [`write_absolute`] begins a message of `length` bytes. Chunks from
/// [`write_delta`] without their header may follow it, provided that the peer expects no extended timestamp in
/// continuation chunks, or that there is none.
///
/// # Panics
///
/// If `csid` is not in 2..=65,599, or `length` does not fit into 24 bits.
pub fn write_absolute_header(
    out: &mut BytesMut,
    csid: u32,
    timestamp: u32,
    type_id: u8,
    stream_id: u32,
    length: usize,
) {
    write_header(
        out,
        &LastHeader { format: 0, csid, time: timestamp, type_id, stream_id: Some(stream_id) },
        length,
    );
}

struct LastHeader {
    format: u8,
    csid: u32,
    /// Absolute timestamp or delta, depending on the format.
    time: u32,
    type_id: u8,
    stream_id: Option<u32>,
}

impl LastHeader {
    fn extended(&self) -> Option<u32> {
        (self.time >= EXTENDED).then_some(self.time)
    }

    /// Length of a message of `length` bytes including all headers.
    fn message_len(&self, length: usize, chunk_size: usize) -> usize {
        let basic = match self.csid {
            ..64 => 1,
            64..320 => 2,
            320.. => 3,
        };
        let extended = if self.extended().is_some() { 4 } else { 0 };
        let message_header = if self.stream_id.is_some() { 11 } else { 7 };
        let continuations = length.saturating_sub(1) / chunk_size;
        message_header + length + (1 + continuations) * (basic + extended)
    }
}

fn write_header(out: &mut impl BufMut, header: &LastHeader, length: usize) {
    assert!(length <= MESSAGE_LENGTH, "a message length has 24 bits");
    put_basic_header(out, header.format, header.csid);
    out.put_uint(u64::from(header.time.min(EXTENDED)), 3);
    out.put_uint(length as u64, 3);
    out.put_u8(header.type_id);
    if let Some(stream_id) = header.stream_id {
        // The only little-endian field of RTMP.
        out.put_u32_le(stream_id);
    }
    put_extended(out, header.extended());
}

fn write(out: &mut BytesMut, header: &LastHeader, payload: &[u8], chunk_size: usize) {
    assert!(chunk_size > 0, "a chunk holds at least one byte");
    let extended = header.extended();

    out.reserve(header.message_len(payload.len(), chunk_size));

    write_header(out, header, payload.len());
    let mut chunks = payload.chunks(chunk_size);
    out.put_slice(chunks.next().unwrap_or_default());
    for chunk in chunks {
        put_basic_header(out, 3, header.csid);
        put_extended(out, extended);
        out.put_slice(chunk);
    }
}

/// Writes a basic header (RTMP 1.0 §5.3.1.1): ids below 64 in one byte, below 320 in two, others in three.
fn put_basic_header(out: &mut impl BufMut, format: u8, csid: u32) {
    let format = format << 6;
    match csid {
        2..=63 => out.put_u8(format | csid as u8),
        64..=319 => {
            out.put_u8(format);
            out.put_u8((csid - 64) as u8);
        }
        320..=65_599 => {
            out.put_u8(format | 1);
            out.put_u16_le((csid - 64) as u16);
        }
        _ => panic!("chunk stream id {csid} cannot be written"),
    }
}

fn put_extended(out: &mut impl BufMut, extended: Option<u32>) {
    if let Some(time) = extended {
        out.put_u32(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absolute(csid: u32, timestamp: u32, payload: &[u8], chunk_size: usize) -> Vec<u8> {
        let mut out = BytesMut::new();
        write_absolute(&mut out, csid, timestamp, 9, 1, payload, chunk_size);
        out.to_vec()
    }

    #[test]
    fn type_0_header_is_as_the_specification_draws_it() {
        assert_eq!(absolute(4, 1000, b"abc", 128), b"\x04\x00\x03\xE8\x00\x00\x03\x09\x01\x00\x00\x00abc");
    }

    #[test]
    fn type_1_header_has_no_stream_id() {
        let mut out = BytesMut::new();
        write_delta(&mut out, 4, 40, 8, b"abc", 128);
        assert_eq!(&out[..], b"\x44\x00\x00\x28\x00\x00\x03\x08abc");
    }

    #[test]
    fn continuation_repeats_the_extended_timestamp() {
        assert_eq!(
            absolute(4, 0x0100_0000, b"abcd", 3),
            b"\x04\xFF\xFF\xFF\x00\x00\x04\x09\x01\x00\x00\x00\x01\x00\x00\x00abc\xC4\x01\x00\x00\x00d"
        );
        assert_eq!(absolute(4, 0xFF_FFFE, b"abcd", 3).len(), 12 + 3 + 1 + 1);
        assert_eq!(absolute(4, 0xFF_FFFF, b"abcd", 3).len(), 12 + 4 + 3 + 1 + 4 + 1);
    }

    #[test]
    fn room_is_made_for_the_message_and_no_more() {
        for csid in [3, 63, 64, 319, 320, 65_599] {
            for timestamp in [0, 0xFF_FFFE, 0xFF_FFFF, u32::MAX] {
                for length in [0, 1, 127, 128, 129, 256, 1000] {
                    let header =
                        LastHeader { format: 0, csid, time: timestamp, type_id: 9, stream_id: Some(1) };
                    let written = absolute(csid, timestamp, &vec![7; length], 128).len();
                    assert_eq!(header.message_len(length, 128), written, "{csid} {timestamp} {length}");
                }
            }
        }
        let mut out = BytesMut::new();
        write_delta(&mut out, 6, 23, 8, &[7; 300], 4096);
        assert_eq!(out.len(), out.capacity());
    }

    #[test]
    fn payload_of_exactly_one_chunk_has_no_continuation() {
        assert_eq!(absolute(4, 0, b"abc", 3).len(), 12 + 3);
        assert_eq!(absolute(4, 0, b"", 3).len(), 12);
    }

    #[test]
    fn basic_header_grows_with_the_chunk_stream_id() {
        assert_eq!(absolute(63, 0, b"", 1)[..1], [0x3F]);
        assert_eq!(absolute(64, 0, b"", 1)[..2], [0x00, 0x00]);
        assert_eq!(absolute(319, 0, b"", 1)[..2], [0x00, 0xFF]);
        assert_eq!(absolute(320, 0, b"", 1)[..3], [0x01, 0x00, 0x01]);
        assert_eq!(absolute(65_599, 0, b"", 1)[..3], [0x01, 0xFF, 0xFF]);
    }
}
