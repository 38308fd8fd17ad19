//! Audio tag header (FLV specification E.4.2, Enhanced RTMP version 2).

use super::enhanced::{TagHead, TrackPart};
use crate::wire::codec::CodecError;

/// Audio codecs in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioCodec {
    /// Sound format 1.
    Adpcm,
    /// Sound format 2, 14 (8 kHz), or `.mp3`.
    Mp3,
    /// Sound format 3; format 0 is the same in the sender's byte order.
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

/// Content of an audio message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioPacket {
    /// Decoder configuration.
    SequenceHeader,
    /// Audio data.
    Coded,
    /// End of the audio.
    EndOfSequence,
    /// Number and positions of the channels.
    MultichannelConfig,
    /// Any other packet type.
    Other(u8),
}

/// Header of an audio message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioTag {
    /// Codec.
    pub codec: AudioCodec,
    /// Content.
    pub packet: AudioPacket,
    /// Sample rate in Hz according to the header: always 44,100 for AAC; 0 in the enhanced form, which has none.
    pub sample_rate: u32,
    /// Bits per sample according to the header; 0 in the enhanced form.
    pub sample_size: u8,
    /// Number of channels according to the header; 0 in the enhanced form.
    pub channels: u8,
    /// Track id; 0 if the message has none.
    pub track: u8,
    /// Offset to the timestamp in nanoseconds.
    pub nanoseconds: u32,
    /// Offset of the codec data.
    pub data_offset: usize,
    /// End of the codec data; further tracks may follow.
    pub data_end: usize,
}

/// Sound format of the enhanced form.
const ENHANCED: u8 = 9;
/// Packet type of a message with several tracks.
const MULTITRACK: u8 = 5;

impl AudioTag {
    /// Parses the header of an audio message; with several tracks, that of the first one.
    ///
    /// # Errors
    ///
    /// The bytes are truncated or invalid.
    pub fn parse(payload: &[u8]) -> Result<Self, CodecError> {
        Self::all(payload).next().unwrap_or(Err(CodecError::Truncated))
    }

    /// Parses the headers of all tracks of a message. An error ends the iteration.
    pub fn all(payload: &[u8]) -> impl Iterator<Item = Result<Self, CodecError>> {
        let first = payload.first().copied().unwrap_or(0);
        let head = || TagHead::read(payload, first & 0x0F)?.parts(payload, MULTITRACK);
        let (classic, enhanced) = match first >> 4 {
            ENHANCED => match head() {
                Ok(enhanced) => (None, Some(enhanced)),
                Err(error) => (Some(Err(error)), None),
            },
            _ => (Some(Self::classic(payload)), None),
        };
        let parts = enhanced
            .into_iter()
            .flat_map(|(head, parts)| parts.map(move |part| part.map(|part| Self::of_part(head, part))));
        classic.into_iter().chain(parts)
    }

    fn classic(payload: &[u8]) -> Result<Self, CodecError> {
        let first = *payload.first().ok_or(CodecError::Truncated)?;
        let codec = match first >> 4 {
            0 | 3 => AudioCodec::Pcm,
            1 => AudioCodec::Adpcm,
            2 | 14 => AudioCodec::Mp3,
            4..=6 => AudioCodec::Nellymoser,
            7 => AudioCodec::ALaw,
            8 => AudioCodec::MuLaw,
            10 => AudioCodec::Aac,
            11 => AudioCodec::Speex,
            other => AudioCodec::Other(other),
        };
        let (packet, data_offset) = match codec {
            AudioCodec::Aac => match *payload.get(1).ok_or(CodecError::Truncated)? {
                0 => (AudioPacket::SequenceHeader, 2),
                1 => (AudioPacket::Coded, 2),
                other => (AudioPacket::Other(other), 2),
            },
            _ => (AudioPacket::Coded, 1),
        };
        let sample_rate = match (first >> 4, first >> 2 & 3) {
            // Formats with a fixed rate, regardless of the field.
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
            track: 0,
            nanoseconds: 0,
            data_offset,
            data_end: payload.len(),
        })
    }

    /// Whether the content is a decoder configuration.
    pub fn is_sequence_header(&self) -> bool {
        self.packet == AudioPacket::SequenceHeader
    }

    fn of_part(head: TagHead, part: TrackPart) -> Self {
        Self {
            codec: match &part.fourcc {
                b".mp3" => AudioCodec::Mp3,
                b"mp4a" => AudioCodec::Aac,
                b"Opus" => AudioCodec::Opus,
                _ => AudioCodec::OtherFourCc(part.fourcc),
            },
            packet: match head.packet {
                0 => AudioPacket::SequenceHeader,
                1 => AudioPacket::Coded,
                2 => AudioPacket::EndOfSequence,
                4 => AudioPacket::MultichannelConfig,
                other => AudioPacket::Other(other),
            },
            sample_rate: 0,
            sample_size: 0,
            channels: 0,
            track: part.track,
            nanoseconds: head.nanoseconds,
            data_offset: part.start,
            data_end: part.end,
        }
    }
}

/// Order of channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelOrder {
    /// Not specified.
    Unspecified,
    /// In the order of the bits in this mask (AudioChannelMask).
    Native(u32),
    /// Explicit position for each channel (AudioChannel).
    Custom(Vec<u8>),
}

/// Body of an [`AudioPacket::MultichannelConfig`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelLayout {
    /// Number of channels.
    pub channels: u8,
    /// Order of the channels.
    pub order: ChannelOrder,
}

impl ChannelLayout {
    /// Parses the bytes from [`AudioTag::data_offset`] to [`AudioTag::data_end`].
    ///
    /// # Errors
    ///
    /// The bytes are truncated or invalid.
    pub fn parse(body: &[u8]) -> Result<Self, CodecError> {
        let (&[order, channels], rest) = body.split_first_chunk().ok_or(CodecError::Truncated)?;
        let order = match order {
            0 => ChannelOrder::Unspecified,
            1 => ChannelOrder::Native(u32::from_be_bytes(*rest.first_chunk().ok_or(CodecError::Truncated)?)),
            2 => {
                ChannelOrder::Custom(rest.get(..usize::from(channels)).ok_or(CodecError::Truncated)?.to_vec())
            }
            _ => return Err(CodecError::Invalid("order of channels")),
        };
        Ok(Self { channels, order })
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
    fn tracks_and_modifiers_stand_before_the_codec_s_bytes() {
        let tag = AudioTag::parse(b"\x95\x00mp4a\x01\x12\x10").unwrap();
        assert_eq!((tag.codec, tag.track, tag.data_offset, tag.data_end), (AudioCodec::Aac, 1, 7, 9));
        assert!(tag.is_sequence_header());
        let tag = AudioTag::parse(b"\x97\x02\x00\x00\x09\x01mp4a\x21").unwrap();
        assert_eq!((tag.packet, tag.nanoseconds, tag.data_offset), (AudioPacket::Coded, 9, 10));
        let many = b"\x95\x21mp4a\x00\0\0\x01\x21Opus\x02\0\0\x02\x22\x23";
        let tags: Vec<AudioTag> = AudioTag::all(many).map(Result::unwrap).collect();
        let told: Vec<_> =
            tags.iter().map(|t| (t.track, t.codec, &many[t.data_offset..t.data_end])).collect();
        assert_eq!(told, [(0, AudioCodec::Aac, &b"\x21"[..]), (2, AudioCodec::Opus, b"\x22\x23")]);
    }

    #[test]
    fn channels_are_told_in_three_ways() {
        // As in the sample clip of the specification's authors: one channel, in front.
        let clip = b"\x94Opus\x01\x01\x00\x00\x00\x04";
        let tag = AudioTag::parse(clip).unwrap();
        assert_eq!(tag.packet, AudioPacket::MultichannelConfig);
        let layout = ChannelLayout::parse(&clip[tag.data_offset..tag.data_end]);
        assert_eq!(layout, Ok(ChannelLayout { channels: 1, order: ChannelOrder::Native(4) }));
        let custom = ChannelLayout { channels: 2, order: ChannelOrder::Custom(vec![1, 0]) };
        assert_eq!(ChannelLayout::parse(&[2, 2, 1, 0]), Ok(custom));
        assert_eq!(
            ChannelLayout::parse(&[0, 6]),
            Ok(ChannelLayout { channels: 6, order: ChannelOrder::Unspecified })
        );
        for short in [&[2, 2, 1][..], &[1, 1, 0, 0, 0], &[0], &[]] {
            assert_eq!(ChannelLayout::parse(short), Err(CodecError::Truncated));
        }
    }

    #[test]
    fn every_shortened_head_is_truncated() {
        for head in [
            &b"\xAF\x00"[..],
            b"\x91mp4a",
            b"\x2F",
            b"\x95\x00mp4a\x01",
            b"\x95\x10mp4a\x01\0\0\0",
            b"\x97\x00\x00\x01mp4a",
        ] {
            assert!(AudioTag::parse(head).is_ok());
            for length in 0..head.len() {
                assert_eq!(AudioTag::parse(&head[..length]), Err(CodecError::Truncated));
            }
        }
    }
}
