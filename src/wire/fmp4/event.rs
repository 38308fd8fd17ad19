//! Timed metadata: an ID3 tag in an event message (AOM, "Carriage of ID3 Timed Metadata in the Common Media Application
//! Format").

use bytes::Bytes;

use super::boxes::BoxWriter;

/// Ticks per second of event messages.
const TIMESCALE: u32 = 1_000;
/// Scheme of ID3 tags.
const SCHEME: &[u8] = b"https://aomedia.org/emsg/ID3\0";
/// Duration that is not known.
const UNKNOWN: u32 = u32::MAX;
/// Text in UTF-8 (ID3 2.4 §4).
const UTF8: u8 = 3;

/// Writes an `emsg` with a tag of one TXXX frame. It stands before the `moof` of a fragment. `description` must not contain
/// a zero.
pub fn id3_event(time_ms: u64, id: u32, description: &[u8], text: &[u8]) -> Bytes {
    let frame = 1 + description.len() + 1 + text.len();
    let mut out = BoxWriter::default();
    out.full(b"emsg", 1, 0, |out| {
        out.u32(TIMESCALE);
        out.u64(time_ms);
        out.u32(UNKNOWN);
        out.u32(id);
        out.bytes(SCHEME);
        // The value, which is not used.
        out.u8(0);
        out.bytes(b"ID3\x04\0\0");
        out.u32(syncsafe(FRAME_HEAD + frame));
        out.bytes(b"TXXX");
        out.u32(syncsafe(frame));
        out.u16(0);
        out.u8(UTF8);
        out.bytes(description);
        out.u8(0);
        out.bytes(text);
    });
    out.0.into()
}

/// A length with seven bits a byte (ID3 2.4 §6.2).
fn syncsafe(length: usize) -> u32 {
    let part = |shift: u32| ((length >> (7 * shift)) as u32 & 0x7F) << (8 * shift);
    part(0) | part(1) | part(2) | part(3)
}

/// Length of the head of a frame.
const FRAME_HEAD: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_of_more_than_127_bytes_has_its_true_length() {
        let event = id3_event(7_000, 1, b"onTextData", &[b'x'; 200]);
        assert_eq!(event.len(), u32::from_be_bytes(event[..4].try_into().unwrap()) as usize);
        assert_eq!(event[4..12], *b"emsg\x01\0\0\0");
        let tag = event.windows(4).position(|window| window == b"ID3\x04").unwrap();
        let size = event[tag + 6..tag + 10].iter().fold(0, |size, byte| size << 7 | usize::from(*byte));
        assert_eq!(tag + 10 + size, event.len());
    }
}
