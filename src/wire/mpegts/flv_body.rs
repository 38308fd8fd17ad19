//! The head of FLV/RTMP message bodies, as far as a transport stream is concerned: the classic codec ids
//! (FLV 10.1 §E.4.2, §E.4.3) and the same codecs under their FourCC (enhanced RTMP v1).

use super::Error;
use super::annexb::VideoCodec;
use crate::wire::MediaKind;

/// What a message body carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body<'a> {
    /// A decoder configuration record.
    VideoConfig { codec: VideoCodec, record: &'a [u8] },
    /// One access unit, NAL units behind lengths. `cts` is in milliseconds.
    Video { codec: VideoCodec, key: bool, cts: i32, nal_units: &'a [u8] },
    /// An AudioSpecificConfig.
    AacConfig(&'a [u8]),
    /// One raw AAC frame.
    Aac(&'a [u8]),
    /// One MP3 frame with its header.
    Mp3(&'a [u8]),
    /// Nothing a transport stream would carry: metadata, end of sequence, video commands.
    Other,
}

impl<'a> Body<'a> {
    /// `hevc_codec_id` is the number under which HEVC comes in the classic form.
    pub fn parse(kind: MediaKind, payload: &'a [u8], hevc_codec_id: u8) -> Result<Self, Error> {
        let Some((&head, rest)) = payload.split_first() else { return Err(Error::Empty) };
        match kind {
            MediaKind::Video if head & 0x80 != 0 => Self::enhanced_video(head, rest),
            MediaKind::Video => Self::video(head, rest, hevc_codec_id),
            MediaKind::Audio if head >> 4 == AUDIO_ENHANCED => Self::enhanced_audio(head, rest),
            MediaKind::Audio => Self::audio(head, rest),
            MediaKind::Data => Ok(Self::Other),
        }
    }

    fn video(head: u8, rest: &'a [u8], hevc_codec_id: u8) -> Result<Self, Error> {
        if head >> 4 == FRAME_COMMAND {
            return Ok(Self::Other);
        }
        let codec = match head & 0x0f {
            VIDEO_AVC => VideoCodec::Avc,
            id if id == hevc_codec_id => VideoCodec::Hevc,
            _ => return Err(Error::Unsupported),
        };
        let (&[packet_type, cts @ ..], data) = rest.split_first_chunk::<4>().ok_or(Error::Truncated)?;
        Ok(match packet_type {
            0 => Self::VideoConfig { codec, record: data },
            1 => Self::Video { codec, key: is_key(head >> 4), cts: signed_24(cts), nal_units: data },
            _ => Self::Other,
        })
    }

    fn enhanced_video(head: u8, rest: &'a [u8]) -> Result<Self, Error> {
        let frame_type = head >> 4 & 7;
        if frame_type == FRAME_COMMAND {
            return Ok(Self::Other);
        }
        let (four_cc, data) = rest.split_first_chunk::<4>().ok_or(Error::Truncated)?;
        let codec = match four_cc {
            b"avc1" => VideoCodec::Avc,
            b"hvc1" => VideoCodec::Hevc,
            _ => return Err(Error::Unsupported),
        };
        let key = is_key(frame_type);
        Ok(match head & 0x0f {
            0 => Self::VideoConfig { codec, record: data },
            1 => {
                let (&cts, data) = data.split_first_chunk::<3>().ok_or(Error::Truncated)?;
                Self::Video { codec, key, cts: signed_24(cts), nal_units: data }
            }
            3 => Self::Video { codec, key, cts: 0, nal_units: data },
            _ => Self::Other,
        })
    }

    fn audio(head: u8, rest: &'a [u8]) -> Result<Self, Error> {
        match head >> 4 {
            AUDIO_AAC => {
                let (&packet_type, data) = rest.split_first().ok_or(Error::Truncated)?;
                Ok(Self::aac(packet_type, data))
            }
            AUDIO_MP3 | AUDIO_MP3_8_KHZ => Ok(Self::Mp3(rest)),
            _ => Err(Error::Unsupported),
        }
    }

    fn enhanced_audio(head: u8, rest: &'a [u8]) -> Result<Self, Error> {
        let (four_cc, data) = rest.split_first_chunk::<4>().ok_or(Error::Truncated)?;
        match (four_cc, head & 0x0f) {
            (b"mp4a", packet_type) => Ok(Self::aac(packet_type, data)),
            (b".mp3", 1) => Ok(Self::Mp3(data)),
            (b".mp3", _) => Ok(Self::Other),
            _ => Err(Error::Unsupported),
        }
    }

    fn aac(packet_type: u8, data: &'a [u8]) -> Self {
        match packet_type {
            0 => Self::AacConfig(data),
            1 => Self::Aac(data),
            _ => Self::Other,
        }
    }
}

/// Key frame, or key frame made by a server.
fn is_key(frame_type: u8) -> bool {
    matches!(frame_type, 1 | 4)
}

fn signed_24([high, middle, low]: [u8; 3]) -> i32 {
    i32::from_be_bytes([high, middle, low, 0]) >> 8
}

/// Video frame type of messages for the player, not for the decoder.
const FRAME_COMMAND: u8 = 5;
const VIDEO_AVC: u8 = 7;
const AUDIO_MP3: u8 = 2;
/// Sound format whose place enhanced RTMP took for its own header.
const AUDIO_ENHANCED: u8 = 9;
const AUDIO_AAC: u8 = 10;
const AUDIO_MP3_8_KHZ: u8 = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classic_and_enhanced_say_the_same() {
        let (avc, hevc) = (VideoCodec::Avc, VideoCodec::Hevc);
        let cases: [(MediaKind, &[u8], Body<'_>); 10] = [
            (MediaKind::Video, &[0x17, 0, 0, 0, 0, 9], Body::VideoConfig { codec: avc, record: &[9] }),
            (MediaKind::Video, b"\x90avc1\x09", Body::VideoConfig { codec: avc, record: &[9] }),
            (
                MediaKind::Video,
                &[0x2c, 1, 0xff, 0xff, 0xfe, 9],
                Body::Video { codec: hevc, key: false, cts: -2, nal_units: &[9] },
            ),
            (
                MediaKind::Video,
                b"\xa1hvc1\xff\xff\xfe\x09",
                Body::Video { codec: hevc, key: false, cts: -2, nal_units: &[9] },
            ),
            (
                MediaKind::Video,
                b"\x93hvc1\x09",
                Body::Video { codec: hevc, key: true, cts: 0, nal_units: &[9] },
            ),
            (MediaKind::Video, &[0x57, 0], Body::Other),
            (MediaKind::Audio, &[0xaf, 0, 0x12, 0x10], Body::AacConfig(&[0x12, 0x10])),
            (MediaKind::Audio, b"\x90mp4a\x12\x10", Body::AacConfig(&[0x12, 0x10])),
            (MediaKind::Audio, &[0x2f, 0xff], Body::Mp3(&[0xff])),
            (MediaKind::Data, &[2], Body::Other),
        ];
        for (kind, payload, want) in cases {
            assert_eq!(Body::parse(kind, payload, 12), Ok(want), "{payload:02x?}");
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
            assert_eq!(Body::parse(kind, payload, 12), Err(Error::Unsupported), "{payload:02x?}");
        }
    }
}
