//! `onMetaData` of a file, with fields that are filled in when the file is complete.
//!
//! `duration` and `filesize` come first, so that their offsets are constant. PingOS writes no metadata at all; players
//! then know neither duration nor picture size.

use bytes::{Bytes, BytesMut};

use crate::wire::amf0::{self, AmfValue};

/// Offset of the first tag's body: after file header, PreviousTagSize0 and tag header.
const BODY_AT: u64 = 9 + 4 + 11;
/// `onMetaData` as a string, and the head of an ECMA array.
const NAME: &[u8] = b"\x02\x00\x0AonMetaData";
const DURATION: &[u8] = b"\x00\x08duration\x00";
const FILE_SIZE: &[u8] = b"\x00\x08filesize\x00";
const ARRAY_HEAD: usize = 5;

/// Offset of the duration in a file written by this server.
pub const DURATION_AT: u64 = BODY_AT + (NAME.len() + ARRAY_HEAD + DURATION.len()) as u64;
/// Offset of the file size in a file written by this server.
pub const FILE_SIZE_AT: u64 = DURATION_AT + 8 + FILE_SIZE.len() as u64;

/// Body of a file's first tag: the publisher's metadata, with a duration and a size of 0.
pub fn tag_body(published: Option<&Bytes>) -> Bytes {
    let mut members =
        vec![(Bytes::from_static(b"duration"), 0.0.into()), (Bytes::from_static(b"filesize"), 0.0.into())];
    let values = published.map(amf0::decode_prefix).unwrap_or_default();
    let from_publisher = values.get(1).and_then(AmfValue::members).unwrap_or_default();
    members
        .extend(from_publisher.iter().filter(|(name, _)| name != "duration" && name != "filesize").cloned());
    let mut out = BytesMut::new();
    amf0::encode_all(&["onMetaData".into(), AmfValue::EcmaArray(members)], &mut out);
    out.freeze()
}

/// Whether a file that begins with `head` has fields for duration and size. `head` should contain everything up to
/// [`FILE_SIZE_AT`].
pub fn opens_with_ours(head: &[u8]) -> bool {
    let at = |end: u64, want: &[u8]| {
        let end = end as usize;
        head.get(end - want.len()..end) == Some(want)
    };
    at(BODY_AT + NAME.len() as u64, NAME) && at(DURATION_AT, DURATION) && at(FILE_SIZE_AT, FILE_SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_are_where_they_are_said_to_be() {
        let mut published = BytesMut::new();
        let from_publisher = AmfValue::object([("width", 640.0.into()), ("duration", 7.0.into())]);
        amf0::encode_all(&["onMetaData".into(), from_publisher], &mut published);
        let body = tag_body(Some(&published.freeze()));
        let mut file = vec![0; BODY_AT as usize];
        file.extend_from_slice(&body);
        assert!(opens_with_ours(&file));
        assert!(!opens_with_ours(&file[1..]));
        file[DURATION_AT as usize..][..8].copy_from_slice(&2.5f64.to_be_bytes());
        file[FILE_SIZE_AT as usize..][..8].copy_from_slice(&99f64.to_be_bytes());
        let values = amf0::decode_all(Bytes::copy_from_slice(&file[BODY_AT as usize..])).unwrap();
        let number = |name: &[u8]| values[1].get(name).and_then(AmfValue::as_number);
        assert_eq!((number(b"duration"), number(b"filesize")), (Some(2.5), Some(99.0)));
        assert_eq!(number(b"width"), Some(640.0));
        assert_eq!(values[1].members().unwrap().len(), 3);
    }
}
