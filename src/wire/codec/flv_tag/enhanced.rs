//! Common syntax of enhanced audio and video messages (Enhanced RTMP version 2, "Enhanced Audio", "Enhanced Video").
//!
//! ```text
//! one track:             first byte, ModEx*,                  FourCC, body
//! OneTrack:              first byte, ModEx*, multitrack byte, FourCC, track id, body
//! ManyTracks:            first byte, ModEx*, multitrack byte, FourCC, (track id, size, body)+
//! ManyTracksManyCodecs:  first byte, ModEx*, multitrack byte, (FourCC, track id, size, body)+
//! ```
//!
//! The packet type that follows is in the low bits of the first byte, of the last byte of a ModEx and of the multitrack
//! byte.

use crate::limits::{MESSAGE_TRACKS, MODIFIERS};
use crate::wire::codec::CodecError;

/// Packet type of a modifier, for audio and video.
const MODIFIER: u8 = 7;
/// Modifier type: offset to the timestamp in nanoseconds.
const TIMESTAMP_OFFSET_NANO: u8 = 0;
/// Modifier size for which a longer size field follows.
const LONG_SIZE: usize = 256;

/// Fields up to the end of the modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TagHead {
    /// Packet type.
    pub packet: u8,
    /// Sum of the timestamp offsets, in nanoseconds.
    pub nanoseconds: u32,
    /// Offset after the fields read so far.
    at: usize,
}

impl TagHead {
    /// Reads the modifiers. `packet` is the packet type in the first byte.
    pub(super) fn read(payload: &[u8], packet: u8) -> Result<Self, CodecError> {
        let mut head = TagHead { packet, nanoseconds: 0, at: 1 };
        for _ in 0..MODIFIERS {
            if head.packet != MODIFIER {
                return Ok(head);
            }
            let mut size = usize::from(head.byte(payload)?) + 1;
            if size == LONG_SIZE {
                size = usize::from(u16::from_be_bytes(head.take(payload)?)) + 1;
            }
            let data = payload.get(head.at..head.at + size).ok_or(CodecError::Truncated)?;
            head.at += size;
            let types = head.byte(payload)?;
            if types >> 4 == TIMESTAMP_OFFSET_NANO
                && let Some(&[high, middle, low]) = data.first_chunk()
            {
                let offset = u32::from_be_bytes([0, high, middle, low]);
                head.nanoseconds = head.nanoseconds.saturating_add(offset);
            }
            head.packet = types & 0x0F;
        }
        if head.packet == MODIFIER { Err(CodecError::Invalid("number of modifiers")) } else { Ok(head) }
    }

    /// Continues with the tracks. `multitrack` is the packet type that announces several of them.
    pub(super) fn parts(
        mut self,
        payload: &[u8],
        multitrack: u8,
    ) -> Result<(Self, TrackParts<'_>), CodecError> {
        let layout = if self.packet == multitrack {
            let types = self.byte(payload)?;
            self.packet = types & 0x0F;
            if self.packet == multitrack {
                return Err(CodecError::Invalid("packet type"));
            }
            match types >> 4 {
                0 => TrackLayout::OneTrack,
                1 => TrackLayout::ManyTracks,
                2 => TrackLayout::ManyTracksManyCodecs,
                _ => return Err(CodecError::Invalid("multitrack type")),
            }
        } else {
            TrackLayout::Plain
        };
        let fourcc = match layout {
            TrackLayout::ManyTracksManyCodecs => [0; 4],
            _ => self.take(payload)?,
        };
        Ok((self, TrackParts { payload, head: self, layout, fourcc, left: MESSAGE_TRACKS }))
    }

    fn byte(&mut self, payload: &[u8]) -> Result<u8, CodecError> {
        let [byte] = self.take(payload)?;
        Ok(byte)
    }

    fn take<const N: usize>(&mut self, payload: &[u8]) -> Result<[u8; N], CodecError> {
        let taken =
            payload.get(self.at..).and_then(|rest| rest.first_chunk()).ok_or(CodecError::Truncated)?;
        self.at += N;
        Ok(*taken)
    }
}

/// Layout of the tracks (AvMultitrackType).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TrackLayout {
    Plain,
    OneTrack,
    ManyTracks,
    ManyTracksManyCodecs,
}

/// Part of a message that belongs to one track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TrackPart {
    /// Track id; 0 if the message has none.
    pub track: u8,
    /// Codec.
    pub fourcc: [u8; 4],
    /// Offset of the body.
    pub start: usize,
    /// End of the body.
    pub end: usize,
}

/// Iterator over the parts of a message; an error ends it.
#[derive(Clone, Debug)]
pub(super) struct TrackParts<'a> {
    payload: &'a [u8],
    head: TagHead,
    layout: TrackLayout,
    fourcc: [u8; 4],
    /// Number of parts that may still follow.
    left: usize,
}

impl TrackParts<'_> {
    fn read(&mut self) -> Result<TrackPart, CodecError> {
        let (payload, head) = (self.payload, &mut self.head);
        if self.layout == TrackLayout::ManyTracksManyCodecs {
            self.fourcc = head.take(payload)?;
        }
        let track = match self.layout {
            TrackLayout::Plain => 0,
            _ => head.byte(payload)?,
        };
        let end = match self.layout {
            TrackLayout::Plain | TrackLayout::OneTrack => payload.len(),
            TrackLayout::ManyTracks | TrackLayout::ManyTracksManyCodecs => {
                let [high, middle, low] = head.take(payload)?;
                head.at + u32::from_be_bytes([0, high, middle, low]) as usize
            }
        };
        if end > payload.len() {
            return Err(CodecError::Truncated);
        }
        let start = std::mem::replace(&mut head.at, end);
        Ok(TrackPart { track, fourcc: self.fourcc, start, end })
    }
}

impl Iterator for TrackParts<'_> {
    type Item = Result<TrackPart, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        let many = matches!(self.layout, TrackLayout::ManyTracks | TrackLayout::ManyTracksManyCodecs);
        if self.left == 0 || many && self.left < MESSAGE_TRACKS && self.head.at >= self.payload.len() {
            return None;
        }
        self.left = if many { self.left - 1 } else { 0 };
        let part = self.read();
        if part.is_err() {
            self.left = 0;
        }
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packet type that announces several tracks in these tests.
    const MULTITRACK: u8 = 6;

    /// Track, codec, body.
    type Read<'a> = (u8, [u8; 4], &'a [u8]);

    fn read(payload: &[u8]) -> Result<(TagHead, Vec<Read<'_>>), CodecError> {
        let (head, parts) = TagHead::read(payload, payload[0] & 0x0F)?.parts(payload, MULTITRACK)?;
        let parts: Result<Vec<TrackPart>, CodecError> = parts.collect();
        let bodies = parts?.into_iter().map(|p| (p.track, p.fourcc, &payload[p.start..p.end]));
        Ok((head, bodies.collect()))
    }

    #[test]
    fn the_layouts_of_several_tracks() {
        let (avc, hevc) = (*b"avc1", *b"hvc1");
        let cases: [(&[u8], &[Read<'_>]); 4] = [
            (b"\x90avc1\x09\x08", &[(0, avc, &[9, 8])]),
            (b"\x96\x00avc1\x01\x09", &[(1, avc, &[9])]),
            (b"\x96\x10avc1\x00\0\0\x01\x09\x01\0\0\x02\x08\x07", &[(0, avc, &[9]), (1, avc, &[8, 7])]),
            (b"\x96\x20avc1\x05\0\0\0hvc1\x02\0\0\x01\x07", &[(5, avc, &[]), (2, hevc, &[7])]),
        ];
        for (payload, want) in cases {
            let (head, parts) = read(payload).unwrap();
            assert_eq!(head.packet, 0, "{payload:02x?}");
            assert_eq!(parts, want, "{payload:02x?}");
        }
    }

    #[test]
    fn modifiers_stand_before_the_codec_and_may_be_nested() {
        // 0x0F4240 nanoseconds twice, with an unknown modifier between them.
        let payload = b"\x97\x02\x0F\x42\x40\x07\x00\xAA\x57\x02\x00\x00\x01\x01avc1\x09";
        let (head, parts) = read(payload).unwrap();
        assert_eq!((head.packet, head.nanoseconds), (1, 1_000_001));
        assert_eq!(parts, [(0, *b"avc1", &[9][..])]);
        // A size byte for 256 announces a two-byte size.
        let mut long = b"\x97\xFF\x01\x00".to_vec();
        long.extend_from_slice(&[0; 0x101]);
        long.extend_from_slice(b"\x06\x01avc1\x03\x09");
        let (head, parts) = read(&long).unwrap();
        assert_eq!((head.packet, parts), (1, vec![(3, *b"avc1", &[9][..])]));
    }

    #[test]
    fn what_the_text_forbids_is_an_error() {
        for payload in [&b"\x96\x06avc1\x01"[..], b"\x96\x30avc1\x01"] {
            assert!(matches!(read(payload), Err(CodecError::Invalid(_))), "{payload:02x?}");
        }
        let mut endless = vec![0x97];
        endless.extend([0, 0, 7].repeat(MODIFIERS + 1));
        assert_eq!(read(&endless).map(drop), Err(CodecError::Invalid("number of modifiers")));
        assert_eq!(read(b"\x96\x10avc1\x00\0\0\x09\x01"), Err(CodecError::Truncated));
        assert_eq!(read(b"\x96\x10avc1"), Err(CodecError::Truncated));
    }

    #[test]
    fn parts_of_a_message_are_bounded() {
        let mut payload = b"\x96\x10avc1".to_vec();
        payload.extend([1, 0, 0, 0].repeat(MESSAGE_TRACKS + 10));
        assert_eq!(read(&payload).unwrap().1.len(), MESSAGE_TRACKS);
    }
}
