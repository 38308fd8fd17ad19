//! Conversion of length-prefixed NAL units to the byte stream format of MPEG-TS (ISO 14496-10 annex B, ISO 23008-2
//! annex B).
//!
//! FLV has parameter sets in the decoder configuration record (ISO 14496-15). MPEG-TS needs them before every key
//! frame, so that players can start there.
//!
//! Some encoders send invalid FLV, which is accepted where its meaning is unambiguous: NAL units with start codes
//! instead of lengths, also in the configuration record or as the only source of parameter sets; a record with version
//! 0; trailing bytes after the last NAL unit that are too few for a length field.

use super::MpegtsError;
use crate::limits::PARAMETER_SETS;
use crate::wire::codec;
use crate::wire::codec::avc::AvcConfig;
use crate::wire::codec::hevc::HevcConfig;

/// Video codecs that MPEG-TS can carry here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VideoCodec {
    Avc,
    Hevc,
}

/// Contents of a decoder configuration record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct VideoConfig {
    pub codec: VideoCodec,
    /// Size of the NAL unit length fields in bytes, 1 to 4.
    length_size: usize,
    /// Parameter sets in output order.
    parameter_sets: Vec<Box<[u8]>>,
}

impl VideoConfig {
    /// Parses an AVCDecoderConfigurationRecord (ISO 14496-15 §5.3.3.1.2).
    ///
    /// # Errors
    ///
    /// The record is invalid.
    pub(super) fn from_avcc(avcc: &[u8]) -> Result<Self, MpegtsError> {
        if let Some(config) = Self::from_start_codes(VideoCodec::Avc, avcc) {
            return Ok(config);
        }
        let config = AvcConfig::parse(avcc).map_err(refused)?;
        Self::new(VideoCodec::Avc, config.nal_length_size, config.sps.into_iter().chain(config.pps))
    }

    /// Parses an HEVCDecoderConfigurationRecord (ISO 14496-15 §8.3.3.1.2).
    ///
    /// # Errors
    ///
    /// The record is invalid.
    pub(super) fn from_hvcc(hvcc: &[u8]) -> Result<Self, MpegtsError> {
        if let Some(config) = Self::from_start_codes(VideoCodec::Hevc, hvcc) {
            return Ok(config);
        }
        let config = HevcConfig::parse(hvcc).map_err(refused)?;
        let sets = config.vps.into_iter().chain(config.sps).chain(config.pps);
        Self::new(VideoCodec::Hevc, config.nal_length_size, sets)
    }

    /// Collects the parameter sets among NAL units with start codes. `None` if there are no start codes or a required
    /// set is missing.
    pub(super) fn from_start_codes(codec: VideoCodec, bytes: &[u8]) -> Option<Self> {
        if !starts_with_code(bytes) {
            return None;
        }
        let wanted: &[u8] = match codec {
            VideoCodec::Avc => &[avc::SPS, avc::PPS],
            VideoCodec::Hevc => &[hevc::VPS, hevc::SPS, hevc::PPS],
        };
        let mut sets = Vec::new();
        for kind in wanted {
            let before = sets.len();
            sets.extend(behind_codes(bytes).filter(|nal| codec.nal_type(nal) == *kind && !nal.is_empty()));
            if sets.len() == before {
                return None;
            }
        }
        Self::new(codec, LONG_LENGTH, sets).ok()
    }

    /// Copies the parameter sets, none of which is empty, within the bounds.
    fn new<'r>(
        codec: VideoCodec,
        length_size: u8,
        sets: impl IntoIterator<Item = &'r [u8]>,
    ) -> Result<Self, MpegtsError> {
        let mut parameter_sets: Vec<Box<[u8]>> = Vec::new();
        let mut bytes = 0;
        for set in sets {
            bytes += set.len();
            if bytes > PARAMETER_SET_BYTES_MAX || parameter_sets.len() == PARAMETER_SETS {
                return Err(MpegtsError::TooLarge);
            }
            parameter_sets.push(set.into());
        }
        if parameter_sets.is_empty() {
            return Err(MpegtsError::BadConfig);
        }
        Ok(VideoConfig { codec, length_size: usize::from(length_size), parameter_sets })
    }

    /// Appends one access unit to `out`: a delimiter, the parameter sets if it is a key frame, and its NAL units with
    /// start codes. After an error, `out` contains an incomplete unit that the caller must discard.
    ///
    /// # Errors
    ///
    /// A length exceeds the data.
    pub(super) fn convert(&self, key: bool, nal_units: &[u8], out: &mut Vec<u8>) -> Result<(), MpegtsError> {
        out.extend_from_slice(match self.codec {
            VideoCodec::Avc => &[0, 0, 0, 1, 0x09, 0xf0],
            VideoCodec::Hevc => &[0, 0, 0, 1, 0x46, 0x01, 0x50],
        });
        if key {
            for set in &self.parameter_sets {
                push_nal(set, out);
            }
        }
        let mut empty = true;
        let mut push = |nal: &[u8]| {
            if !self.is_superfluous(nal, key) {
                empty = false;
                push_nal(nal, out);
            }
        };
        match self.framing(nal_units)? {
            Framing::Lengths(whole) => {
                let mut reader = ByteReader(whole);
                while !reader.0.is_empty() {
                    let length = reader.length(self.length_size)?;
                    push(reader.take(length)?);
                }
            }
            Framing::StartCodes => behind_codes(nal_units).for_each(push),
        }
        if empty { Err(MpegtsError::Empty) } else { Ok(()) }
    }

    /// Detects how the NAL units of a frame are delimited. Lengths that end exactly with the frame take precedence,
    /// whatever the frame begins with.
    fn framing<'a>(&self, frame: &'a [u8]) -> Result<Framing<'a>, MpegtsError> {
        let mut reader = ByteReader(frame);
        let mut whole = 0;
        while !reader.0.is_empty() {
            let left = reader.0.len();
            let unit = reader.length(self.length_size).and_then(|length| reader.take(length));
            if unit.is_ok() {
                whole = frame.len() - reader.0.len();
                continue;
            }
            let stray = whole > 0 && left < self.length_size;
            // Read as a length, the four-byte start code means 1, and the three-byte one 256 to 511, which small frames
            // really have.
            if frame.starts_with(&[0, 0, 0, 1]) || !stray && starts_with_code(frame) {
                let first = behind_codes(frame).next();
                if first.is_some_and(|nal| self.codec.can_begin(nal)) {
                    return Ok(Framing::StartCodes);
                }
            }
            return if stray { Ok(Framing::Lengths(&frame[..whole])) } else { Err(MpegtsError::Truncated) };
        }
        Ok(Framing::Lengths(frame))
    }

    /// Whether a NAL unit is dropped: the frame's own delimiter, or a parameter set that was just written.
    fn is_superfluous(&self, nal: &[u8], key: bool) -> bool {
        let delimiter = match self.codec {
            VideoCodec::Avc => avc::ACCESS_UNIT_DELIMITER,
            VideoCodec::Hevc => hevc::ACCESS_UNIT_DELIMITER,
        };
        nal.is_empty()
            || self.codec.nal_type(nal) == delimiter
            || key && self.parameter_sets.iter().any(|set| **set == *nal)
    }
}

impl VideoCodec {
    /// `nal_unit_type`; 0 for an empty unit.
    fn nal_type(self, nal: &[u8]) -> u8 {
        let first = nal.first().copied().unwrap_or(0);
        match self {
            Self::Avc => first & 0x1f,
            Self::Hevc => first >> 1 & 0x3f,
        }
    }

    /// Whether bytes can be the first NAL unit of a frame: no forbidden bit, a type that can come first, for AVC a
    /// plausible nal_ref_idc, for HEVC the base layer.
    fn can_begin(self, nal: &[u8]) -> bool {
        let kind = self.nal_type(nal);
        match (self, nal) {
            (Self::Avc, [first, ..]) => {
                let needed = first & 0x60 != 0;
                let fits = match kind {
                    avc::SLICE => true,
                    avc::IDR_SLICE | avc::SPS | avc::PPS => needed,
                    avc::SEI | avc::ACCESS_UNIT_DELIMITER => !needed,
                    _ => false,
                };
                first & 0x80 == 0 && fits
            }
            (Self::Hevc, [first, second, ..]) => {
                first & 0x81 == 0
                    && second >> 3 == 0
                    && second & 7 != 0
                    && matches!(kind, 0..=9 | 16..=21 | hevc::VPS..=hevc::ACCESS_UNIT_DELIMITER | hevc::PREFIX_SEI)
            }
            _ => false,
        }
    }
}

/// How NAL units are delimited.
enum Framing<'a> {
    /// By lengths, in this part of the frame.
    Lengths(&'a [u8]),
    /// By start codes.
    StartCodes,
}

/// Whether bytes begin with a start code.
fn starts_with_code(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0, 0, 1]) || bytes.starts_with(&[0, 0, 0, 1])
}

/// NAL units delimited by start codes. Zeros before a start code belong to neither unit: no unit ends with one.
fn behind_codes(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let code = |bytes: &[u8]| bytes.windows(3).position(|window| window == [0, 0, 1]);
    let mut left = code(bytes).map(|at| &bytes[at + 3..]);
    std::iter::from_fn(move || {
        let rest = left?;
        let end = code(rest);
        left = end.map(|at| &rest[at + 3..]);
        let nal = &rest[..end.unwrap_or(rest.len())];
        let length = nal.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Some(&nal[..length])
    })
}

/// Error for a record that is refused.
fn refused(error: codec::CodecError) -> MpegtsError {
    match error {
        codec::CodecError::Truncated => MpegtsError::Truncated,
        codec::CodecError::Version(_) => MpegtsError::BadConfig,
        codec::CodecError::Invalid(_) => MpegtsError::TooLarge,
    }
}

fn push_nal(nal: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, 0, 0, 1]);
    out.extend_from_slice(nal);
}

/// Reads big-endian values from a slice.
struct ByteReader<'a>(&'a [u8]);

impl<'a> ByteReader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], MpegtsError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(MpegtsError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn length(&mut self, size: usize) -> Result<usize, MpegtsError> {
        Ok(self.take(size)?.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)))
    }
}

/// Maximum size of all parameter sets of a configuration. They are repeated before every key frame, so one message
/// could otherwise inflate every later one. Real sets have some dozens to hundreds of bytes.
const PARAMETER_SET_BYTES_MAX: usize = 16 * 1024;

/// Size of the NAL unit length fields where there is no record.
const LONG_LENGTH: u8 = 4;

mod avc {
    pub(super) use crate::wire::codec::avc::{PPS, SPS};

    // `nal_unit_type` (ISO 14496-10 table 7-1).
    pub(super) const SLICE: u8 = 1;
    pub(super) const IDR_SLICE: u8 = 5;
    pub(super) const SEI: u8 = 6;
    pub(super) const ACCESS_UNIT_DELIMITER: u8 = 9;
}

mod hevc {
    pub(super) use crate::wire::codec::hevc::{PPS, SPS, VPS};

    // `nal_unit_type` (ISO 23008-2 table 7-1).
    pub(super) const ACCESS_UNIT_DELIMITER: u8 = 35;
    pub(super) const PREFIX_SEI: u8 = 39;
}

#[cfg(test)]
mod tests {
    use super::*;

    const AVCC: &[u8] =
        &[1, 0x42, 0, 0x1e, 0xff, 0xe1, 0, 4, 0x67, 0x42, 0, 0x1e, 1, 0, 4, 0x68, 0xce, 0x3c, 0x80];

    #[test]
    fn key_frame_gets_delimiter_and_parameter_sets() {
        let config = VideoConfig::from_avcc(AVCC).unwrap();
        let mut out = Vec::new();
        config.convert(true, &[0, 0, 0, 2, 0x65, 0xaa], &mut out).unwrap();
        let want = [
            &[0, 0, 0, 1, 0x09, 0xf0][..],
            &[0, 0, 0, 1, 0x67, 0x42, 0, 0x1e],
            &[0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80],
            &[0, 0, 0, 1, 0x65, 0xaa],
        ];
        assert_eq!(out, want.concat());
    }

    #[test]
    fn own_delimiter_and_repeated_parameter_sets_are_left_out() {
        let config = VideoConfig::from_avcc(AVCC).unwrap();
        let mut want = Vec::new();
        config.convert(true, &[0, 0, 0, 2, 0x65, 0xaa], &mut want).unwrap();
        let mut out = Vec::new();
        let nal_units =
            [0, 0, 0, 2, 9, 0xf0, 0, 0, 0, 4, 0x67, 0x42, 0, 0x1e, 0, 0, 0, 0, 0, 0, 0, 2, 0x65, 0xaa];
        config.convert(true, &nal_units, &mut out).unwrap();
        assert_eq!(out, want);
    }

    #[test]
    fn length_behind_the_end_is_an_error() {
        let config = VideoConfig::from_avcc(AVCC).unwrap();
        for nal_units in [&[0, 0, 0, 9, 0x41][..], &[0xff, 0xff, 0xff, 0xff, 1], &[0, 0, 0]] {
            assert_eq!(config.convert(false, nal_units, &mut Vec::new()), Err(MpegtsError::Truncated));
        }
        assert_eq!(config.convert(false, &[0, 0, 0, 0], &mut Vec::new()), Err(MpegtsError::Empty));
    }

    /// Conversion of a key frame of `AVCC` with this single NAL unit.
    fn converted(nal: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let frame = [&(nal.len() as u32).to_be_bytes()[..], nal].concat();
        VideoConfig::from_avcc(AVCC).unwrap().convert(true, &frame, &mut out).unwrap();
        out
    }

    #[test]
    fn start_codes_are_understood_where_lengths_make_no_sense() {
        let config = VideoConfig::from_avcc(AVCC).unwrap();
        let slice = [0x65, 0xaa, 0xbb];
        let frames: [&[u8]; 4] = [
            &[0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x67, 0x42, 0, 0x1e, 0, 0, 1, 0x65, 0xaa, 0xbb],
            &[0, 0, 0, 1, 0x65, 0xaa, 0xbb],
            &[0, 0, 1, 0x65, 0xaa, 0xbb, 0],
            &[0, 0, 0, 3, 0x65, 0xaa, 0xbb],
        ];
        for frame in frames {
            let mut out = Vec::new();
            assert_eq!(config.convert(true, frame, &mut out), Ok(()), "{frame:02x?}");
            assert_eq!(out, converted(&slice), "{frame:02x?}");
        }
    }

    #[test]
    fn a_rest_shorter_than_a_length_is_left_out() {
        let config = VideoConfig::from_avcc(AVCC).unwrap();
        // Read as a start code, the second length would begin the frame with a NAL unit of type 12.
        let small = [&[0x65][..], &[7; 0x12B]].concat();
        for (nal, stray) in [(vec![0x65, 0xaa], &[0xde, 0xad][..]), (small, &[0xde, 0xad, 1])] {
            let frame = [&(nal.len() as u32).to_be_bytes()[..], &nal, stray].concat();
            let mut out = Vec::new();
            config.convert(true, &frame, &mut out).unwrap();
            assert_eq!(out, converted(&nal));
        }
        for cut in [&[0, 0, 0, 2, 0x65, 0xaa, 0, 0, 0, 9, 0x41][..], &[0, 0, 1, 0x2c, 0x65, 0xaa]] {
            assert_eq!(config.convert(true, cut, &mut Vec::new()), Err(MpegtsError::Truncated));
        }
    }

    #[test]
    fn configurations_of_version_0_and_behind_start_codes_are_understood() {
        let right = VideoConfig::from_avcc(AVCC).unwrap();
        let mut zero = AVCC.to_vec();
        zero[0] = 0;
        assert_eq!(VideoConfig::from_avcc(&zero).unwrap(), right);
        zero[8] = 0x41;
        assert_eq!(VideoConfig::from_avcc(&zero), Err(MpegtsError::BadConfig));
        let codes = [&[0, 0, 0, 1][..], &AVCC[8..12], &[0, 0, 1], &AVCC[15..]].concat();
        assert_eq!(VideoConfig::from_avcc(&codes).unwrap(), right);
        assert_eq!(VideoConfig::from_start_codes(VideoCodec::Avc, &codes[..8]), None);
        let hevc = [0, 0, 0, 1, 0x44, 1, 7, 0, 0, 1, 0x42, 1, 8, 0, 0, 1, 0x40, 1, 9];
        let config = VideoConfig::from_hvcc(&hevc).unwrap();
        assert_eq!(config.parameter_sets.iter().map(|set| set[2]).collect::<Vec<_>>(), [9, 8, 7]);
    }

    #[test]
    fn every_truncation_of_a_configuration_is_an_error() {
        for end in 0..AVCC.len() {
            assert_eq!(VideoConfig::from_avcc(&AVCC[..end]), Err(MpegtsError::Truncated), "{end} bytes");
        }
        assert_eq!(VideoConfig::from_hvcc(&[1; 22]), Err(MpegtsError::Truncated));
    }

    #[test]
    fn too_large_or_too_many_parameter_sets_are_refused() {
        let mut avcc = vec![1, 0x42, 0, 0x1e, 0xff, 0xe1, 0x7f, 0xff];
        avcc.resize(avcc.len() + 0x7fff, 0x67);
        avcc.push(0);
        assert_eq!(VideoConfig::from_avcc(&avcc), Err(MpegtsError::TooLarge));

        let mut hvcc = vec![1; 21];
        hvcc.extend_from_slice(&[0xff, 1, 33, 0, 65]);
        hvcc.extend_from_slice(&[0, 1, 0x42].repeat(65));
        assert_eq!(VideoConfig::from_hvcc(&hvcc), Err(MpegtsError::TooLarge));
    }

    #[test]
    fn hevc_sets_are_written_in_decoding_order() {
        let mut hvcc = vec![1; 21];
        hvcc.extend_from_slice(&[0xff, 3]);
        for kind in [34u8, 33, 32] {
            hvcc.extend_from_slice(&[0x80 | kind, 0, 1, 0, 2, kind << 1, 1]);
        }
        let config = VideoConfig::from_hvcc(&hvcc).unwrap();
        let kinds: Vec<u8> = config.parameter_sets.iter().map(|set| set[0] >> 1).collect();
        assert_eq!(kinds, [32, 33, 34]);
    }
}
