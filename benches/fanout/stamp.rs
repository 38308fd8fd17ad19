//! The mark in every video frame: when it was sent, and its number.
//!
//! It travels as an H.264 SEI message "user data unregistered" (H.264 Annex D.1.6) in front of the frame's own NAL
//! units, so the stream stays valid for servers that look into it. The numbers are hexadecimal text, which can never
//! imitate a start code, and the mark lies in the first 128 bytes of the message, where no chunk boundary can split it.

use nix::time::{ClockId, clock_gettime};

/// The UUID of the SEI message. Printable, therefore free of emulation prevention bytes.
const MAGIC: &[u8; 16] = b"pingosd-fanout-1";

/// Bytes of an FLV video tag body before its NAL units: frame type and codec, packet type, composition time.
const VIDEO_HEADER: usize = 5;

/// NAL unit length (4), NAL unit type, SEI payload type, SEI payload size.
const SEI_HEADER: [u8; 7] = [0, 0, 0, 52, 0x06, 0x05, 48];

/// Where the two numbers start in a stamped video message.
pub const NUMBERS_AT: usize = VIDEO_HEADER + SEI_HEADER.len() + MAGIC.len();

/// Two 64-bit numbers in hexadecimal.
const NUMBERS: usize = 32;

const TRAILING_BITS: u8 = 0x80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// CLOCK_MONOTONIC, which all processes of one machine share.
    pub sent_ns: u64,
    pub sequence: u64,
}

impl Stamp {
    /// The numbers as they stand at [`NUMBERS_AT`].
    pub fn digits(self) -> [u8; NUMBERS] {
        let mut digits = [0; NUMBERS];
        let text = format!("{:016x}{:016x}", self.sent_ns, self.sequence);
        digits.copy_from_slice(text.as_bytes());
        digits
    }

    /// Reads the stamp of a received video message.
    pub fn find(payload: &[u8]) -> Option<Stamp> {
        let expected = VIDEO_HEADER + SEI_HEADER.len();
        // A server may put NAL units of its own in front; then the mark is searched for.
        let at = match payload.get(expected..expected + MAGIC.len()) {
            Some(bytes) if bytes == MAGIC => expected,
            _ => payload.windows(MAGIC.len()).position(|window| window == MAGIC)?,
        };
        let numbers = payload.get(at + MAGIC.len()..at + MAGIC.len() + NUMBERS)?;
        let text = std::str::from_utf8(numbers).ok()?;
        let (sent, sequence) = text.split_at_checked(NUMBERS / 2)?;
        Some(Stamp {
            sent_ns: u64::from_str_radix(sent, 16).ok()?,
            sequence: u64::from_str_radix(sequence, 16).ok()?,
        })
    }
}

/// A coded H.264 picture, as opposed to a sequence header, audio or metadata.
pub fn is_picture(kind: u8, payload: &[u8]) -> bool {
    kind == crate::rtmp::VIDEO && payload.len() > VIDEO_HEADER && payload[0] & 0x0f == 7 && payload[1] == 1
}

/// Puts room for a stamp into a picture.
pub fn with_room(picture: &[u8]) -> Vec<u8> {
    let (header, nal_units) = picture.split_at(VIDEO_HEADER);
    let mut stamped = Vec::with_capacity(picture.len() + SEI_HEADER.len() + MAGIC.len() + NUMBERS + 1);
    stamped.extend_from_slice(header);
    stamped.extend_from_slice(&SEI_HEADER);
    stamped.extend_from_slice(MAGIC);
    stamped.extend_from_slice(&[b'0'; NUMBERS]);
    stamped.push(TRAILING_BITS);
    stamped.extend_from_slice(nal_units);
    stamped
}

/// CLOCK_MONOTONIC in nanoseconds.
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has this clock");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}
