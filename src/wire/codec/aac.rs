//! AAC configuration (ISO/IEC 14496-3 §1.6.2.1).

use super::{BitReader, CodecError};

/// AudioSpecificConfig, as far as containers need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioSpecificConfig {
    /// Audio object type; 2 is AAC LC. With SBR or PS, that of the underlying AAC.
    pub object_type: u8,
    /// Index of `sample_rate` in table 1.18; 15 for an explicit rate.
    pub sample_rate_index: u8,
    /// Sample rate of the underlying AAC in Hz.
    pub sample_rate: u32,
    /// Sample rate with SBR in Hz, if signalled.
    pub extension_sample_rate: Option<u32>,
    /// channelConfiguration as sent; 0 means that it is given elsewhere in the stream.
    pub channel_configuration: u8,
    /// Number of channels; 0 if unknown.
    pub channels: u8,
    /// Number of samples of a frame and channel: 960 or 1024.
    pub frame_samples: u16,
}

/// Table 1.18, indices 0 to 12.
pub(crate) const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// Table 1.19, values 0 to 7.
const CHANNELS: [u8; 8] = [0, 1, 2, 3, 4, 5, 6, 8];

const ESCAPED_RATE: u8 = 15;
const SBR: u8 = 5;
const PS: u8 = 29;

impl AudioSpecificConfig {
    /// Parses the data of an AAC sequence header.
    ///
    /// # Errors
    ///
    /// The bytes are truncated or invalid.
    pub fn parse(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut bits = BitReader::new(bytes);
        let mut object_type = audio_object_type(&mut bits)?;
        let (sample_rate_index, sample_rate) = sample_rate(&mut bits)?;
        let channel_configuration = bits.uint(4)? as u8;
        let mut extension_sample_rate = None;
        if object_type == SBR || object_type == PS {
            extension_sample_rate = Some(sample_rate_field(&mut bits)?);
            object_type = audio_object_type(&mut bits)?;
        }
        // A configuration that ends here means 1024, as do most others.
        let frame_samples = if bits.uint(1) == Ok(1) { 960 } else { 1024 };
        Ok(Self {
            object_type,
            sample_rate_index,
            sample_rate,
            extension_sample_rate,
            channel_configuration,
            channels: CHANNELS.get(usize::from(channel_configuration)).copied().unwrap_or(0),
            frame_samples,
        })
    }
}

/// Five bits, plus six more after the escape value.
fn audio_object_type(bits: &mut BitReader) -> Result<u8, CodecError> {
    Ok(match bits.uint(5)? as u8 {
        31 => 32 + bits.uint(6)? as u8,
        0 => return Err(CodecError::Invalid("audio object type")),
        object_type => object_type,
    })
}

fn sample_rate(bits: &mut BitReader) -> Result<(u8, u32), CodecError> {
    let index = bits.uint(4)? as u8;
    let rate = match index {
        ESCAPED_RATE => bits.uint(24)?,
        _ => *SAMPLE_RATES.get(usize::from(index)).ok_or(CodecError::Invalid("sample rate index"))?,
    };
    if rate == 0 {
        return Err(CodecError::Invalid("sample rate"));
    }
    Ok((index, rate))
}

fn sample_rate_field(bits: &mut BitReader) -> Result<u32, CodecError> {
    sample_rate(bits).map(|(_, rate)| rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_configurations() {
        for (bytes, object_type, sample_rate, channels) in [
            (&[0x12, 0x10][..], 2, 44_100, 2),
            (&[0x11, 0x90], 2, 48_000, 2),
            (&[0x15, 0x88], 2, 8_000, 1),
            (&[0x12, 0x10, 0x56, 0xE5, 0x00], 2, 44_100, 2),
        ] {
            let config = AudioSpecificConfig::parse(bytes).unwrap();
            assert_eq!(config.object_type, object_type);
            assert_eq!(config.sample_rate, sample_rate);
            assert_eq!(config.channels, channels);
        }
    }

    #[test]
    fn sbr_names_both_rates() {
        // 00101 0111 0001 0100 00010: SBR, 22,050, mono, 44,100, LC
        let config = AudioSpecificConfig::parse(&[0x2B, 0x8A, 0x08]).unwrap();
        assert_eq!(config.object_type, 2);
        assert_eq!(config.sample_rate, 22_050);
        assert_eq!(config.extension_sample_rate, Some(44_100));
        assert_eq!((config.channels, config.frame_samples), (1, 1024));
    }

    #[test]
    fn rate_may_be_written_out() {
        // 00010 1111 000000001111101000000000 0001
        let config = AudioSpecificConfig::parse(&[0x17, 0x80, 0x1F, 0x40, 0x08]).unwrap();
        assert_eq!((config.sample_rate_index, config.sample_rate), (15, 16_000));
        assert_eq!(config.channels, 1);
    }

    #[test]
    fn impossible_configurations_are_refused() {
        assert_eq!(AudioSpecificConfig::parse(&[]), Err(CodecError::Truncated));
        assert_eq!(AudioSpecificConfig::parse(&[0x12]), Err(CodecError::Truncated));
        assert!(AudioSpecificConfig::parse(&[0x16, 0xF0]).is_err());
        assert!(AudioSpecificConfig::parse(&[0, 0]).is_err());
    }
}
