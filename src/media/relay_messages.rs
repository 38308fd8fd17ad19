//! Data messages about a connection rather than the media. Relays do not forward them.
//!
//! Each server sends them to its own players. A forwarded message would arrive twice, and would circulate forever where
//! servers pull from each other.

use bytes::{Bytes, BytesMut};

use super::trail;

use crate::wire::MediaKind;
use crate::wire::amf0::{self, AmfValue};

/// Message that tells a relay through which streams of which servers its media has come; see [`way_of`].
pub const WAY: &str = "pingosdWay";
/// Message that tells a relay that the source has lost its publisher: no media follows until there is another one, and
/// a publisher on standby elsewhere need not wait.
pub const IDLE: &str = "pingosdIdle";
/// Status code with which a server tells a publishing relay to which streams of which servers its media continues; the
/// description contains hops as in a trail. A push whose media returns to its start ends.
pub const REACH: &str = "Pingosd.Relay.Reach";
/// Names of such messages.
const NAMES: [&[u8]; 5] =
    [b"|RtmpSampleAccess", b"onStatus", b"onPlayStatus", WAY.as_bytes(), IDLE.as_bytes()];

/// Whether a message is one of these.
pub fn is_control(kind: MediaKind, payload: &Bytes) -> bool {
    if kind != MediaKind::Data {
        return false;
    }
    let Some(Ok(name)) = amf0::Decoder::new(payload).next() else { return false };
    name.as_str().is_some_and(|name| NAMES.contains(&name))
}

/// Message with the path `way`, hops as in a trail. A server sends it to relays before their first media and at every
/// change; a relay that finds its own source on the path would feed itself, and ends. Only the sender of the media can
/// send it, so players cannot claim a path for others.
pub fn way(way: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    amf0::encode(&AmfValue::String(Bytes::from_static(WAY.as_bytes())), &mut out);
    amf0::encode(&AmfValue::String(Bytes::copy_from_slice(way)), &mut out);
    out.freeze()
}

/// [`IDLE`] as a message.
pub fn idle() -> Bytes {
    let mut out = BytesMut::new();
    amf0::encode(&AmfValue::String(Bytes::from_static(IDLE.as_bytes())), &mut out);
    out.freeze()
}

/// Whether the message is [`IDLE`].
pub fn is_idle(kind: MediaKind, payload: &Bytes) -> bool {
    let name = || amf0::Decoder::new(payload).next()?.ok();
    kind == MediaKind::Data && name().is_some_and(|name| name.as_str() == Some(IDLE.as_bytes()))
}

/// The path in a [`WAY`] message; `None` for other messages.
pub fn way_of(kind: MediaKind, payload: &Bytes) -> Option<Bytes> {
    if kind != MediaKind::Data {
        return None;
    }
    let mut values = amf0::Decoder::new(payload);
    if values.next()?.ok()?.as_str()? != WAY.as_bytes() {
        return None;
    }
    values.next()?.ok()?.as_str().map(trail::checked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_told_and_read() {
        let message = way(b"0123456789abcdef");
        assert_eq!(way_of(MediaKind::Data, &message).unwrap(), "0123456789abcdef");
        assert!(is_control(MediaKind::Data, &message));
        assert_eq!(way_of(MediaKind::Data, &way(b"no hop\r\n")).unwrap(), "");
        assert_eq!(way_of(MediaKind::Video, &message), None);
        assert!(is_idle(MediaKind::Data, &idle()) && is_control(MediaKind::Data, &idle()));
        assert!(!is_idle(MediaKind::Data, &message) && !is_idle(MediaKind::Audio, &idle()));
    }

    #[test]
    fn what_speaks_of_the_connection_is_told_from_what_speaks_of_the_media() {
        let message = |name: &'static str| {
            let mut out = BytesMut::new();
            amf0::encode(&AmfValue::String(Bytes::from_static(name.as_bytes())), &mut out);
            amf0::encode(&AmfValue::Boolean(true), &mut out);
            out.freeze()
        };
        assert!(is_control(MediaKind::Data, &message("|RtmpSampleAccess")));
        assert!(is_control(MediaKind::Data, &message("onStatus")));
        // Also if not all of it can be parsed.
        let behind = [&message("onStatus")[..], b"\x11\x0C"].concat().into();
        assert!(is_control(MediaKind::Data, &behind));
        let behind = [&way(b"0123456789abcdef")[..], b"\x11\x0C"].concat().into();
        assert_eq!(way_of(MediaKind::Data, &behind).unwrap(), "0123456789abcdef");
        assert!(!is_control(MediaKind::Data, &message("onMetaData")));
        assert!(!is_control(MediaKind::Data, &message("onCuePoint")));
        assert!(!is_control(MediaKind::Video, &message("onStatus")));
        assert!(!is_control(MediaKind::Data, &Bytes::from_static(&[2, 0, 9, 1])));
    }
}
