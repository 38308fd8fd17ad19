//! PES packet headers (ISO 13818-1 §2.4.3.7).

use super::packet::CLOCK_MASK;

/// `stream_id` of the first video stream.
pub(super) const STREAM_ID_VIDEO: u8 = 0xe0;
/// `stream_id` of the first audio stream.
pub(super) const STREAM_ID_AUDIO: u8 = 0xc0;
/// `stream_id` of timed metadata: private_stream_1.
pub(super) const STREAM_ID_METADATA: u8 = 0xbd;

/// Space reserved for the header before an elementary stream: the length of the longest header.
pub(super) const HEADER_MAX: usize = 19;

/// Writes the header at the end of the first [`HEADER_MAX`] bytes of `pes`, directly before its elementary stream.
/// Returns the offset where the packet starts.
///
/// A packet above 64 KiB has length 0 ("until the next one starts"), which is allowed for video only; audio and metadata must
/// not exceed [`AUDIO_MAX`].
pub(super) fn write_header(stream_id: u8, pts: u64, dts: u64, pes: &mut [u8]) -> usize {
    let both = pts & CLOCK_MASK != dts & CLOCK_MASK;
    let clocks = if both { 10u8 } else { 5 };
    let start = HEADER_MAX - 9 - usize::from(clocks);
    let length = u16::try_from(pes.len() - start - 6).unwrap_or(0);
    let [length_hi, length_lo] = length.to_be_bytes();

    let flags = if both { 0xc0 } else { 0x80 };
    // 0x84: the marker bits, and data_alignment_indicator, because every packet starts with an access unit.
    let fixed = [0x00, 0x00, 0x01, stream_id, length_hi, length_lo, 0x84, flags, clocks];
    pes[start..start + 9].copy_from_slice(&fixed);
    pes[start + 9..start + 14].copy_from_slice(&clock(if both { 3 } else { 2 }, pts));
    if both {
        pes[start + 14..start + 19].copy_from_slice(&clock(1, dts));
    }
    start
}

/// A 33-bit clock value with its marker bits.
fn clock(prefix: u8, value: u64) -> [u8; 5] {
    let value = value & CLOCK_MASK;
    let high = prefix << 4 | (value >> 29) as u8 & 0x0e | 1;
    let [_, _, a, b] = ((value >> 14) as u32 & 0xfffe | 1).to_be_bytes();
    let [_, _, c, d] = ((value << 1) as u32 & 0xfffe | 1).to_be_bytes();
    [high, a, b, c, d]
}

/// Maximum length of the elementary stream in a packet of audio or metadata: the 16-bit length field also counts the header after it.
pub(super) const AUDIO_MAX: usize = u16::MAX as usize - (HEADER_MAX - 6);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presentation_alone_when_it_is_the_decoding_time() {
        let mut pes = [0u8; HEADER_MAX + 3];
        let start = write_header(STREAM_ID_AUDIO, 90_000, 90_000, &mut pes);
        let want = [0, 0, 1, 0xc0, 0, 11, 0x84, 0x80, 5, 0x21, 0x00, 0x05, 0xbf, 0x21];
        assert_eq!(&pes[start..HEADER_MAX], want);
    }

    #[test]
    fn clock_values_wrap_at_33_bits() {
        assert_eq!(clock(2, 1 << 33), clock(2, 0));
        assert_eq!(clock(2, CLOCK_MASK), [0x2f, 0xff, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn long_video_packet_has_no_length() {
        let mut pes = vec![0u8; HEADER_MAX + 70_000];
        let start = write_header(STREAM_ID_VIDEO, 1, 0, &mut pes);
        assert_eq!(start, 0);
        assert_eq!(&pes[4..6], [0, 0]);
    }
}
