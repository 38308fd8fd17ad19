//! The head of an audio message (FLV specification E.4.2, Enhanced RTMP version 2).

use super::enhanced::{Head, Part};
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
    /// Which channels there are and where their speakers stand.
    MultichannelConfig,
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
    /// Which track it is of; 0 where the message names none.
    pub track: u8,
    /// Nanoseconds by which it is later than its timestamp.
    pub nanoseconds: u32,
    /// Where the codec's own bytes start.
    pub data_offset: usize,
    /// Where they end: those of the next track may follow.
    pub data_end: usize,
}

/// Sound format that announces the enhanced form.
const ENHANCED: u8 = 9;
/// Packet type of a message with several tracks.
const MULTITRACK: u8 = 5;

impl AudioTag {
    /// Reads the head of an audio message's payload: of its first track, where it has several.
    pub fn parse(payload: &[u8]) -> Result<Self, Error> {
        Self::all(payload).next().unwrap_or(Err(Error::Truncated))
    }

    /// Reads what a message says of each of its tracks. An error ends the list.
    pub fn all(payload: &[u8]) -> impl Iterator<Item = Result<Self, Error>> {
        let first = payload.first().copied().unwrap_or(0);
        let head = || Head::read(payload, first & 0x0F)?.parts(payload, MULTITRACK);
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

    fn classic(payload: &[u8]) -> Result<Self, Error> {
        let first = *payload.first().ok_or(Error::Truncated)?;
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
            track: 0,
            nanoseconds: 0,
            data_offset,
            data_end: payload.len(),
        })
    }

    /// Whether it is a decoder's configuration.
    pub fn is_sequence_header(&self) -> bool {
        self.packet == AudioPacket::SequenceHeader
    }

    fn of_part(head: Head, part: Part) -> Self {
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

/// In which order channels come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelOrder {
    /// Not told.
    Unspecified,
    /// In the order of their bits in this mask (AudioChannelMask).
    Native(u32),
    /// Each where its entry says (AudioChannel).
    Custom(Vec<u8>),
}

/// The body of a [`AudioPacket::MultichannelConfig`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelLayout {
    /// How many channels there are.
    pub channels: u8,
    /// In which order.
    pub order: ChannelOrder,
}

impl ChannelLayout {
    /// Reads the bytes from [`AudioTag::data_offset`] to [`AudioTag::data_end`].
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let (&[order, channels], rest) = body.split_first_chunk().ok_or(Error::Truncated)?;
        let order = match order {
            0 => ChannelOrder::Unspecified,
            1 => ChannelOrder::Native(u32::from_be_bytes(*rest.first_chunk().ok_or(Error::Truncated)?)),
            2 => ChannelOrder::Custom(rest.get(..usize::from(channels)).ok_or(Error::Truncated)?.to_vec()),
            _ => return Err(Error::Invalid("order of channels")),
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
        // As the clip of the specification's authors has it: one channel, in front.
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
            assert_eq!(ChannelLayout::parse(short), Err(Error::Truncated));
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
                assert_eq!(AudioTag::parse(&head[..length]), Err(Error::Truncated));
            }
        }
    }
}
