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

/// Length in bytes of the first frame in `data`, of layer 3.
pub(in crate::wire) fn frame_bytes(data: &[u8]) -> Option<usize> {
    let FrameLength { samples, rate } = frame_length(data).ok()?;
    let &[_, head, rates, _] = data.first_chunk()?;
    if head >> 1 & 3 != LAYER_3 {
        return None;
    }
    let table = if head >> 3 & 3 == VERSION_1 { &KBITS_1 } else { &KBITS_2 };
    let bits = table.get(usize::from(rates >> 4)).filter(|kbits| **kbits > 0)? * 1000;
    let padding = usize::from(rates >> 1 & 1);
    Some((samples / 8 * bits / rate) as usize + padding)
}

/// Bit rates of layer 3 in kbit/s: version 1, and versions 2 and 2.5.
const KBITS_1: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const KBITS_2: [u32; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

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
