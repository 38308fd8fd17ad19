//! What the two processes of an upgrade tell each other over their control sockets: one JSON object per line.

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::PathBuf;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde::{Deserialize, Serialize};

use crate::hub::stream_key::StreamKey;
use crate::media::control::ControlCaller;

/// Begins the answer to a viewer that is known.
pub const VIEWER_KNOWN: &[u8] = b"known\n";

/// First line of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "counterpart", rename_all = "snake_case")]
pub enum CounterpartRequest {
    /// The newer process begins the exchange of [`CounterpartMessage`]s.
    Join {
        /// Its own control socket.
        control: PathBuf,
    },
    /// Asks for a stream that is published in the other process. The answer is an FLV file, which ends with the
    /// publisher; it is empty if there is no such publisher.
    Stream {
        /// The stream.
        stream: KeyText,
    },
    /// Asks for the other process's statistics. The answer is a JSON object.
    Statistics,
    /// Carries out a control request in the other process. The answer is its result in JSON.
    Control {
        /// The section.
        section: BytesText,
        /// The method.
        method: BytesText,
        /// The query.
        query: BytesText,
        /// Its sender.
        #[serde(default)]
        caller: ControlCaller,
    },
    /// A request of a viewer of HLS from memory, which both processes may receive. The answer is empty if the viewer is not
    /// known. Otherwise it begins with a line `known` at once; a line with status and length and the body follow.
    Viewer {
        /// Its stream.
        stream: KeyText,
        /// Its session.
        session: String,
        /// Its address.
        addr: Option<IpAddr>,
        /// Query of the request.
        query: BytesText,
        /// Number of the fragment; `None` for a playlist.
        fragment: Option<u64>,
        /// End of the fragment's name behind the number; empty for MPEG-TS.
        #[serde(default)]
        end: String,
    },
    /// The sender ends and has counted this. There is no answer.
    Counted {
        /// [`CarriedCounts`](crate::media::listing::CarriedCounts) as text.
        counts: String,
    },
}

/// Message of an exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum CounterpartMessage {
    /// At the beginning: a stream that the sender's publisher has claimed.
    Holds {
        /// The stream.
        stream: KeyText,
    },
    /// At the beginning: the key of the session ids that the sender gives to viewers of HLS from memory.
    ViewerKey {
        /// In hexadecimal.
        key: String,
    },
    /// The beginning is over: all streams were named with [`CounterpartMessage::Holds`] and
    /// [`CounterpartMessage::Enters`].
    Ready,
    /// The sender is alive.
    Alive,
    /// A publisher of the sender wants a stream.
    Claim {
        /// The stream.
        stream: KeyText,
        /// Number of the claim, which the answer repeats.
        number: u64,
        /// Address of the publisher.
        addr: String,
    },
    /// Answer to a claim: the publisher may begin.
    Granted {
        /// The stream.
        stream: KeyText,
        /// Number of the claim.
        number: u64,
    },
    /// Answer to a claim: the receiver of the claim has a publisher of its own.
    Taken {
        /// The stream.
        stream: KeyText,
        /// Number of the claim.
        number: u64,
    },
    /// The sender has the first session of a stream.
    Enters {
        /// The stream.
        stream: KeyText,
    },
    /// The sender's last session of a stream has left.
    Leaves {
        /// The stream.
        stream: KeyText,
        /// The stream's event, which the receiver, which uses the stream, is asked to continue.
        passed: Option<Box<PassedEvent>>,
    },
    /// The event that was passed on continues.
    EventContinued {
        /// The stream.
        stream: KeyText,
    },
    /// The event that was passed on can't continue: the sender has no session of the stream any more.
    EventReturned {
        /// The stream.
        stream: KeyText,
    },
    /// The sender only waits for its sessions to end: commands that run once per server are the receiver's.
    Retires,
    /// Logs are reopened.
    Reopen,
    /// A ban that was in force when the exchange began.
    Banned {
        /// The address, the network or the stream.
        target: BytesText,
        /// Its end in milliseconds since 1970; `None` if it has none.
        until_ms: Option<u64>,
    },
    /// The sender's publisher has left, or no longer wants the stream.
    Release {
        /// The stream.
        stream: KeyText,
    },
}

/// A `stream` event that is passed on. The session that it names has opened the stream, and may have left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "these are the fields of `Session`, `Peer` and `Identity`")]
pub struct PassedEvent {
    /// Whether updates are sent.
    pub updates: bool,
    pub id: u64,
    pub publishes: bool,
    pub addr: String,
    pub port: u16,
    pub local_addr: String,
    pub local_port: u16,
    pub scheme: String,
    /// domain, app, name, args, pargs, tc_url, page_url, swf_url, flash_ver, serverid.
    pub identity: [BytesText; 10],
}

/// Any bytes as text, percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BytesText(String);

impl From<&[u8]> for BytesText {
    fn from(bytes: &[u8]) -> BytesText {
        BytesText(percent_encode(bytes, NON_ALPHANUMERIC).to_string())
    }
}

impl BytesText {
    /// The bytes.
    pub fn bytes(&self) -> Vec<u8> {
        Cow::from(percent_decode_str(&self.0)).into_owned()
    }
}

/// A [`StreamKey`] as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyText {
    serverid: BytesText,
    app: BytesText,
    name: BytesText,
}

impl From<&StreamKey> for KeyText {
    fn from(key: &StreamKey) -> KeyText {
        KeyText {
            serverid: (&key.serverid[..]).into(),
            app: (&key.app[..]).into(),
            name: (&key.name[..]).into(),
        }
    }
}

impl From<&KeyText> for StreamKey {
    fn from(text: &KeyText) -> StreamKey {
        StreamKey::new(text.serverid.bytes(), text.app.bytes(), text.name.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_survives_as_text() {
        let key = StreamKey::new("a", "live", &b"\xff\n\"%41 \0"[..]);
        let sent = CounterpartMessage::Taken { stream: KeyText::from(&key), number: 7 };
        let line = serde_json::to_string(&sent).unwrap();
        assert!(line.is_ascii() && !line.contains('\n'));
        let CounterpartMessage::Taken { stream, .. } = serde_json::from_str(&line).unwrap() else {
            panic!("{line}")
        };
        assert_eq!(StreamKey::from(&stream), key);
    }
}
