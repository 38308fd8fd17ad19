//! FLV writer.

use bytes::{BufMut, BytesMut};

use crate::limits::MESSAGE_LENGTH;
use crate::wire::MediaKind;

/// Length of a tag header (E.4.1).
pub const TAG_HEADER: usize = 11;

/// Appends the file header and PreviousTagSize0 (E.2, E.3).
pub fn write_header(out: &mut BytesMut, has_audio: bool, has_video: bool) {
    let flags = u8::from(has_audio) << 2 | u8::from(has_video);
    out.put_slice(b"FLV\x01");
    out.put_u8(flags);
    out.put_u32(9);
    write_previous_tag_size(out, None);
}

/// Appends a complete tag with its PreviousTagSize.
///
/// # Panics
///
/// If the payload does not fit into 24 bits; no message is that long.
pub fn write_tag(out: &mut BytesMut, kind: MediaKind, timestamp: u32, payload: &[u8]) {
    out.reserve(TAG_HEADER + payload.len() + 4);
    out.put_slice(&tag_header(kind, timestamp, payload.len()));
    out.put_slice(payload);
    write_previous_tag_size(out, Some(payload.len()));
}

/// Header of a tag whose payload and PreviousTagSize the caller writes.
///
/// # Panics
///
/// As [`write_tag`].
pub fn tag_header(kind: MediaKind, timestamp: u32, length: usize) -> [u8; TAG_HEADER] {
    assert!(length <= MESSAGE_LENGTH, "a tag length has 24 bits");
    let [_, l2, l1, l0] = (length as u32).to_be_bytes();
    // The fourth byte of the timestamp follows the other three.
    let [t3, t2, t1, t0] = timestamp.to_be_bytes();
    [kind.type_id(), l2, l1, l0, t2, t1, t0, t3, 0, 0, 0]
}

/// Appends PreviousTagSize for a preceding tag with this payload length; 0 at the start of a file.
pub fn write_previous_tag_size(out: &mut BytesMut, payload: Option<usize>) {
    let size = payload.map_or(0, |length| TAG_HEADER + length);
    out.put_u32(size as u32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_header_is_as_the_specification_draws_it() {
        for (audio, video, flags) in [(true, true, 5), (true, false, 4), (false, true, 1)] {
            let mut out = BytesMut::new();
            write_header(&mut out, audio, video);
            assert_eq!(&out[..4], b"FLV\x01");
            assert_eq!(out[4], flags);
            assert_eq!(&out[5..], b"\0\0\0\x09\0\0\0\0");
        }
    }

    #[test]
    fn tag_carries_its_size_twice() {
        let mut out = BytesMut::new();
        write_tag(&mut out, MediaKind::Video, 0x0102_0304, b"abc");
        assert_eq!(&out[..], b"\x09\0\0\x03\x02\x03\x04\x01\0\0\0abc\0\0\0\x0E");
    }
}
