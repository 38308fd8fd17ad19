//! Video tag header (FLV specification E.4.3, Enhanced RTMP).

use super::enhanced::{TagHead, TrackPart, TrackParts};
use crate::wire::codec::CodecError;

/// Frame type of a video message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameType {
    /// 1: key frame.
    Key,
    /// 2: inter frame.
    Inter,
    /// 3: disposable inter frame (H.263 only).
    DisposableInter,
    /// 4: generated key frame, reserved for servers.
    GeneratedKey,
    /// 5: video info or command frame of the server, without picture data.
    Command,
    /// Any other number.
    Other(u8),
}

/// Video codecs in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoCodec {
    /// H.264, codec id 7 or `avc1`.
    Avc,
    /// H.265, the configured legacy codec id, or `hvc1`.
    Hevc,
    /// AV1, `av01`.
    Av1,
    /// VP8, `vp08`.
    Vp8,
    /// VP9, `vp09`.
    Vp9,
    /// Any other legacy codec id.
    Other(u8),
    /// Any other FourCC.
    OtherFourCc([u8; 4]),
}

/// Content of a video message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoPacket {
    /// Decoder configuration record.
    SequenceHeader,
    /// Frame data.
    Coded,
    /// End of the video.
    EndOfSequence,
    /// Colour information in AMF0.
    Metadata,
    /// Decoder configuration as an MPEG-TS descriptor, instead of a sequence header.
    Mpeg2TsSequenceStart,
    /// Server command to the player, without a codec.
    Command,
    /// Any other packet type.
    Other(u8),
}

/// Header of a video message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoTag {
    /// Frame type.
    pub frame: FrameType,
    /// Codec.
    pub codec: VideoCodec,
    /// Content.
    pub packet: VideoPacket,
    /// Composition time offset in milliseconds: presentation minus decoding time.
    pub composition_time: i32,
    /// Track id; 0 if the message has none.
    pub track: u8,
    /// Offset to the timestamp in nanoseconds.
    pub nanoseconds: u32,
    /// Offset of the codec data.
    pub data_offset: usize,
    /// End of the codec data; further tracks may follow.
    pub data_end: usize,
}

/// Legacy codec id that most encoders without FourCC support use for HEVC.
pub const DEFAULT_HEVC_CODEC_ID: u8 = 12;

const AVC_CODEC_ID: u8 = 7;
/// Packet type of colour information, which has a FourCC with every frame type.
const METADATA: u8 = 4;
/// Packet type of a message with several tracks.
const MULTITRACK: u8 = 6;

impl VideoTag {
    /// Parses the header of a video message; with several tracks, that of the first one. `hevc_codec_id` is the legacy
    /// codec id of HEVC.
    ///
    /// # Errors
    ///
    /// The bytes are truncated or invalid.
    pub fn parse(payload: &[u8], hevc_codec_id: u8) -> Result<Self, CodecError> {
        Self::all(payload, hevc_codec_id).next().unwrap_or(Err(CodecError::Truncated))
    }

    /// Parses the headers of all tracks of a message. An error ends the iteration.
    pub fn all(payload: &[u8], hevc_codec_id: u8) -> impl Iterator<Item = Result<Self, CodecError>> {
        let first = payload.first().copied().unwrap_or(0);
        let enhanced = match first & 0x80 {
            0 => Err(Self::classic(payload, hevc_codec_id)),
            _ => Self::enhanced(first, payload),
        };
        let (one, several) = match enhanced {
            Ok(several) => (None, Some(several)),
            Err(one) => (Some(one), None),
        };
        let several = several.into_iter().flat_map(move |(head, parts)| {
            let frame = FrameType::from(first >> 4 & 0x07);
            parts.map(move |part| Self::of_part(frame, head, part?, payload))
        });
        one.into_iter().chain(several)
    }

    fn classic(payload: &[u8], hevc_codec_id: u8) -> Result<Self, CodecError> {
        let first = *payload.first().ok_or(CodecError::Truncated)?;
        let frame = FrameType::from(first >> 4);
        let alone = |codec, packet| Self {
            frame,
            codec,
            packet,
            composition_time: 0,
            track: 0,
            nanoseconds: 0,
            data_offset: 1,
            data_end: payload.len(),
        };
        let codec = match first & 0x0F {
            AVC_CODEC_ID => VideoCodec::Avc,
            id if id == hevc_codec_id => VideoCodec::Hevc,
            id => return Ok(alone(VideoCodec::Other(id), VideoPacket::Coded)),
        };
        // A server command is one byte without a packet type (E.4.3.1).
        if frame == FrameType::Command {
            return Ok(alone(codec, VideoPacket::Command));
        }
        let packet = match *payload.get(1).ok_or(CodecError::Truncated)? {
            0 => VideoPacket::SequenceHeader,
            1 => VideoPacket::Coded,
            2 => VideoPacket::EndOfSequence,
            other => VideoPacket::Other(other),
        };
        let composition_time = match composition_time(payload, 2) {
            // End of sequence shows nothing, and some encoders omit the field.
            Err(_) if packet == VideoPacket::EndOfSequence => 0,
            time => time?,
        };
        let data_offset = payload.len().min(5);
        Ok(Self { packet, composition_time, data_offset, ..alone(codec, packet) })
    }

    /// Whether the content is a decoder configuration.
    pub fn is_sequence_header(&self) -> bool {
        matches!(self.packet, VideoPacket::SequenceHeader | VideoPacket::Mpeg2TsSequenceStart)
    }

    /// Whether decoding can start here.
    pub fn is_key_frame(&self) -> bool {
        self.frame == FrameType::Key && self.packet == VideoPacket::Coded
    }

    /// Parses an ExVideoTagHeader, whose first byte holds frame type and packet type. `Err` holds a complete result: a
    /// command, or an error.
    fn enhanced(first: u8, payload: &[u8]) -> Result<(TagHead, TrackParts<'_>), Result<Self, CodecError>> {
        let head = TagHead::read(payload, first & 0x0F).map_err(Err)?;
        let frame = FrameType::from(first >> 4 & 0x07);
        if frame == FrameType::Command && head.packet != METADATA {
            return Err(Ok(Self {
                frame,
                codec: VideoCodec::OtherFourCc([0; 4]),
                packet: VideoPacket::Command,
                composition_time: 0,
                track: 0,
                nanoseconds: head.nanoseconds,
                data_offset: payload.len(),
                data_end: payload.len(),
            }));
        }
        head.parts(payload, MULTITRACK).map_err(Err)
    }

    fn of_part(frame: FrameType, head: TagHead, part: TrackPart, payload: &[u8]) -> Result<Self, CodecError> {
        let codec = VideoCodec::from_fourcc(part.fourcc);
        let with_composition_time = matches!(codec, VideoCodec::Avc | VideoCodec::Hevc);
        let body = payload.get(..part.end).unwrap_or(payload);
        let (packet, composition_time, head_length) = match head.packet {
            0 => (VideoPacket::SequenceHeader, 0, 0),
            1 if with_composition_time => (VideoPacket::Coded, composition_time(body, part.start)?, 3),
            // 3 is CodedFramesX, without the composition time field, which would be zero.
            1 | 3 => (VideoPacket::Coded, 0, 0),
            2 => (VideoPacket::EndOfSequence, 0, 0),
            METADATA => (VideoPacket::Metadata, 0, 0),
            5 => (VideoPacket::Mpeg2TsSequenceStart, 0, 0),
            other => (VideoPacket::Other(other), 0, 0),
        };
        Ok(Self {
            frame,
            codec,
            packet,
            composition_time,
            track: part.track,
            nanoseconds: head.nanoseconds,
            data_offset: part.start + head_length,
            data_end: part.end,
        })
    }
}

impl VideoCodec {
    /// The codec of an Enhanced RTMP FourCC.
    pub fn from_fourcc(fourcc: [u8; 4]) -> Self {
        match &fourcc {
            b"avc1" => Self::Avc,
            b"hvc1" => Self::Hevc,
            b"av01" => Self::Av1,
            b"vp08" => Self::Vp8,
            b"vp09" => Self::Vp9,
            _ => Self::OtherFourCc(fourcc),
        }
    }
}

impl From<u8> for FrameType {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::Key,
            2 => Self::Inter,
            3 => Self::DisposableInter,
            4 => Self::GeneratedKey,
            5 => Self::Command,
            other => Self::Other(other),
        }
    }
}

/// Reads a signed 24-bit number.
fn composition_time(payload: &[u8], offset: usize) -> Result<i32, CodecError> {
    let &[high, middle, low] =
        payload.get(offset..).and_then(|rest| rest.first_chunk()).ok_or(CodecError::Truncated)?;
    Ok(i32::from_be_bytes([high, middle, low, 0]) >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(payload: &[u8]) -> VideoTag {
        VideoTag::parse(payload, DEFAULT_HEVC_CODEC_ID).unwrap()
    }

    #[test]
    fn legacy_avc() {
        let tag = parse(b"\x17\x00\0\0\0");
        assert_eq!(tag.codec, VideoCodec::Avc);
        assert!(tag.is_sequence_header() && !tag.is_key_frame());
        let tag = parse(b"\x17\x01\x00\x00\x50");
        assert!(tag.is_key_frame());
        assert_eq!((tag.composition_time, tag.data_offset), (80, 5));
        let tag = parse(b"\x27\x01\xFF\xFF\xFF");
        assert_eq!((tag.frame, tag.composition_time), (FrameType::Inter, -1));
        for end in [&b"\x17\x02\0\0\0"[..], b"\x17\x02"] {
            let tag = parse(end);
            assert_eq!((tag.packet, tag.data_offset), (VideoPacket::EndOfSequence, end.len()));
        }
    }

    #[test]
    fn legacy_hevc_has_the_configured_codec_id() {
        assert_eq!(parse(b"\x1C\x00\0\0\0").codec, VideoCodec::Hevc);
        let tag = VideoTag::parse(b"\x1D\x01\0\0\0", 13).unwrap();
        assert_eq!(tag.codec, VideoCodec::Hevc);
        let tag = VideoTag::parse(b"\x1C\x01\0\0\0", 13).unwrap();
        assert_eq!((tag.codec, tag.data_offset), (VideoCodec::Other(12), 1));
    }

    #[test]
    fn enhanced_composition_time_depends_on_codec_and_packet() {
        let tag = parse(b"\x91hvc1\x00\x00\x28data");
        assert_eq!((tag.codec, tag.frame), (VideoCodec::Hevc, FrameType::Key));
        assert_eq!((tag.composition_time, tag.data_offset), (40, 8));
        let tag = parse(b"\xA3hvc1data");
        assert_eq!((tag.frame, tag.packet), (FrameType::Inter, VideoPacket::Coded));
        assert_eq!((tag.composition_time, tag.data_offset), (0, 5));
        let tag = parse(b"\x91av01data");
        assert_eq!((tag.codec, tag.data_offset), (VideoCodec::Av1, 5));
        assert!(tag.is_key_frame());
        assert!(parse(b"\x90vp09").is_sequence_header());
        assert_eq!(parse(b"\x94av01").packet, VideoPacket::Metadata);
        assert_eq!(parse(b"\x95hvc1").packet, VideoPacket::Mpeg2TsSequenceStart);
        assert_eq!(parse(b"\x98hvc1").packet, VideoPacket::Other(8));
        assert_eq!(parse(b"\x91vvc1").codec, VideoCodec::OtherFourCc(*b"vvc1"));
    }

    #[test]
    fn other_codecs_have_one_byte_of_head() {
        let tag = parse(b"\x12");
        assert_eq!(tag.codec, VideoCodec::Other(2));
        assert_eq!((tag.packet, tag.data_offset), (VideoPacket::Coded, 1));
    }

    #[test]
    fn command_frame_is_no_packet() {
        let tag = parse(b"\x57\x00");
        assert_eq!(tag.frame, FrameType::Command);
        assert!(!tag.is_sequence_header() && !tag.is_key_frame());
        assert_eq!(parse(b"\xD1\x00").packet, VideoPacket::Command);
        // Colour information in a command frame, as in the sample clip of the specification's authors.
        let tag = parse(b"\xD4av01\x02\x00\x09colorInfo");
        assert_eq!((tag.packet, tag.codec, tag.data_offset), (VideoPacket::Metadata, VideoCodec::Av1, 5));
    }

    #[test]
    fn tracks_and_modifiers_stand_before_the_codec_s_bytes() {
        let tag = parse(b"\x96\x00avc1\x01\x09");
        assert_eq!((tag.codec, tag.track, tag.data_offset, tag.data_end), (VideoCodec::Avc, 1, 7, 8));
        assert!(tag.is_sequence_header());
        let tag = parse(b"\x97\x02\x00\x00\x09\x01hvc1\x00\x00\x28\x09");
        assert_eq!((tag.codec, tag.nanoseconds, tag.composition_time), (VideoCodec::Hevc, 9, 40));
        assert!(tag.is_key_frame());
        let many = b"\xA6\x11avc1\x00\0\0\x04\x00\x00\x28\x01\x02\0\0\x04\x00\x00\x50\x02";
        let tags: Vec<VideoTag> = VideoTag::all(many, 12).map(Result::unwrap).collect();
        let told: Vec<_> = tags.iter().map(|t| (t.track, t.composition_time, many[t.data_offset])).collect();
        assert_eq!(told, [(0, 40, 1), (2, 80, 2)]);
        // The first track is too short for its composition time, although the next one is long enough.
        let short = b"\xA6\x11avc1\x00\0\0\x01\x00\x02\0\0\x04\x00\x00\x50\x02";
        assert_eq!(VideoTag::parse(short, 12), Err(CodecError::Truncated));
    }

    #[test]
    fn every_shortened_head_is_truncated() {
        for head in [
            &b"\x17\x00\0\0\0"[..],
            b"\x91hvc1\0\0\0",
            b"\x90av01",
            b"\x96\x01avc1\x01\0\0\0",
            b"\x96\x10avc1\x01\0\0\0",
            b"\x96\x21avc1\x01\0\0\x03\0\0\0",
            b"\x97\x00\x00\x00av01",
        ] {
            assert!(VideoTag::parse(head, 12).is_ok());
            for length in 0..head.len() {
                assert_eq!(VideoTag::parse(&head[..length], 12), Err(CodecError::Truncated));
            }
        }
    }
}
