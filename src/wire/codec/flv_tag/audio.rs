//! The head of an audio message (FLV specification E.4.2, Enhanced RTMP version 2).

use crate::wire::codec::Error;

/// Audio codecs that occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioCodec {
    /// Sound format 1.
    Adpcm,
    /// Sound format 2, or 14 at 8 kHz, or `.mp3`.
    Mp3,
    /// Sound format 3 (0 is the same in the byte order of the sender).
    Pcm,
    /// Sound formats 4 to 6.
    Nellymoser,
    /// Sound format 7, G.711.
    ALaw,
    /// Sound format 8, G.711.
    MuLaw,
    /// Sound format 10, or `mp4a`.
    Aac,
    /// Sound format 11.
    Speex,
    /// `Opus`.
    Opus,
    /// Any other sound format.
    Other(u8),
    /// Any other FourCC.
    OtherFourCc([u8; 4]),
}

/// What an audio message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioPacket {
    /// The decoder's configuration.
    SequenceHeader,
    /// Audio data.
    Coded,
    /// No more audio.
    EndOfSequence,
    /// Any other packet type.
    Other(u8),
}

/// The head of an audio message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioTag {
    /// How it is encoded.
    pub codec: AudioCodec,
    /// What it carries.
    pub packet: AudioPacket,
    /// Hertz, as the head says: AAC's is always 44,100, and the enhanced form has none (0).
    pub sample_rate: u32,
    /// Bits per sample, as the head says; 0 in the enhanced form.
    pub sample_size: u8,
    /// Channels, as the head says; 0 in the enhanced form.
    pub channels: u8,
    /// Where the codec's own bytes start.
    pub data_offset: usize,
}

/// Sound format that announces the enhanced form.
const ENHANCED: u8 = 9;

impl AudioTag {
    /// Reads the head of an audio message's payload.
    pub fn parse(payload: &[u8]) -> Result<Self, Error> {
        let first = *payload.first().ok_or(Error::Truncated)?;
        let codec = match first >> 4 {
            0 | 3 => AudioCodec::Pcm,
            1 => AudioCodec::Adpcm,
            2 | 14 => AudioCodec::Mp3,
            4..=6 => AudioCodec::Nellymoser,
            7 => AudioCodec::ALaw,
            8 => AudioCodec::MuLaw,
            ENHANCED => return Self::parse_enhanced(first, payload),
            10 => AudioCodec::Aac,
            11 => AudioCodec::Speex,
            other => AudioCodec::Other(other),
        };
        let (packet, data_offset) = match codec {
            AudioCodec::Aac => match *payload.get(1).ok_or(Error::Truncated)? {
                0 => (AudioPacket::SequenceHeader, 2),
                1 => (AudioPacket::Coded, 2),
                other => (AudioPacket::Other(other), 2),
            },
            _ => (AudioPacket::Coded, 1),
        };
        let sample_rate = match (first >> 4, first >> 2 & 3) {
            // Formats whose name fixes the rate, whatever the field says.
            (4 | 11, _) => 16_000,
            (5 | 7 | 8 | 14, _) => 8_000,
            (_, 0) => 5_512,
            (_, 1) => 11_025,
            (_, 2) => 22_050,
            _ => 44_100,
        };
        Ok(Self {
            codec,
            packet,
            sample_rate,
            sample_size: if first & 2 == 0 { 8 } else { 16 },
            channels: 1 + (first & 1),
            data_offset,
        })
    }

    /// Whether it is a decoder's configuration.
    pub fn is_sequence_header(&self) -> bool {
        self.packet == AudioPacket::SequenceHeader
    }

    fn parse_enhanced(first: u8, payload: &[u8]) -> Result<Self, Error> {
        let fourcc = payload.get(1..).and_then(|rest| rest.first_chunk()).ok_or(Error::Truncated)?;
        Ok(Self {
            codec: match fourcc {
                b".mp3" => AudioCodec::Mp3,
                b"mp4a" => AudioCodec::Aac,
                b"Opus" => AudioCodec::Opus,
                _ => AudioCodec::OtherFourCc(*fourcc),
            },
            packet: match first & 0x0F {
                0 => AudioPacket::SequenceHeader,
                1 => AudioPacket::Coded,
                2 => AudioPacket::EndOfSequence,
                other => AudioPacket::Other(other),
            },
            sample_rate: 0,
            sample_size: 0,
            channels: 0,
            data_offset: 5,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aac_tells_configuration_from_data() {
        let tag = AudioTag::parse(b"\xAF\x00\x12\x10").unwrap();
        assert_eq!((tag.codec, tag.data_offset), (AudioCodec::Aac, 2));
        assert!(tag.is_sequence_header());
        assert_eq!((tag.sample_rate, tag.sample_size, tag.channels), (44_100, 16, 2));
        assert_eq!(AudioTag::parse(b"\xAF\x01").unwrap().packet, AudioPacket::Coded);
    }

    #[test]
    fn other_formats_have_one_byte_of_head() {
        let tag = AudioTag::parse(b"\x2A").unwrap();
        assert_eq!((tag.codec, tag.packet), (AudioCodec::Mp3, AudioPacket::Coded));
        assert_eq!((tag.sample_rate, tag.channels, tag.data_offset), (22_050, 1, 1));
        assert_eq!(AudioTag::parse(b"\xB2").unwrap().sample_rate, 16_000);
        assert_eq!(AudioTag::parse(b"\xF0").unwrap().codec, AudioCodec::Other(15));
    }

    #[test]
    fn enhanced_form_names_its_codec() {
        let tag = AudioTag::parse(b"\x90Opus").unwrap();
        assert_eq!((tag.codec, tag.data_offset), (AudioCodec::Opus, 5));
        assert!(tag.is_sequence_header());
        let tag = AudioTag::parse(b"\x91fLaC").unwrap();
        assert_eq!(tag.codec, AudioCodec::OtherFourCc(*b"fLaC"));
    }

    #[test]
    fn every_shortened_head_is_truncated() {
        for head in [&b"\xAF\x00"[..], b"\x91mp4a", b"\x2F"] {
            assert!(AudioTag::parse(head).is_ok());
            for length in 0..head.len() {
                assert_eq!(AudioTag::parse(&head[..length]), Err(Error::Truncated));
            }
        }
    }
}
