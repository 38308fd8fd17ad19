//! AAC in MPEG-TS: converts AudioSpecificConfig (ISO 14496-3 §1.6.2.1) to ADTS headers (ISO 13818-7 §6.2).

use super::MpegtsError;
use super::audio_collector::FrameLength;
use crate::wire::codec::CodecError;
use crate::wire::codec::aac::{AudioSpecificConfig, SAMPLE_RATES};

/// Length of an ADTS header without checksum.
pub(super) const HEADER_SIZE: usize = 7;
/// Length of the optional checksum.
const CHECKSUM_SIZE: usize = 2;

/// Fields of the decoder configuration that ADTS headers repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) struct AacConfig {
    /// Audio object type minus one: Main, LC, SSR, LTP.
    profile: u8,
    frequency_index: u8,
    channels: u8,
    /// Duration of a frame.
    pub frame_length: FrameLength,
}

impl AacConfig {
    /// Contents of an AudioSpecificConfig.
    ///
    /// # Errors
    ///
    /// The configuration is invalid or cannot be expressed in ADTS.
    pub(super) fn from_asc(asc: &[u8]) -> Result<Self, MpegtsError> {
        // With HE-AAC, ADTS announces the AAC-LC core with its own rate; decoders find the extension in the frames.
        let asc = AudioSpecificConfig::parse(asc).map_err(|error| match error {
            CodecError::Truncated => MpegtsError::Truncated,
            CodecError::Version(_) | CodecError::Invalid(_) => MpegtsError::BadConfig,
        })?;
        // ADTS has two bits for the object type and three for the channel configuration.
        if !(1..=4).contains(&asc.object_type) || asc.channel_configuration > 7 {
            return Err(MpegtsError::Unsupported);
        }
        let frequency_index = SAMPLE_RATES.iter().position(|&known| known == asc.sample_rate);
        Ok(Self {
            profile: asc.object_type - 1,
            frequency_index: frequency_index.ok_or(MpegtsError::Unsupported)? as u8,
            channels: asc.channel_configuration,
            frame_length: FrameLength { samples: asc.frame_samples.into(), rate: asc.sample_rate },
        })
    }

    /// Splits off an ADTS header that some encoders wrongly leave before a frame in FLV. There is no ambiguity: a raw
    /// frame that begins with the same bits would end after three bits.
    pub(in crate::wire) fn split(frame: &[u8]) -> Option<(Self, &[u8])> {
        let &[0xff, kind, format, high, middle, low, blocks] = frame.first_chunk()? else { return None };
        // Layer 0, and one raw data block that ends with the frame.
        let length = usize::from(high & 3) << 11 | usize::from(middle) << 3 | usize::from(low >> 5);
        if kind & 0xf6 != 0xf0 || blocks & 3 != 0 || length != frame.len() {
            return None;
        }
        let checksum = if kind & 1 == 0 { CHECKSUM_SIZE } else { 0 };
        let raw = frame.get(HEADER_SIZE + checksum..)?;
        let frequency_index = format >> 2 & 0xf;
        let rate = *SAMPLE_RATES.get(usize::from(frequency_index))?;
        let config = Self {
            profile: format >> 6,
            frequency_index,
            channels: (format & 1) << 2 | high >> 6,
            frame_length: FrameLength { samples: 1024, rate },
        };
        Some((config, raw))
    }

    /// The configuration as an AudioSpecificConfig.
    pub(in crate::wire) fn specific_config(self) -> [u8; 2] {
        let [high, low] = [self.profile + 1, self.channels];
        [high << 3 | self.frequency_index >> 1, self.frequency_index << 7 | low << 3]
    }

    /// Header of a frame with `len` bytes of raw data.
    ///
    /// # Errors
    ///
    /// The frame is longer than ADTS allows.
    pub(super) fn header(self, len: usize) -> Result<[u8; HEADER_SIZE], MpegtsError> {
        let length = len + HEADER_SIZE;
        if length > FRAME_MAX {
            return Err(MpegtsError::TooLarge);
        }
        let length = length as u16;
        Ok([
            0xff,
            0xf1,
            self.profile << 6 | self.frequency_index << 2 | self.channels >> 2,
            (self.channels & 3) << 6 | (length >> 11) as u8,
            (length >> 3) as u8,
            (length << 5) as u8 | 0x1f,
            // Remaining bits of "buffer fullness unknown", and one raw data block.
            0xfc,
        ])
    }
}

/// Maximum frame length: the field has 13 bits.
const FRAME_MAX: usize = 0x1fff;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_complexity_stereo() {
        let config = AacConfig::from_asc(&[0x12, 0x10]).unwrap();
        assert_eq!(config.frame_length, FrameLength { samples: 1024, rate: 44_100 });
        assert_eq!(config.header(100).unwrap(), [0xff, 0xf1, 0x50, 0x80, 0x0d, 0x7f, 0xfc]);
    }

    #[test]
    fn a_header_in_front_of_a_frame_is_taken_off_and_a_raw_frame_left_as_it_is() {
        let config = AacConfig::from_asc(&[0x12, 0x10]).unwrap();
        let frame = [&config.header(3).unwrap()[..], &[0x21, 0x10, 0x04]].concat();
        assert_eq!(AacConfig::split(&frame), Some((config, &[0x21, 0x10, 0x04][..])));
        let mut with_checksum = [&config.header(5).unwrap()[..], &[7, 7, 0x21, 0x10, 0x04]].concat();
        with_checksum[1] = 0xf0;
        assert_eq!(AacConfig::split(&with_checksum), Some((config, &[0x21, 0x10, 0x04][..])));
        for length in 0..frame.len() {
            assert_eq!(AacConfig::split(&frame[..length]), None, "{length} bytes");
        }
        assert_eq!(AacConfig::split(&[0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c, 0, 0]), None);
    }

    #[test]
    fn high_efficiency_is_announced_as_its_core() {
        // Object type 5, 24 kHz, stereo, extension 48 kHz, core object type 2.
        let config = AacConfig::from_asc(&[0x2b, 0x11, 0x88, 0x00]).unwrap();
        assert_eq!((config.profile, config.frequency_index, config.channels), (1, 6, 2));
        assert_eq!(config.frame_length.rate, 24_000);
    }

    #[test]
    fn what_adts_cannot_say_is_refused() {
        // xHE-AAC, object type 42.
        assert_eq!(AacConfig::from_asc(&[0xf9, 0x46, 0x40, 0x00]), Err(MpegtsError::Unsupported));
        assert_eq!(AacConfig::from_asc(&[]), Err(MpegtsError::Truncated));
        assert_eq!(AacConfig::from_asc(&[0x16, 0x90]), Err(MpegtsError::BadConfig));
        let config = AacConfig::from_asc(&[0x12, 0x10]).unwrap();
        assert_eq!(config.header(8_185), Err(MpegtsError::TooLarge));
        assert!(config.header(8_184).is_ok());
    }
}
