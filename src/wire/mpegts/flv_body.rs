//! Parsing of FLV/RTMP message bodies for MPEG-TS: the main track of each kind, in the codecs that can be carried.

use super::MpegtsError;
use super::annexb::VideoCodec;
use crate::wire::MediaKind;
use crate::wire::codec::{
    self, AudioCodec, AudioPacket, AudioTag, FrameType, MainTrack, VideoPacket, VideoTag,
};

/// Content of a message body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FlvBody<'a> {
    /// A decoder configuration record.
    VideoConfig { codec: VideoCodec, record: &'a [u8] },
    /// One access unit as NAL units with lengths. `cts` is in milliseconds.
    Video { codec: VideoCodec, key: bool, cts: i32, nal_units: &'a [u8] },
    /// An AudioSpecificConfig.
    AacConfig(&'a [u8]),
    /// One raw AAC frame.
    Aac(&'a [u8]),
    /// One MP3 frame with its header.
    Mp3(&'a [u8]),
    /// Content that MPEG-TS does not carry: metadata, end of sequence, video commands, other tracks.
    Other,
}

/// The tracks in use.
#[derive(Debug, Default)]
pub(super) struct CarriedTracks {
    audio: MainTrack,
    video: MainTrack,
}

impl<'a> FlvBody<'a> {
    /// `hevc_codec_id` is the legacy codec id of HEVC.
    ///
    /// # Errors
    ///
    /// The body is truncated, or its codec is not supported in MPEG-TS.
    pub(super) fn parse(
        kind: MediaKind,
        payload: &'a [u8],
        hevc_codec_id: u8,
        carried: &mut CarriedTracks,
    ) -> Result<Self, MpegtsError> {
        match kind {
            MediaKind::Data => Ok(Self::Other),
            _ if payload.is_empty() => Err(MpegtsError::Empty),
            MediaKind::Audio => Self::audio(payload, &mut carried.audio),
            MediaKind::Video => Self::video(payload, hevc_codec_id, &mut carried.video),
        }
    }

    fn video(payload: &'a [u8], hevc_codec_id: u8, carried: &mut MainTrack) -> Result<Self, MpegtsError> {
        let mut chosen = None;
        for tag in VideoTag::all(payload, hevc_codec_id) {
            let tag = match tag {
                Ok(tag) => tag,
                Err(_) if chosen.is_some() => break,
                Err(error) => return Err(error.into()),
            };
            if tag.packet != VideoPacket::Command && carried.is(tag.track) {
                chosen = Some(tag);
            }
        }
        let Some(tag) = chosen else { return Ok(Self::Other) };
        if !matches!(tag.packet, VideoPacket::SequenceHeader | VideoPacket::Coded) {
            return Ok(Self::Other);
        }
        let codec = match tag.codec {
            codec::VideoCodec::Avc => VideoCodec::Avc,
            codec::VideoCodec::Hevc => VideoCodec::Hevc,
            _ => return Err(MpegtsError::Unsupported),
        };
        let data = payload.get(tag.data_offset..tag.data_end).ok_or(MpegtsError::Truncated)?;
        Ok(match tag.packet {
            VideoPacket::SequenceHeader => Self::VideoConfig { codec, record: data },
            _ => {
                // Key frame or generated key frame.
                let key = matches!(tag.frame, FrameType::Key | FrameType::GeneratedKey);
                Self::Video { codec, key, cts: tag.composition_time, nal_units: data }
            }
        })
    }

    fn audio(payload: &'a [u8], carried: &mut MainTrack) -> Result<Self, MpegtsError> {
        let mut chosen = None;
        for tag in AudioTag::all(payload) {
            let tag = match tag {
                Ok(tag) => tag,
                Err(_) if chosen.is_some() => break,
                Err(error) => return Err(error.into()),
            };
            if carried.is(tag.track) {
                chosen = Some(tag);
            }
        }
        let Some(tag) = chosen else { return Ok(Self::Other) };
        let data = payload.get(tag.data_offset..tag.data_end).ok_or(MpegtsError::Truncated)?;
        match (tag.codec, tag.packet) {
            (AudioCodec::Aac, AudioPacket::SequenceHeader) => Ok(Self::AacConfig(data)),
            (AudioCodec::Aac, AudioPacket::Coded) => Ok(Self::Aac(data)),
            (AudioCodec::Mp3, AudioPacket::Coded) => Ok(Self::Mp3(data)),
            (AudioCodec::Aac | AudioCodec::Mp3, _) => Ok(Self::Other),
            _ => Err(MpegtsError::Unsupported),
        }
    }
}

impl From<codec::CodecError> for MpegtsError {
    fn from(error: codec::CodecError) -> Self {
        match error {
            codec::CodecError::Truncated => Self::Truncated,
            codec::CodecError::Version(_) | codec::CodecError::Invalid(_) => Self::Unsupported,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classic_and_enhanced_say_the_same() {
        let (avc, hevc) = (VideoCodec::Avc, VideoCodec::Hevc);
        let cases: [(MediaKind, &[u8], FlvBody<'_>); 10] = [
            (MediaKind::Video, &[0x17, 0, 0, 0, 0, 9], FlvBody::VideoConfig { codec: avc, record: &[9] }),
            (MediaKind::Video, b"\x90avc1\x09", FlvBody::VideoConfig { codec: avc, record: &[9] }),
            (
                MediaKind::Video,
                &[0x2c, 1, 0xff, 0xff, 0xfe, 9],
                FlvBody::Video { codec: hevc, key: false, cts: -2, nal_units: &[9] },
            ),
            (
                MediaKind::Video,
                b"\xa1hvc1\xff\xff\xfe\x09",
                FlvBody::Video { codec: hevc, key: false, cts: -2, nal_units: &[9] },
            ),
            (
                MediaKind::Video,
                b"\x93hvc1\x09",
                FlvBody::Video { codec: hevc, key: true, cts: 0, nal_units: &[9] },
            ),
            (MediaKind::Video, &[0x57, 0], FlvBody::Other),
            (MediaKind::Audio, &[0xaf, 0, 0x12, 0x10], FlvBody::AacConfig(&[0x12, 0x10])),
            (MediaKind::Audio, b"\x90mp4a\x12\x10", FlvBody::AacConfig(&[0x12, 0x10])),
            (MediaKind::Audio, &[0x2f, 0xff], FlvBody::Mp3(&[0xff])),
            (MediaKind::Data, &[2], FlvBody::Other),
        ];
        for (kind, payload, want) in cases {
            let body = FlvBody::parse(kind, payload, 12, &mut CarriedTracks::default());
            assert_eq!(body, Ok(want), "{payload:02x?}");
        }
    }

    #[test]
    fn unknown_codecs_are_refused() {
        let cases: [(MediaKind, &[u8]); 5] = [
            (MediaKind::Video, &[0x12, 0]),
            (MediaKind::Video, b"\x90av01"),
            (MediaKind::Audio, &[0xb2, 0]),
            (MediaKind::Audio, b"\x90Opus"),
            (MediaKind::Video, &[0x1d, 0, 0, 0, 0]),
        ];
        for (kind, payload) in cases {
            let body = FlvBody::parse(kind, payload, 12, &mut CarriedTracks::default());
            assert_eq!(body, Err(MpegtsError::Unsupported), "{payload:02x?}");
        }
    }

    #[test]
    fn one_track_of_a_kind_is_carried() {
        let mut carried = CarriedTracks::default();
        let mut parse =
            |kind, payload: &'static [u8]| FlvBody::parse(kind, payload, 12, &mut carried).unwrap();
        let (audio, video) = (MediaKind::Audio, MediaKind::Video);
        assert_eq!(parse(audio, b"\x95\x00mp4a\x02\x12\x10"), FlvBody::AacConfig(&[0x12, 0x10]));
        assert_eq!(parse(audio, b"\x95\x00mp4a\x01\x12\x10"), FlvBody::Other);
        assert_eq!(parse(audio, b"\x95\x01mp4a\x02\x21"), FlvBody::Aac(&[0x21]));
        // Track 0 takes over; other tracks in the same message are ignored.
        assert_eq!(parse(audio, b"\x95\x20Opus\x02\0\0\x01xmp4a\x00\0\0\x01\x09"), FlvBody::AacConfig(&[9]));
        assert_eq!(parse(audio, b"\x95\x01mp4a\x02\x21"), FlvBody::Other);
        assert_eq!(parse(audio, b"\x97\x02\0\0\x09\x01mp4a\x21"), FlvBody::Aac(&[0x21]));
        let record = FlvBody::VideoConfig { codec: VideoCodec::Avc, record: &[9] };
        assert_eq!(parse(video, b"\x96\x10avc1\x01\0\0\x01\x08\x00\0\0\x01\x09"), record);
        assert_eq!(parse(video, b"\x96\x00avc1\x01\x09"), FlvBody::Other);
        assert_eq!(parse(video, b"\xD4avc1colour"), FlvBody::Other);
    }
}
