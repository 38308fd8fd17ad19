//! Codec headers that MP4 has in another form than FLV, or that are read for sizes and durations.

use bytes::{BufMut, Bytes, BytesMut};

use super::Fmp4Error;
use crate::wire::codec::{BitReader, CodecError};

/// Properties of a FLAC stream.
pub(super) struct FlacInfo {
    pub(super) rate: u32,
    pub(super) channels: u8,
    /// Samples in a frame; 0 if frames differ.
    pub(super) frame_samples: u32,
    /// The STREAMINFO block as the only one.
    pub(super) record: Bytes,
}

/// Properties of a frame of AC-3 or E-AC-3 (ETSI TS 102 366).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ac3Frame {
    pub(super) enhanced: bool,
    pub(super) rate: u32,
    pub(super) channels: u8,
    pub(super) samples: u32,
    /// Contents of `dac3` or `dec3` (annex F).
    pub(super) record: Vec<u8>,
}

/// Picture size in the sequence header among these OBUs (AV1 §5.5.1).
pub(super) fn av1_size(obus: &[u8]) -> Result<(u32, u32), CodecError> {
    const SEQUENCE_HEADER: u8 = 1;
    let &head = obus.first().ok_or(CodecError::Truncated)?;
    if head >> 3 & 15 != SEQUENCE_HEADER {
        return Err(CodecError::Invalid("first OBU"));
    }
    let mut bits = BitReader::new(obus);
    bits.skip(if head & 4 == 0 { 8 } else { 16 })?;
    if head & 2 != 0 {
        while bits.bit()? {
            bits.skip(7)?;
        }
        bits.skip(7)?;
    }
    // Profile, still picture.
    bits.skip(4)?;
    if bits.bit()? {
        bits.skip(5)?;
    } else {
        let mut delay_bits = None;
        if bits.bit()? {
            bits.skip(64)?;
            if bits.bit()? {
                bits.ue()?;
            }
            if bits.bit()? {
                delay_bits = Some(bits.uint(5)? + 1);
                bits.skip(32 + 5 + 5)?;
            }
        }
        let has_display_delay = bits.bit()?;
        for _ in 0..=bits.uint(5)? {
            bits.skip(12)?;
            if bits.uint(5)? > 7 {
                bits.skip(1)?;
            }
            if let Some(count) = delay_bits
                && bits.bit()?
            {
                bits.skip(2 * count as usize + 1)?;
            }
            if has_display_delay && bits.bit()? {
                bits.skip(4)?;
            }
        }
    }
    let (width_bits, height_bits) = (bits.uint(4)? + 1, bits.uint(4)? + 1);
    Ok((bits.uint(width_bits)? + 1, bits.uint(height_bits)? + 1))
}

/// Channels, and contents of `dOps`: the fields of the identification header in network byte order.
pub(super) fn opus(head: &[u8]) -> Result<(u8, Bytes), Fmp4Error> {
    let fields = head.strip_prefix(b"OpusHead").ok_or(Fmp4Error::BadConfig)?;
    let (&[_, channels, s0, s1, r0, r1, r2, r3, g0, g1, family], mapping) =
        fields.split_first_chunk().ok_or(Fmp4Error::Truncated)?;
    if channels == 0 {
        return Err(Fmp4Error::BadConfig);
    }
    let mut record = BytesMut::new();
    record.put_slice(&[0, channels, s1, s0, r3, r2, r1, r0, g1, g0, family]);
    if family != 0 {
        record.put_slice(mapping.get(..2 + usize::from(channels)).ok_or(Fmp4Error::Truncated)?);
    }
    Ok((channels, record.freeze()))
}

/// Samples at 48 kHz in an Opus packet (RFC 6716 §3.1); 0 if it has none.
pub(super) fn opus_samples(packet: &[u8]) -> u32 {
    let Some(&toc) = packet.first() else { return 0 };
    let frame = match toc >> 3 {
        0..12 => [480, 960, 1_920, 2_880][usize::from(toc >> 3 & 3)],
        12..16 => [480, 960][usize::from(toc >> 3 & 1)],
        _ => [120, 240, 480, 960][usize::from(toc >> 3 & 3)],
    };
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => packet.get(1).map_or(0, |count| u32::from(count & 0x3F)),
    };
    // A packet has at most 120 ms.
    (frame * count).min(5_760)
}

/// From a FLAC stream header: optionally `fLaC`, then metadata blocks of which STREAMINFO is the first one.
pub(super) fn flac(head: &[u8]) -> Result<FlacInfo, Fmp4Error> {
    const STREAMINFO_BYTES: usize = 34;
    let blocks = head.strip_prefix(b"fLaC").unwrap_or(head);
    let (&[kind, _, _, length], rest) = blocks.split_first_chunk().ok_or(Fmp4Error::Truncated)?;
    if kind & 0x7F != 0 || usize::from(length) != STREAMINFO_BYTES {
        return Err(Fmp4Error::BadConfig);
    }
    let info = rest.get(..STREAMINFO_BYTES).ok_or(Fmp4Error::Truncated)?;
    let mut bits = BitReader::new(info);
    let (shortest, longest) = (bits.uint(16)?, bits.uint(16)?);
    bits.skip(48)?;
    let (rate, channels) = (bits.uint(20)?, bits.uint(3)? as u8 + 1);
    if rate == 0 {
        return Err(Fmp4Error::BadConfig);
    }
    let mut record = BytesMut::from(&[0x80, 0, 0, STREAMINFO_BYTES as u8][..]);
    record.put_slice(info);
    let frame_samples = if shortest == longest { longest } else { 0 };
    Ok(FlacInfo { rate, channels, frame_samples, record: record.freeze() })
}

const AC3_RATES: [u32; 3] = [48_000, 44_100, 32_000];
/// Channels without the one for low frequencies, by acmod.
const AC3_CHANNELS: [u8; 8] = [2, 1, 2, 3, 3, 4, 4, 5];

/// Reads the head of a frame of AC-3 or E-AC-3.
pub(super) fn ac3(frame: &[u8]) -> Result<Ac3Frame, Fmp4Error> {
    let mut bits = BitReader::new(frame);
    if bits.uint(16)? != 0x0B77 {
        return Err(Fmp4Error::Unsupported);
    }
    let bsid = frame.get(5).ok_or(Fmp4Error::Truncated)? >> 3;
    let rate = |code: u32| AC3_RATES.get(code as usize).copied().ok_or(Fmp4Error::BadConfig);
    let channels = |acmod: u32, lfe: bool| AC3_CHANNELS[acmod as usize & 7] + u8::from(lfe);
    if bsid <= 10 {
        bits.skip(16)?;
        let (fscod, size_code) = (bits.uint(2)?, bits.uint(6)?);
        let (bsid, bsmod, acmod) = (bits.uint(5)?, bits.uint(3)?, bits.uint(3)?);
        // Mix levels, which only some layouts have.
        let skipped = [acmod & 1 == 1 && acmod != 1, acmod & 4 != 0, acmod == 2];
        bits.skip(2 * skipped.iter().filter(|has| **has).count())?;
        let lfe = bits.bit()?;
        let record = fscod << 22
            | bsid << 17
            | bsmod << 14
            | acmod << 11
            | u32::from(lfe) << 10
            | (size_code >> 1) << 5;
        return Ok(Ac3Frame {
            enhanced: false,
            rate: rate(fscod)?,
            channels: channels(acmod, lfe),
            samples: 1_536,
            record: record.to_be_bytes()[1..].to_vec(),
        });
    }
    if bsid > 16 {
        return Err(Fmp4Error::Unsupported);
    }
    bits.skip(2 + 3)?;
    let size = (bits.uint(11)? + 1) * 2;
    let (fscod, blocks_code) = (bits.uint(2)?, bits.uint(2)?);
    let (sample_rate, blocks) = match fscod {
        3 => (rate(blocks_code)? / 2, 6),
        _ => (rate(fscod)?, [1, 2, 3, 6][blocks_code as usize & 3]),
    };
    let (acmod, lfe) = (bits.uint(3)?, bits.bit()?);
    let samples = 256 * blocks;
    let kilobits = (u64::from(size) * 8 * u64::from(sample_rate) / u64::from(samples) / 1_000) as u32;
    let mut record = ((kilobits.min(0x1FFF) as u16) << 3).to_be_bytes().to_vec();
    let of_stream = fscod << 22 | u32::from(bsid) << 17 | acmod << 9 | u32::from(lfe) << 8;
    record.extend_from_slice(&of_stream.to_be_bytes()[1..]);
    Ok(Ac3Frame { enhanced: true, rate: sample_rate, channels: channels(acmod, lfe), samples, record })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opus_packets_tell_their_duration() {
        // 20 ms CELT alone, twice, and three frames of 20 ms.
        assert_eq!(opus_samples(&[31 << 3]), 960);
        assert_eq!(opus_samples(&[31 << 3 | 1]), 1_920);
        assert_eq!(opus_samples(&[31 << 3 | 3, 3]), 2_880);
        assert_eq!(opus_samples(&[3 << 3 | 3, 63]), 5_760);
        assert_eq!((opus_samples(&[]), opus_samples(&[3])), (0, 0));
    }

    #[test]
    fn opus_fields_change_their_byte_order() {
        let head = b"OpusHead\x01\x02\x38\x01\x80\xBB\0\0\x01\0\0";
        let (channels, record) = opus(head).unwrap();
        assert_eq!((channels, &record[..]), (2, &b"\0\x02\x01\x38\0\0\xBB\x80\0\x01\0"[..]));
        assert_eq!(opus(&head[..18]), Err(Fmp4Error::Truncated));
        assert_eq!(opus(b"OpusHead\x01\x03\x38\x01\x80\xBB\0\0\x01\0\x01\x02"), Err(Fmp4Error::Truncated));
        assert_eq!(opus(b"\x01\x02"), Err(Fmp4Error::BadConfig));
    }

    #[test]
    fn heads_of_ac3_frames_tell_rate_and_channels() {
        // 48 kHz, 448 kbit/s, bsid 8, 3/2 with low frequencies.
        let frame = ac3(&[0x0B, 0x77, 0, 0, 30, 8 << 3, 0b1110_0001, 0]).unwrap();
        assert_eq!((frame.enhanced, frame.rate, frame.channels, frame.samples), (false, 48_000, 6, 1_536));
        assert_eq!(frame.record, [0x10, 0x3D, 0xE0]);
        let frame = ac3(&[0x0B, 0x77, 0x02, 0xFF, 0x3F, 16 << 3, 0, 0]).unwrap();
        assert_eq!((frame.enhanced, frame.rate, frame.channels, frame.samples), (true, 48_000, 6, 1_536));
        assert_eq!(frame.record.len(), 5);
        for length in 0..6 {
            assert!(ac3(&[0x0B, 0x77, 0, 0, 30, 8 << 3][..length]).is_err());
        }
    }

    #[test]
    fn picture_size_of_av1() {
        // From SVT-AV1: 320x240, no timing information, one operating point.
        let mut bits = String::from("000 0 0 0 0 00000 000000000000 00000");
        bits += "1000 0111 100111111 11101111";
        let mut bytes: Vec<u8> = vec![0x0A, 0x0B];
        let bits: Vec<u8> = bits.bytes().filter(|bit| *bit != b' ').collect();
        bytes.extend(
            bits.chunks(8)
                .map(|byte| byte.iter().enumerate().fold(0, |n, (at, bit)| n | (bit - b'0') << (7 - at))),
        );
        assert_eq!(av1_size(&bytes), Ok((320, 240)));
        for length in 0..bytes.len() {
            assert!(av1_size(&bytes[..length]).is_err());
        }
    }
}
