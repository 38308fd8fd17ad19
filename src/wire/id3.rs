//! ID3 tags with timed metadata (ID3 2.4).

use bytes::{BufMut, BytesMut};

use crate::wire::data_message::DataMessage;

/// Text in UTF-8 (ID3 2.4 §4).
const UTF8: u8 = 3;
/// Length of the head of a tag, and of that of a frame.
const HEAD: usize = 10;

/// A tag of one TXXX frame with the name of a data message and its values as JSON.
pub fn id3_tag(message: &DataMessage) -> BytesMut {
    let name = String::from_utf8_lossy(message.name());
    tag(name.as_bytes(), message.text().as_bytes())
}

/// A tag of one TXXX frame. `description` must not contain a zero.
fn tag(description: &[u8], text: &[u8]) -> BytesMut {
    let frame = 1 + description.len() + 1 + text.len();
    let mut out = BytesMut::with_capacity(2 * HEAD + frame);
    out.put_slice(b"ID3\x04\0\0");
    out.put_u32(syncsafe(HEAD + frame));
    out.put_slice(b"TXXX");
    out.put_u32(syncsafe(frame));
    out.put_u16(0);
    out.put_u8(UTF8);
    out.put_slice(description);
    out.put_u8(0);
    out.put_slice(text);
    out
}

/// A length with seven bits a byte (ID3 2.4 §6.2).
fn syncsafe(length: usize) -> u32 {
    let part = |shift: u32| ((length >> (7 * shift)) as u32 & 0x7F) << (8 * shift);
    part(0) | part(1) | part(2) | part(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_of_more_than_127_bytes_has_its_true_length() {
        let tag = tag(b"onTextData", &[b'x'; 200]);
        let size = tag[6..10].iter().fold(0, |size, byte| size << 7 | usize::from(*byte));
        assert_eq!(HEAD + size, tag.len());
        assert_eq!(tag[..6], *b"ID3\x04\0\0");
        assert_eq!(tag[HEAD..HEAD + 4], *b"TXXX");
    }
}
