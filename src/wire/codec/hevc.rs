//! HEVC configuration: the decoder configuration record (ISO/IEC 14496-15 §8.3.3.1) and the sequence parameter set
//! (H.265 §7.3.2.2).

pub(in crate::wire) use super::bits::unescape;
use super::record::Reader;
use super::{BitReader, CodecError};

/// HEVCDecoderConfigurationRecord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HevcConfig<'r> {
    /// general_profile_space.
    pub profile_space: u8,
    /// general_profile_idc.
    pub profile: u8,
    /// general_tier_flag: the high tier.
    pub high_tier: bool,
    /// general_profile_compatibility_flags, the first one in the highest bit.
    pub compatibility: u32,
    /// Constraint flags of the general profile.
    pub constraints: [u8; 6],
    /// general_level_idc: thirty times the level.
    pub level: u8,
    /// Size of the NAL unit length fields in bytes.
    pub nal_length_size: u8,
    /// Video parameter sets, without start codes; none is empty.
    pub vps: Vec<&'r [u8]>,
    /// Sequence parameter sets, without start codes; none is empty.
    pub sps: Vec<&'r [u8]>,
    /// Picture parameter sets, without start codes; none is empty.
    pub pps: Vec<&'r [u8]>,
}

/// Length of the fixed part before the arrays.
const RECORD_HEAD: usize = 23;

/// NAL unit types (H.265 table 7-1).
pub(crate) const VPS: u8 = 32;
pub(crate) const SPS: u8 = 33;
pub(crate) const PPS: u8 = 34;

impl<'r> HevcConfig<'r> {
    /// Parses the data of an HEVC sequence header.
    ///
    /// # Errors
    ///
    /// The bytes are truncated or invalid.
    pub fn parse(record: &'r [u8]) -> Result<Self, CodecError> {
        let mut input = Reader(record);
        let head: [u8; RECORD_HEAD] = input.array()?;
        // Encoders older than the standard write version 0.
        if head[0] > 1 {
            return Err(CodecError::Version(head[0]));
        }
        let [_, profile, c0, c1, c2, c3, k0, k1, k2, k3, k4, k5, level, ..] = head;
        let mut config = Self {
            profile_space: profile >> 6,
            profile: profile & 0x1F,
            high_tier: profile & 0x20 != 0,
            compatibility: u32::from_be_bytes([c0, c1, c2, c3]),
            constraints: [k0, k1, k2, k3, k4, k5],
            level,
            nal_length_size: (head[21] & 3) + 1,
            vps: Vec::new(),
            sps: Vec::new(),
            pps: Vec::new(),
        };
        let mut others = Vec::new();
        for _ in 0..head[22] {
            let [nal_type, count @ ..] = input.array::<3>()?;
            let sets = match nal_type & 0x3F {
                VPS => &mut config.vps,
                SPS => &mut config.sps,
                PPS => &mut config.pps,
                _ => {
                    others.clear();
                    &mut others
                }
            };
            input.parameter_sets(usize::from(u16::from_be_bytes(count)), sets)?;
        }
        Ok(config)
    }
}

/// Picture properties in a sequence parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HevcSps {
    /// general_profile_idc.
    pub profile: u8,
    /// general_level_idc: thirty times the level.
    pub level: u8,
    /// Width in pixels after cropping.
    pub width: u32,
    /// Height in pixels after cropping.
    pub height: u32,
}

/// Bits of a profile in profile_tier_level: space, tier and number, compatibility, constraints.
const PROFILE_BITS: usize = 2 + 1 + 5 + 32 + 48;
const LEVEL_BITS: usize = 8;

impl HevcSps {
    /// Parses a sequence parameter set including its NAL unit header.
    ///
    /// # Errors
    ///
    /// The bytes are truncated or invalid.
    pub fn parse(nal: &[u8]) -> Result<Self, CodecError> {
        let bytes = unescape(nal.get(2..).ok_or(CodecError::Truncated)?);
        let mut bits = BitReader::new(&bytes);
        // sps_video_parameter_set_id
        bits.skip(4)?;
        let sub_layers = bits.uint(3)?;
        // sps_temporal_id_nesting_flag
        bits.skip(1)?;
        let (profile, level) = profile_tier_level(&mut bits, sub_layers)?;
        // sps_seq_parameter_set_id
        bits.ue()?;
        let chroma_format = bits.ue()?;
        let separate_planes = chroma_format == 3 && bits.bit()?;
        let width = bits.ue()?;
        let height = bits.ue()?;
        let [left, right, top, bottom] =
            if bits.bit()? { [bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?] } else { [0; 4] };
        let (unit_x, unit_y) = match chroma_format {
            1 if !separate_planes => (2, 2),
            2 if !separate_planes => (2, 1),
            _ => (1, 1),
        };
        Ok(Self {
            profile,
            level,
            width: extent(width, [left, right], unit_x)?,
            height: extent(height, [top, bottom], unit_y)?,
        })
    }
}

/// profile_tier_level (H.265 §7.3.3) with a general profile and `sub_layers` layers below the highest.
fn profile_tier_level(bits: &mut BitReader, sub_layers: u32) -> Result<(u8, u8), CodecError> {
    bits.skip(3)?;
    let profile = bits.uint(5)? as u8;
    bits.skip(PROFILE_BITS - 8)?;
    let level = bits.uint(8)? as u8;
    if sub_layers == 0 {
        return Ok((profile, level));
    }
    // Two flags per sub-layer, with space for eight.
    let mut left = 0;
    for _ in 0..sub_layers {
        left += usize::from(bits.bit()?) * PROFILE_BITS;
        left += usize::from(bits.bit()?) * LEVEL_BITS;
    }
    bits.skip(2 * (8 - sub_layers as usize))?;
    bits.skip(left)?;
    Ok((profile, level))
}

/// Size in one dimension; cropping on both sides is subtracted.
fn extent(pixels: u32, crop: [u32; 2], unit: u32) -> Result<u32, CodecError> {
    let cropped = (u64::from(crop[0]) + u64::from(crop[1])) * u64::from(unit);
    u64::from(pixels)
        .checked_sub(cropped)
        .filter(|&left| left > 0)
        .and_then(|left| u32::try_from(left).ok())
        .ok_or(CodecError::Invalid("picture size"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PARAMETER_SETS;

    /// x265, Main, 1920x1080 (1088 cropped by 8).
    const MAIN_1080P: &[u8] = &[
        0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00,
        0x78, 0xA0, 0x03, 0xC0, 0x80, 0x10, 0xE5, 0x96, 0x66, 0x69, 0x24, 0xCA, 0xE0, 0x10, 0x00, 0x00, 0x03,
        0x00, 0x10, 0x00, 0x00, 0x03, 0x01, 0xE0, 0x80,
    ];

    fn record() -> Vec<u8> {
        let mut record = vec![0; RECORD_HEAD];
        record[0] = 1;
        record[1] = 0x21;
        record[12] = 120;
        record[21] = 0x0F;
        record[22] = 3;
        for (nal_type, nal) in
            [(0x80 | VPS, &b"\x40\x01vps"[..]), (0x80 | SPS, MAIN_1080P), (PPS, b"\x44\x01pps")]
        {
            record.extend_from_slice(&[nal_type, 0, 1, 0, nal.len() as u8]);
            record.extend_from_slice(nal);
        }
        record
    }

    #[test]
    fn configuration_record_holds_the_parameter_sets() {
        let record = record();
        let config = HevcConfig::parse(&record).unwrap();
        assert_eq!((config.profile, config.level), (1, 120));
        assert!(config.high_tier);
        assert_eq!(config.nal_length_size, 4);
        assert_eq!(config.vps, [b"\x40\x01vps"]);
        assert_eq!(config.sps, [MAIN_1080P]);
        assert_eq!(config.pps, [b"\x44\x01pps"]);
    }

    #[test]
    fn every_shortened_record_is_truncated() {
        let record = record();
        for length in 0..record.len() {
            let short = HevcConfig::parse(&record[..length]);
            assert_eq!(short, Err(CodecError::Truncated), "{length}");
        }
    }

    #[test]
    fn parameter_sets_of_many_arrays_are_bounded() {
        let mut record = vec![0; RECORD_HEAD];
        record[22] = 2;
        for _ in 0..2 {
            record.extend_from_slice(&[VPS, 0, PARAMETER_SETS as u8]);
            record.extend_from_slice(&[0, 1, 0x40].repeat(PARAMETER_SETS));
        }
        assert_eq!(HevcConfig::parse(&record), Err(CodecError::Invalid("number of parameter sets")));
    }

    #[test]
    fn main_profile_set_of_x265() {
        let sps = HevcSps::parse(MAIN_1080P).unwrap();
        assert_eq!((sps.profile, sps.level), (1, 120));
        assert_eq!((sps.width, sps.height), (1920, 1080));
    }

    #[test]
    fn shortened_set_is_an_error_or_complete() {
        for length in 0..MAIN_1080P.len() {
            match HevcSps::parse(&MAIN_1080P[..length]) {
                Ok(sps) => assert_eq!((sps.width, sps.height), (1920, 1080)),
                Err(error) => assert_eq!(error, CodecError::Truncated),
            }
        }
    }
}
