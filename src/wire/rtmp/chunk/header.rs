//! Chunk headers, as far as they can be parsed without state (RTMP 1.0 §5.3.1).

use super::EXTENDED;

/// A chunk header as it was sent.
#[derive(Debug, Default)]
pub(super) struct ChunkHeader {
    /// Chunk type, 0 to 3.
    pub(super) format: u8,
    pub(super) csid: u32,
    /// Absolute timestamp or delta; zero for type 3.
    pub(super) time: u32,
    /// Whether `time` was in the extended field.
    pub(super) extended: bool,
    pub(super) length: u32,
    pub(super) type_id: u8,
    pub(super) stream_id: u32,
    /// Length in bytes.
    pub(super) size: usize,
}

/// Reads chunk type and chunk stream id, one to three bytes. `None` if bytes are missing.
pub(super) fn basic(fields: &mut Fields) -> Option<(u8, u32)> {
    let first = fields.uint(1)?;
    let csid = match first & 0x3F {
        0 => 64 + fields.uint(1)?,
        // The third byte is the more significant one.
        1 => 64 + u32::from((fields.uint(2)? as u16).swap_bytes()),
        id => id,
    };
    Some(((first >> 6) as u8, csid))
}

impl ChunkHeader {
    /// Reads the fields of types 0 to 2. `None` if bytes are missing.
    pub(super) fn parse_message_header(&mut self, fields: &mut Fields) -> Option<()> {
        self.time = fields.uint(3)?;
        if self.format < 2 {
            self.length = fields.uint(3)?;
            self.type_id = fields.uint(1)? as u8;
        }
        if self.format == 0 {
            // The only little-endian field of RTMP.
            self.stream_id = fields.uint(4)?.swap_bytes();
        }
        self.extended = self.time == EXTENDED;
        if self.extended {
            self.time = fields.uint(4)?;
        }
        Some(())
    }
}

/// Reads big-endian fields.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The remaining bytes.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Reads a number of up to four bytes. `None`, without consuming anything, if bytes are missing.
    pub(super) fn uint(&mut self, size: usize) -> Option<u32> {
        let (field, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(field.iter().fold(0, |number, &byte| number << 8 | u32::from(byte)))
    }
}
