//! Data messages that speak of a connection and not of the media: a relay keeps them to itself.
//!
//! Each server says them to its own players. One that were passed on would be heard twice, and would go round for ever
//! where servers pull from each other.

use bytes::Bytes;

use crate::wire::MediaKind;
use crate::wire::amf0::{self, Value};

/// Names of such messages.
const NAMES: [&[u8]; 3] = [b"|RtmpSampleAccess", b"onStatus", b"onPlayStatus"];

/// Whether a message is one of these.
pub fn is_control(kind: MediaKind, payload: &Bytes) -> bool {
    if kind != MediaKind::Data {
        return false;
    }
    let Ok(values) = amf0::decode_all(payload.clone()) else { return false };
    values.first().and_then(Value::as_str).is_some_and(|name| NAMES.contains(&name))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    #[test]
    fn what_speaks_of_the_connection_is_told_from_what_speaks_of_the_media() {
        let message = |name: &'static str| {
            let mut out = BytesMut::new();
            amf0::encode(&Value::String(Bytes::from_static(name.as_bytes())), &mut out);
            amf0::encode(&Value::Boolean(true), &mut out);
            out.freeze()
        };
        assert!(is_control(MediaKind::Data, &message("|RtmpSampleAccess")));
        assert!(is_control(MediaKind::Data, &message("onStatus")));
        assert!(!is_control(MediaKind::Data, &message("onMetaData")));
        assert!(!is_control(MediaKind::Data, &message("onCuePoint")));
        assert!(!is_control(MediaKind::Video, &message("onStatus")));
        assert!(!is_control(MediaKind::Data, &Bytes::from_static(&[2, 0, 9, 1])));
    }
}
