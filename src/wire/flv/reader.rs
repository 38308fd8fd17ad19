//! Incremental FLV parser.

use std::fmt;

use bytes::Bytes;

use super::TAG_HEADER;
use crate::limits::{FLV_HEADER, PAYLOAD_RESERVE};
use crate::wire::MediaKind;

/// One tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlvTag {
    /// Kind of media.
    pub kind: MediaKind,
    /// Timestamp in milliseconds.
    pub timestamp: u32,
    /// Tag body, unchanged.
    pub payload: Bytes,
}

/// Parses an FLV stream as it arrives.
///
/// Tags of other types and encrypted tags are skipped. PreviousTagSize is skipped and not compared, because writers
/// that were interrupted get it wrong.
#[derive(Debug)]
pub struct FlvReader {
    state: FlvReaderState,
    max_tag: usize,
    /// Bytes received so far of the current header or payload.
    held: Vec<u8>,
}

/// ```text
/// FileHeader -> Skip -> TagHeader -> Payload -> Skip (PreviousTagSize) -> TagHeader ...
///                          |                      ^
///                          +-- unknown tag -------+
/// ```
#[derive(Debug)]
enum FlvReaderState {
    FileHeader,
    Skip { left: usize },
    TagHeader,
    Payload { kind: MediaKind, timestamp: u32, length: usize },
}

/// Length of the file header: signature, version, flags, data offset.
const FILE_HEADER: usize = 9;
const PREVIOUS_TAG_SIZE: usize = 4;
/// Bit of the type byte for an encrypted payload (E.4.1).
const FILTER: u8 = 0x20;

impl FlvReader {
    /// Starts at the file header. Tags longer than `max_tag` bytes are an error.
    pub fn new(max_tag: usize) -> Self {
        Self { state: FlvReaderState::FileHeader, max_tag, held: Vec::new() }
    }

    /// Starts at a tag, behind the header of a file.
    pub fn at_tags(max_tag: usize) -> Self {
        Self { state: FlvReaderState::TagHeader, ..Self::new(max_tag) }
    }

    /// Consumes `input` until a tag is complete or no bytes are left.
    ///
    /// # Errors
    ///
    /// The bytes are not FLV, or a tag is longer than allowed.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<FlvTag>, FlvError> {
        loop {
            match &mut self.state {
                FlvReaderState::FileHeader => {
                    if !gather(&mut self.held, FILE_HEADER, input) {
                        return Ok(None);
                    }
                    let left = data_offset(&self.held)? - FILE_HEADER + PREVIOUS_TAG_SIZE;
                    self.state = FlvReaderState::Skip { left };
                    self.held.clear();
                }
                FlvReaderState::Skip { left } => {
                    let skipped = input.len().min(*left);
                    *input = &input[skipped..];
                    *left -= skipped;
                    if *left > 0 {
                        return Ok(None);
                    }
                    self.state = FlvReaderState::TagHeader;
                }
                FlvReaderState::TagHeader => {
                    if !gather(&mut self.held, TAG_HEADER, input) {
                        return Ok(None);
                    }
                    self.state = parse_tag_header(&self.held, self.max_tag)?;
                    self.held.clear();
                }
                FlvReaderState::Payload { kind, timestamp, length } => {
                    if !gather(&mut self.held, *length, input) {
                        return Ok(None);
                    }
                    let tag = FlvTag {
                        kind: *kind,
                        timestamp: *timestamp,
                        payload: Bytes::from(std::mem::take(&mut self.held)),
                    };
                    self.state = FlvReaderState::Skip { left: PREVIOUS_TAG_SIZE };
                    return Ok(Some(tag));
                }
            }
        }
    }

    /// Whether the bytes so far end between two tags, as a complete file does.
    pub fn is_between_tags(&self) -> bool {
        matches!(self.state, FlvReaderState::TagHeader) && self.held.is_empty()
    }
}

/// Fills `held` up to `length`; memory grows with the bytes received, not with the announced length.
fn gather(held: &mut Vec<u8>, length: usize, input: &mut &[u8]) -> bool {
    let (taken, rest) = input.split_at((length - held.len()).min(input.len()));
    let needed = held.len() + taken.len();
    if needed > held.capacity() {
        let grown = needed.max(PAYLOAD_RESERVE).max(2 * held.capacity()).min(length);
        held.reserve_exact(grown - held.len());
    }
    held.extend_from_slice(taken);
    *input = rest;
    held.len() == length
}

fn data_offset(header: &[u8]) -> Result<usize, FlvError> {
    if header.len() != FILE_HEADER || !header.starts_with(b"FLV") {
        return Err(FlvError::Signature);
    }
    let offset = header[5..].iter().fold(0usize, |number, &byte| number << 8 | usize::from(byte));
    if !(FILE_HEADER..=FLV_HEADER).contains(&offset) {
        return Err(FlvError::DataOffset(offset));
    }
    Ok(offset)
}

fn parse_tag_header(header: &[u8], max_tag: usize) -> Result<FlvReaderState, FlvError> {
    let &[type_id, l2, l1, l0, t2, t1, t0, t3, _, _, _] = header else {
        unreachable!("gathered to the length of a tag header");
    };
    let length = u32::from_be_bytes([0, l2, l1, l0]) as usize;
    if length > max_tag {
        return Err(FlvError::TagTooLong { type_id, length, limit: max_tag });
    }
    let timestamp = u32::from_be_bytes([t3, t2, t1, t0]);
    let kind = match type_id & FILTER {
        // The two bits above are reserved; some writers set them.
        0 => MediaKind::from_type_id(type_id & 0x1F),
        _ => None,
    };
    Ok(match kind {
        Some(kind) => FlvReaderState::Payload { kind, timestamp, length },
        None => FlvReaderState::Skip { left: length + PREVIOUS_TAG_SIZE },
    })
}

/// Error of an FLV stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlvError {
    /// The stream does not start with `FLV`.
    Signature,
    /// The header gives an impossible offset for the first tag.
    DataOffset(usize),
    /// A tag longer than allowed.
    TagTooLong {
        /// Tag type.
        type_id: u8,
        /// Announced length in bytes.
        length: usize,
        /// Allowed length in bytes.
        limit: usize,
    },
}

impl fmt::Display for FlvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature => f.write_str("not an FLV stream"),
            Self::DataOffset(offset) => write!(f, "FLV tags cannot start at byte {offset}"),
            Self::TagTooLong { type_id, length, limit } => {
                write!(f, "FLV tag of type {type_id:#04x} is {length} bytes long, allowed are {limit}")
            }
        }
    }
}

impl std::error::Error for FlvError {}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::wire::flv::{write_header, write_tag};

    const MAX: usize = 1000;

    fn tag(kind: MediaKind, timestamp: u32, payload: &'static [u8]) -> FlvTag {
        FlvTag { kind, timestamp, payload: Bytes::from_static(payload) }
    }

    fn sample() -> (Vec<FlvTag>, Vec<u8>) {
        let tags = vec![
            tag(MediaKind::Data, 0, b"\x02\x00\x0AonMetaData"),
            tag(MediaKind::Video, 0xFFFF_FFFF, b"video"),
            tag(MediaKind::Audio, 0x0100_0000, b""),
        ];
        let mut out = BytesMut::new();
        write_header(&mut out, true, true);
        for tag in &tags {
            write_tag(&mut out, tag.kind, tag.timestamp, &tag.payload);
        }
        (tags, out.to_vec())
    }

    fn read_all(bytes: &[u8], step: usize) -> Result<(Vec<FlvTag>, bool), FlvError> {
        let mut reader = FlvReader::new(MAX);
        let mut tags = Vec::new();
        for mut part in bytes.chunks(step) {
            while let Some(tag) = reader.read(&mut part)? {
                tags.push(tag);
            }
            assert!(part.is_empty());
        }
        Ok((tags, reader.is_between_tags()))
    }

    #[test]
    fn tags_are_read_as_written_in_any_portions() {
        let (tags, bytes) = sample();
        for step in 1..=bytes.len() {
            assert_eq!(read_all(&bytes, step), Ok((tags.clone(), true)));
        }
    }

    #[test]
    fn truncated_stream_yields_its_whole_tags() {
        let (tags, bytes) = sample();
        for length in 0..bytes.len() {
            let (read, between) = read_all(&bytes[..length], 7).unwrap();
            assert_eq!(read[..], tags[..read.len()]);
            let ends = [13, 13 + 11 + 13 + 4, 13 + 11 + 13 + 4 + 11 + 5 + 4];
            assert_eq!(between, ends.contains(&length), "{length}");
        }
    }

    #[test]
    fn other_and_encrypted_tags_are_skipped() {
        let (tags, bytes) = sample();
        let mut mixed = bytes[..13].to_vec();
        for type_id in [0x00, 0x0F, 0x28, 0x29] {
            mixed.extend_from_slice(&[type_id, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
            mixed.extend_from_slice(b"xyz\0\0\0\x0E");
        }
        mixed.extend_from_slice(&bytes[13..]);
        assert_eq!(read_all(&mixed, 5), Ok((tags, true)));
    }

    #[test]
    fn longer_file_header_is_skipped_within_its_bound() {
        let (tags, bytes) = sample();
        let mut longer = bytes.clone();
        longer[8] = 12;
        longer.splice(9..9, *b"pad");
        assert_eq!(read_all(&longer, 4), Ok((tags, true)));
        longer[5] = 1;
        assert_eq!(read_all(&longer, 4), Err(FlvError::DataOffset(0x0100_000C)));
        longer[5..9].copy_from_slice(&[0, 0, 0, 8]);
        assert_eq!(read_all(&longer, 4), Err(FlvError::DataOffset(8)));
    }

    #[test]
    fn declared_length_beyond_the_limit_is_refused_at_the_header() {
        let (_, mut bytes) = sample();
        bytes.truncate(13);
        bytes.extend_from_slice(b"\x09\xFF\xFF\xFF\0\0\0\0\0\0\0");
        assert_eq!(
            read_all(&bytes, 100),
            Err(FlvError::TagTooLong { type_id: 9, length: 0xFF_FFFF, limit: MAX })
        );
    }

    #[test]
    fn other_signature_is_refused() {
        assert_eq!(read_all(b"RIFF.........", 3), Err(FlvError::Signature));
    }
}
