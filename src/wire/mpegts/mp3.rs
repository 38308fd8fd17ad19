//! Header of an MPEG audio frame (ISO 11172-3 §2.4.2.3), parsed for the duration of the frame.

use super::MpegtsError;
use super::audio_collector::FrameLength;

/// Duration of the first frame in `data`.
pub(in crate::wire) fn frame_length(data: &[u8]) -> Result<FrameLength, MpegtsError> {
    let Some(&[sync, head, rates, _]) = data.first_chunk::<4>() else { return Err(MpegtsError::Truncated) };
    if sync != 0xff || head & 0xe0 != 0xe0 {
        return Err(MpegtsError::Unsupported);
    }
    let rate = *FREQUENCIES.get(usize::from(rates >> 2 & 3)).ok_or(MpegtsError::Unsupported)?;
    let (shift, half) = match head >> 3 & 3 {
        VERSION_1 => (0, false),
        VERSION_2 => (1, true),
        VERSION_2_5 => (2, true),
        _ => return Err(MpegtsError::Unsupported),
    };
    let samples = match (head >> 1 & 3, half) {
        (LAYER_3, true) => 576,
        (LAYER_3 | LAYER_2, _) => 1152,
        (LAYER_1, _) => 384,
        _ => return Err(MpegtsError::Unsupported),
    };
    Ok(FrameLength { samples, rate: rate >> shift })
}

const VERSION_1: u8 = 3;
const VERSION_2: u8 = 2;
const VERSION_2_5: u8 = 0;
const LAYER_1: u8 = 3;
const LAYER_2: u8 = 2;
const LAYER_3: u8 = 1;

/// Sample rates of version 1; version 2 has half of them, version 2.5 a quarter.
const FREQUENCIES: [u32; 3] = [44_100, 48_000, 32_000];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_lengths_of_both_versions() {
        assert_eq!(frame_length(&[0xff, 0xfb, 0x90, 0x64]), Ok(FrameLength { samples: 1152, rate: 44_100 }));
        assert_eq!(frame_length(&[0xff, 0xf3, 0x80, 0x64]), Ok(FrameLength { samples: 576, rate: 22_050 }));
    }

    #[test]
    fn no_sync_word_is_no_frame() {
        assert_eq!(frame_length(&[0x00, 0xfb, 0x90, 0x64]), Err(MpegtsError::Unsupported));
        assert_eq!(frame_length(&[0xff, 0xfb, 0x9c, 0x64]), Err(MpegtsError::Unsupported));
        assert_eq!(frame_length(&[0xff]), Err(MpegtsError::Truncated));
    }
}
