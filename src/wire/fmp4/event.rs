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

/// Writes an `emsg` with an ID3 tag. It stands before the `moof` of a fragment.
pub fn id3_event(time_ms: u64, id: u32, tag: &[u8]) -> Bytes {
    let mut out = BoxWriter::default();
    out.full(b"emsg", 1, 0, |out| {
        out.u32(TIMESCALE);
        out.u64(time_ms);
        out.u32(UNKNOWN);
        out.u32(id);
        out.bytes(SCHEME);
        // The value, which is not used.
        out.u8(0);
        out.bytes(tag);
    });
    out.0.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_true_length() {
        let event = id3_event(7_000, 1, &[b'x'; 200]);
        assert_eq!(event.len(), u32::from_be_bytes(event[..4].try_into().unwrap()) as usize);
        assert_eq!(event[4..12], *b"emsg\x01\0\0\0");
        assert!(event.ends_with(&[b'x'; 200]));
    }
}
