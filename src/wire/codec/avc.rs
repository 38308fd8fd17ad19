//! AVC configuration: the decoder configuration record (ISO/IEC 14496-15 §5.3.3.1) and the sequence parameter set
//! (H.264 §7.3.2.1.1).

use super::bits::unescape;
use super::record::Reader;
use super::{BitReader, CodecError};

/// AVCDecoderConfigurationRecord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvcConfig<'r> {
    /// profile_idc.
    pub profile: u8,
    /// Constraint flags.
    pub compatibility: u8,
    /// level_idc: ten times the level.
    pub level: u8,
    /// Size of the NAL unit length fields in bytes.
    pub nal_length_size: u8,
    /// Sequence parameter sets, without start codes; none is empty.
    pub sps: Vec<&'r [u8]>,
    /// Picture parameter sets, without start codes; none is empty.
    pub pps: Vec<&'r [u8]>,
}

impl<'r> AvcConfig<'r> {
    /// Parses the data of an AVC sequence header.
    ///
    /// # Errors
    ///
    /// The bytes are truncated or invalid.
    pub fn parse(record: &'r [u8]) -> Result<Self, CodecError> {
        let mut input = Reader(record);
        let [version, profile, compatibility, level, length_size, sps_count] = input.array()?;
        if version > 1 {
            return Err(CodecError::Version(version));
        }
        let (mut sps, mut pps) = (Vec::new(), Vec::new());
        input.parameter_sets(usize::from(sps_count & 0x1F), &mut sps)?;
        let [pps_count] = input.array()?;
        input.parameter_sets(usize::from(pps_count), &mut pps)?;
        // Some encoders set the version to 0; such a record is accepted only if a sequence parameter set comes first.
        let first = sps.iter().chain(&pps).next().and_then(|nal| nal.first());
        if version == 0 && first.is_none_or(|head| head & 0x1F != SPS) {
            return Err(CodecError::Version(version));
        }
        Ok(Self { profile, compatibility, level, nal_length_size: (length_size & 3) + 1, sps, pps })
    }
}

/// NAL unit type of a sequence parameter set (H.264 table 7-1).
pub(crate) const SPS: u8 = 7;
/// NAL unit type of a picture parameter set.
pub(crate) const PPS: u8 = 8;

/// Picture properties in a sequence parameter set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AvcSps {
    /// profile_idc.
    pub profile: u8,
    /// Constraint flags.
    pub compatibility: u8,
    /// level_idc: ten times the level.
    pub level: u8,
    /// Width in pixels after cropping.
    pub width: u32,
    /// Height in pixels after cropping.
    pub height: u32,
    /// Frames per second, if the set has usable timing information.
    pub frame_rate: Option<f64>,
}

/// Profiles with chroma format and scaling matrix fields.
const HIGH_PROFILES: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// aspect_ratio_idc that is followed by an explicit ratio.
const EXTENDED_SAR: u32 = 255;

impl AvcSps {
    /// Parses a sequence parameter set including its NAL unit header.
    ///
    /// # Errors
    ///
    /// The bytes are truncated or invalid.
    pub fn parse(nal: &[u8]) -> Result<Self, CodecError> {
        let bytes = unescape(nal.get(1..).ok_or(CodecError::Truncated)?);
        let mut bits = BitReader::new(&bytes);
        let profile = bits.uint(8)? as u8;
        let compatibility = bits.uint(8)? as u8;
        let level = bits.uint(8)? as u8;
        // seq_parameter_set_id
        bits.ue()?;
        let mut chroma_format = 1;
        let mut separate_planes = false;
        if HIGH_PROFILES.contains(&profile) {
            chroma_format = bits.ue()?;
            if chroma_format == 3 {
                separate_planes = bits.bit()?;
            }
            // Bit depths of luma and chroma, transform bypass.
            bits.ue()?;
            bits.ue()?;
            bits.bit()?;
            if bits.bit()? {
                skip_scaling_matrix(&mut bits, if chroma_format == 3 { 12 } else { 8 })?;
            }
        }
        // log2_max_frame_num
        bits.ue()?;
        skip_picture_order_count(&mut bits)?;
        // Reference frames, gaps in their numbers.
        bits.ue()?;
        bits.bit()?;
        let width_in_mbs = bits.ue()?;
        let height_in_map_units = bits.ue()?;
        let frames_only = bits.bit()?;
        if !frames_only {
            bits.bit()?;
        }
        // direct_8x8_inference
        bits.bit()?;

        let field_factor = 2 - u32::from(frames_only);
        let (unit_x, unit_y) = match chroma_format {
            1 if !separate_planes => (2, 2),
            2 if !separate_planes => (2, 1),
            _ => (1, 1),
        };
        let crop = if bits.bit()? { [bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?] } else { [0; 4] };
        let [left, right, top, bottom] = crop;
        Ok(Self {
            profile,
            compatibility,
            level,
            width: extent(width_in_mbs, 16, [left, right], unit_x)?,
            height: extent(height_in_map_units, 16 * field_factor, [top, bottom], unit_y * field_factor)?,
            // A set that ends here has valid picture fields and no timing information.
            frame_rate: frame_rate(&mut bits).unwrap_or(None),
        })
    }
}

/// Size in one dimension: the number of blocks minus one is coded; cropping on both sides is subtracted.
fn extent(blocks: u32, block: u32, crop: [u32; 2], unit: u32) -> Result<u32, CodecError> {
    let whole = (u64::from(blocks) + 1) * u64::from(block);
    let cropped = (u64::from(crop[0]) + u64::from(crop[1])) * u64::from(unit);
    whole
        .checked_sub(cropped)
        .filter(|&pixels| pixels > 0)
        .and_then(|pixels| u32::try_from(pixels).ok())
        .ok_or(CodecError::Invalid("picture size"))
}

fn skip_scaling_matrix(bits: &mut BitReader, lists: usize) -> Result<(), CodecError> {
    for list in 0..lists {
        if !bits.bit()? {
            continue;
        }
        let mut next = 8i32;
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next == 0 {
                break;
            }
            next = next.wrapping_add(bits.se()?) & 0xFF;
        }
    }
    Ok(())
}

fn skip_picture_order_count(bits: &mut BitReader) -> Result<(), CodecError> {
    match bits.ue()? {
        0 => {
            bits.ue()?;
        }
        1 => {
            bits.bit()?;
            bits.se()?;
            bits.se()?;
            let count = bits.ue()?;
            if count > 255 {
                return Err(CodecError::Invalid("picture order count cycle"));
            }
            for _ in 0..count {
                bits.se()?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// The timing information of the VUI parameters (H.264 §E.1.1).
fn frame_rate(bits: &mut BitReader) -> Result<Option<f64>, CodecError> {
    if !bits.bit()? {
        return Ok(None);
    }
    if bits.bit()? && bits.uint(8)? == EXTENDED_SAR {
        bits.skip(32)?;
    }
    // Overscan.
    if bits.bit()? {
        bits.bit()?;
    }
    // Video signal type, colour description.
    if bits.bit()? {
        bits.skip(4)?;
        if bits.bit()? {
            bits.skip(24)?;
        }
    }
    // Chroma sample location.
    if bits.bit()? {
        bits.ue()?;
        bits.ue()?;
    }
    if !bits.bit()? {
        return Ok(None);
    }
    let units_in_tick = bits.uint(32)?;
    let time_scale = bits.uint(32)?;
    // A tick is one field, half a frame.
    Ok((units_in_tick > 0 && time_scale > 0)
        .then(|| f64::from(time_scale) / (2.0 * f64::from(units_in_tick))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x264, High, 1280x720, 25 frames per second.
    const HIGH_720P: &[u8] = &[
        0x67, 0x64, 0x00, 0x1F, 0xAC, 0xD9, 0x40, 0x50, 0x05, 0xBB, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
        0x00, 0x00, 0x03, 0x03, 0x20, 0xF1, 0x83, 0x19, 0x60,
    ];

    fn record() -> Vec<u8> {
        let mut record = vec![1, 0x64, 0, 0x1F, 0xFF, 0xE1, 0, HIGH_720P.len() as u8];
        record.extend_from_slice(HIGH_720P);
        record.extend_from_slice(&[1, 0, 4, 0x68, 0xEB, 0xE3, 0xCB]);
        record
    }

    #[test]
    fn configuration_record_holds_the_parameter_sets() {
        let record = record();
        let config = AvcConfig::parse(&record).unwrap();
        assert_eq!((config.profile, config.level), (100, 31));
        assert_eq!(config.nal_length_size, 4);
        assert_eq!(config.sps, [HIGH_720P]);
        assert_eq!(config.pps[0][..], [0x68, 0xEB, 0xE3, 0xCB]);
    }

    #[test]
    fn every_shortened_record_is_truncated() {
        let record = record();
        for length in 0..record.len() {
            let short = AvcConfig::parse(&record[..length]);
            assert_eq!(short, Err(CodecError::Truncated), "{length}");
        }
    }

    #[test]
    fn other_record_version_is_refused_but_for_a_whole_record_of_version_0() {
        let mut other = record();
        other[0] = 2;
        assert_eq!(AvcConfig::parse(&other), Err(CodecError::Version(2)));
        let mut zero = record();
        zero[0] = 0;
        assert!(AvcConfig::parse(&zero).is_ok());
        zero[8] = 0x41;
        assert_eq!(AvcConfig::parse(&zero), Err(CodecError::Version(0)));
    }

    #[test]
    fn high_profile_set_of_x264() {
        let sps = AvcSps::parse(HIGH_720P).unwrap();
        assert_eq!((sps.profile, sps.compatibility, sps.level), (100, 0, 31));
        assert_eq!((sps.width, sps.height), (1280, 720));
        assert_eq!(sps.frame_rate, Some(25.0));
    }

    #[test]
    fn shortened_set_is_an_error_or_lacks_only_timing() {
        for length in 0..HIGH_720P.len() {
            match AvcSps::parse(&HIGH_720P[..length]) {
                Ok(sps) => assert_eq!((sps.width, sps.height), (1280, 720)),
                Err(error) => assert_eq!(error, CodecError::Truncated),
            }
        }
    }

    #[test]
    fn cropping_beyond_the_picture_is_refused() {
        assert_eq!(extent(0, 16, [4, 4], 2), Err(CodecError::Invalid("picture size")));
        assert_eq!(extent(0, 16, [4, 3], 2), Ok(2));
        let largest = u32::MAX;
        assert!(extent(largest, 32, [0, 0], 2).is_err());
        assert!(extent(largest, 32, [largest, largest], 2).is_err());
    }
}
