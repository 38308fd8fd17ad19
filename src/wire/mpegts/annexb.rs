//! From length-prefixed NAL units to the byte stream of a transport stream (ISO 14496-10 annex B,
//! ISO 23008-2 annex B).
//!
//! FLV keeps parameter sets in the decoder configuration record (ISO 14496-15), a transport stream needs
//! them before every key frame, or nobody could start there.

use super::Error;

/// The video codecs a transport stream is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VideoCodec {
    Avc,
    Hevc,
}

/// What a decoder configuration record says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct VideoConfig {
    pub codec: VideoCodec,
    /// Bytes of the length in front of every NAL unit, 1 to 4.
    length_size: usize,
    /// Parameter sets in the order they are written.
    parameter_sets: Vec<Box<[u8]>>,
}

impl VideoConfig {
    /// Reads an AVCDecoderConfigurationRecord (ISO 14496-15 §5.3.3.1.2).
    pub fn from_avcc(avcc: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader(avcc);
        let head = reader.take(6)?;
        if head[0] != 1 {
            return Err(Error::BadConfig);
        }
        let mut parameter_sets = ParameterSets::default();
        parameter_sets.read(&mut reader, usize::from(head[5] & 0x1f))?;
        let pps_count = reader.u8()?;
        parameter_sets.read(&mut reader, usize::from(pps_count))?;
        parameter_sets.finish(VideoCodec::Avc, head[4])
    }

    /// Reads an HEVCDecoderConfigurationRecord (ISO 14496-15 §8.3.3.1.2).
    pub fn from_hvcc(hvcc: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader(hvcc);
        let head = reader.take(23)?;
        // Some encoders write version 0 of the drafts, with the same layout.
        if head[0] > 1 {
            return Err(Error::BadConfig);
        }
        let mut arrays = Vec::new();
        for _ in 0..head[22] {
            let kind = reader.u8()? & 0x3f;
            let count = usize::from(reader.u16()?);
            let mut sets = ParameterSets::default();
            sets.read(&mut reader, count)?;
            arrays.push((kind, sets));
        }
        let mut parameter_sets = ParameterSets::default();
        for wanted in [hevc::VPS, hevc::SPS, hevc::PPS] {
            for (_, sets) in arrays.iter_mut().filter(|(kind, _)| *kind == wanted) {
                parameter_sets.append(sets)?;
            }
        }
        parameter_sets.finish(VideoCodec::Hevc, head[21])
    }

    /// Appends one access unit to `out`: a delimiter, the parameter sets if it is a key frame, and its NAL
    /// units behind start codes. On an error `out` holds a part of it, for the caller to throw away.
    pub fn convert(&self, key: bool, nal_units: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
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
        let mut reader = Reader(nal_units);
        while !reader.0.is_empty() {
            let length = reader.length(self.length_size)?;
            let nal = reader.take(length)?;
            if self.is_superfluous(nal, key) {
                continue;
            }
            empty = false;
            push_nal(nal, out);
        }
        if empty { Err(Error::Empty) } else { Ok(()) }
    }

    /// A delimiter of its own would be a second one, and a parameter set just written needs no repetition.
    fn is_superfluous(&self, nal: &[u8], key: bool) -> bool {
        let Some(&first) = nal.first() else { return true };
        let delimiter = match self.codec {
            VideoCodec::Avc => first & 0x1f == avc::ACCESS_UNIT_DELIMITER,
            VideoCodec::Hevc => first >> 1 & 0x3f == hevc::ACCESS_UNIT_DELIMITER,
        };
        delimiter || key && self.parameter_sets.iter().any(|set| **set == *nal)
    }
}

/// Parameter sets read so far, within their bounds.
#[derive(Default)]
struct ParameterSets {
    sets: Vec<Box<[u8]>>,
    bytes: usize,
}

impl ParameterSets {
    fn read(&mut self, reader: &mut Reader<'_>, count: usize) -> Result<(), Error> {
        for _ in 0..count {
            let length = usize::from(reader.u16()?);
            let set = reader.take(length)?;
            if set.is_empty() {
                continue;
            }
            self.bytes += set.len();
            self.sets.push(set.into());
            self.check()?;
        }
        Ok(())
    }

    fn append(&mut self, other: &mut Self) -> Result<(), Error> {
        self.bytes += other.bytes;
        self.sets.append(&mut other.sets);
        self.check()
    }

    fn check(&self) -> Result<(), Error> {
        let fits = self.bytes <= PARAMETER_SET_BYTES_MAX && self.sets.len() <= PARAMETER_SETS_MAX;
        if fits { Ok(()) } else { Err(Error::TooLarge) }
    }

    fn finish(self, codec: VideoCodec, length_size: u8) -> Result<VideoConfig, Error> {
        if self.sets.is_empty() {
            return Err(Error::BadConfig);
        }
        let length_size = usize::from(length_size & 3) + 1;
        Ok(VideoConfig { codec, length_size, parameter_sets: self.sets })
    }
}

fn push_nal(nal: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, 0, 0, 1]);
    out.extend_from_slice(nal);
}

/// Reads big-endian values off the front of a slice.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Error::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, Error> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Result<u16, Error> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn length(&mut self, size: usize) -> Result<usize, Error> {
        Ok(self.take(size)?.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)))
    }
}

/// Bytes of all parameter sets of a configuration. They are repeated before every key frame, so without a
/// bound one message could multiply what each later one costs. Real ones have some dozens to hundreds.
const PARAMETER_SET_BYTES_MAX: usize = 16 * 1024;

/// Number of parameter sets, as every NAL unit of a key frame is compared with each of them. Encoders use
/// two or three.
const PARAMETER_SETS_MAX: usize = 64;

mod avc {
    /// `nal_unit_type` (ISO 14496-10 table 7-1).
    pub(super) const ACCESS_UNIT_DELIMITER: u8 = 9;
}

mod hevc {
    // `nal_unit_type` (ISO 23008-2 table 7-1).
    pub(super) const VPS: u8 = 32;
    pub(super) const SPS: u8 = 33;
    pub(super) const PPS: u8 = 34;
    pub(super) const ACCESS_UNIT_DELIMITER: u8 = 35;
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
            assert_eq!(config.convert(false, nal_units, &mut Vec::new()), Err(Error::Truncated));
        }
        assert_eq!(config.convert(false, &[0, 0, 0, 0], &mut Vec::new()), Err(Error::Empty));
    }

    #[test]
    fn every_truncation_of_a_configuration_is_an_error() {
        for end in 0..AVCC.len() {
            assert_eq!(VideoConfig::from_avcc(&AVCC[..end]), Err(Error::Truncated), "{end} bytes");
        }
        assert_eq!(VideoConfig::from_hvcc(&[1; 22]), Err(Error::Truncated));
    }

    #[test]
    fn too_large_or_too_many_parameter_sets_are_refused() {
        let mut avcc = vec![1, 0x42, 0, 0x1e, 0xff, 0xe1, 0x7f, 0xff];
        avcc.resize(avcc.len() + 0x7fff, 0x67);
        avcc.push(0);
        assert_eq!(VideoConfig::from_avcc(&avcc), Err(Error::TooLarge));

        let mut hvcc = vec![1; 21];
        hvcc.extend_from_slice(&[0xff, 1, 33, 0, 65]);
        hvcc.extend_from_slice(&[0, 1, 0x42].repeat(65));
        assert_eq!(VideoConfig::from_hvcc(&hvcc), Err(Error::TooLarge));
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
