//! What the two processes of an upgrade tell each other over their control sockets: one JSON object per line.

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::PathBuf;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde::{Deserialize, Serialize};

use crate::hub::stream_key::StreamKey;

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
        section: Vec<u8>,
        /// The method.
        method: Vec<u8>,
        /// The query.
        query: Vec<u8>,
    },
    /// A request of a viewer of HLS from memory, which both processes may receive. The answer is empty if the viewer is not
    /// known; otherwise it consists of a line with the status and the body of the response.
    Viewer {
        /// Its stream.
        stream: KeyText,
        /// Its session.
        session: String,
        /// Its address.
        addr: Option<IpAddr>,
        /// Query of the request.
        query: Vec<u8>,
        /// Number of the fragment; `None` for a playlist.
        fragment: Option<u64>,
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
    /// At the beginning, after all streams with sessions: a stream that the sender's publisher has claimed.
    Holds {
        /// The stream.
        stream: KeyText,
    },
    /// All streams were named with [`CounterpartMessage::Holds`].
    Ready,
    /// A publisher of the sender wants a stream.
    Claim {
        /// The stream.
        stream: KeyText,
        /// Address of the publisher.
        addr: String,
    },
    /// Answer to a claim: the publisher may begin.
    Granted {
        /// The stream.
        stream: KeyText,
    },
    /// Answer to a claim: the receiver of the claim has a publisher of its own.
    Taken {
        /// The stream.
        stream: KeyText,
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
    },
    /// About a `stream` event.
    Event(EventMessage),
    /// Logs are reopened.
    Reopen,
    /// The sender's publisher has left, or no longer wants the stream.
    Release {
        /// The stream.
        stream: KeyText,
    },
}

/// Message about a `stream` event, which lasts as long as the stream has sessions in either process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventMessage {
    /// The sender's last session has left; the receiver, which uses the stream, is asked to continue the event.
    Pass {
        /// The stream.
        stream: KeyText,
    },
    /// The receiver of [`EventMessage::Pass`] continues the event.
    Taken {
        /// The stream.
        stream: KeyText,
    },
    /// The receiver of [`EventMessage::Pass`] has no session of the stream any more.
    Returned {
        /// The stream.
        stream: KeyText,
    },
}

impl EventMessage {
    /// The stream.
    pub fn stream(&self) -> &KeyText {
        match self {
            EventMessage::Pass { stream }
            | EventMessage::Taken { stream }
            | EventMessage::Returned { stream } => stream,
        }
    }
}

/// A [`StreamKey`] as text: its parts, percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyText {
    serverid: String,
    app: String,
    name: String,
}

impl From<&StreamKey> for KeyText {
    fn from(key: &StreamKey) -> KeyText {
        let text = |part: &[u8]| percent_encode(part, NON_ALPHANUMERIC).to_string();
        KeyText { serverid: text(&key.serverid), app: text(&key.app), name: text(&key.name) }
    }
}

impl From<&KeyText> for StreamKey {
    fn from(text: &KeyText) -> StreamKey {
        let part = |text: &str| Cow::from(percent_decode_str(text)).into_owned();
        StreamKey::new(part(&text.serverid), part(&text.app), part(&text.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_survives_as_text() {
        let key = StreamKey::new("a", "live", &b"\xff\n\"%41 \0"[..]);
        let sent = CounterpartMessage::Taken { stream: KeyText::from(&key) };
        let line = serde_json::to_string(&sent).unwrap();
        assert!(line.is_ascii() && !line.contains('\n'));
        let CounterpartMessage::Taken { stream } = serde_json::from_str(&line).unwrap() else {
            panic!("{line}")
        };
        assert_eq!(StreamKey::from(&stream), key);
    }
}
