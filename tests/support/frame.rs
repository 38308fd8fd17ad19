//! Generated media: every frame carries its number, so that a gap, a repetition or a changed byte shows.

use bytes::{BufMut, Bytes, BytesMut};
use pingosd::wire::MediaKind;
use pingosd::wire::amf0::{self, AmfValue};

/// Milliseconds from one frame to the next.
pub const STEP: u32 = 20;
/// Frames from one key frame to the next.
pub const GOP: u64 = 20;
/// Usual length of a payload.
pub const SIZE: usize = 200;

const MARK: &[u8] = b"frame";

/// A media message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: MediaKind,
    pub timestamp: u32,
    pub payload: Bytes,
}

/// Which kinds a publisher sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracks {
    Both,
    Audio,
    Video,
}

impl Tracks {
    /// Frame number `n`, `size` bytes long.
    pub fn frame(self, n: u64, size: usize) -> Frame {
        let audio = match self {
            Tracks::Both => n % 4 == 3,
            Tracks::Audio => true,
            Tracks::Video => false,
        };
        let timestamp = n as u32 * STEP;
        if audio {
            return Frame { kind: MediaKind::Audio, timestamp, payload: body(&[0xAF, 1], n, size) };
        }
        let first = if n.is_multiple_of(GOP) { 0x17 } else { 0x27 };
        Frame { kind: MediaKind::Video, timestamp, payload: body(&[first, 1, 0, 0, 0], n, size) }
    }

    /// What a publisher sends first: metadata and codec headers.
    pub fn headers(self) -> Vec<Frame> {
        let mut headers = vec![metadata()];
        if self != Tracks::Video {
            headers.push(audio_header());
        }
        if self != Tracks::Audio {
            headers.push(video_header());
        }
        headers
    }
}

/// `onMetaData`.
pub fn metadata() -> Frame {
    let mut out = BytesMut::new();
    let fields = [("width", 320.0), ("height", 240.0), ("framerate", 50.0)];
    amf0::encode(&"onMetaData".into(), &mut out);
    amf0::encode(&AmfValue::object(fields.map(|(name, value)| (name, AmfValue::Number(value)))), &mut out);
    Frame { kind: MediaKind::Data, timestamp: 0, payload: out.freeze() }
}

/// AVC configuration of baseline 320x240.
pub fn video_header() -> Frame {
    let payload = b"\x17\0\0\0\0\x01\x42\xC0\x0D\xFF\xE1\0\x0A\x67\x42\xC0\x0D\xDA\x05\x07\xEC\x04\x40\
                    \x01\0\x04\x68\xCE\x3C\x80";
    Frame { kind: MediaKind::Video, timestamp: 0, payload: Bytes::from_static(payload) }
}

/// AAC configuration: LC, 44.1 kHz, stereo.
pub fn audio_header() -> Frame {
    Frame { kind: MediaKind::Audio, timestamp: 0, payload: Bytes::from_static(b"\xAF\0\x12\x10") }
}

/// The number of a frame; `None` for bytes that no publisher of these tests has sent.
pub fn number(payload: &[u8]) -> Option<u64> {
    let at = payload.windows(MARK.len()).take(8).position(|window| window == MARK)?;
    let number = payload.get(at + MARK.len()..)?.first_chunk()?;
    Some(u64::from_be_bytes(*number))
}

/// Whether a video payload is a key frame, and no header.
pub fn is_key(payload: &[u8]) -> bool {
    payload.starts_with(&[0x17, 1])
}

fn body(head: &[u8], n: u64, size: usize) -> Bytes {
    let mut out = BytesMut::with_capacity(size);
    out.put_slice(head);
    out.put_slice(MARK);
    out.put_u64(n);
    let filled = out.len();
    // The filling differs from frame to frame and within a frame, so that mixed up chunks show.
    out.extend((filled..size).map(|at| (n as usize).wrapping_mul(31).wrapping_add(at / 7) as u8));
    out.freeze()
}
