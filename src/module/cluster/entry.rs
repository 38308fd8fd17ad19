//! Keys and values in etcd.
//!
//! ```text
//! /pingosd/CLUSTER/nodes/NODE                     about a server
//! /pingosd/CLUSTER/streams/SERVERID/APP/NAME      owner of a name; parts are percent-encoded
//! /pingosd/CLUSTER/carriers/SERVERID/APP/NAME/NODE    a server that pulls a stream and offers it to others
//! ```

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde::{Deserialize, Serialize};

use crate::hub::stream_key::StreamKey;

/// What is encoded in a part of a key.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// About a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NodeEntry {
    /// Identifies the process.
    pub(super) run: String,
    /// Program and version.
    pub(super) version: String,
    /// Number of its configuration.
    pub(super) generation: u64,
    /// Open connections.
    pub(super) connections: u64,
    /// Names that it has.
    pub(super) streams: u64,
    /// Its zone.
    #[serde(default)]
    pub(super) zone: Option<String>,
    /// Its addresses.
    pub(super) advertise: Vec<AddressEntry>,
}

/// Addresses of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AddressEntry {
    /// The addresses.
    pub(super) addresses: Vec<String>,
    /// Zone whose servers prefer them.
    #[serde(default)]
    pub(super) zone: Option<String>,
}

/// Owner of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StreamEntry {
    /// The server.
    pub(super) node: String,
    /// Its process.
    pub(super) run: String,
    /// The publisher's session.
    pub(super) session: u64,
    /// Beginning of the session in seconds since 1970.
    pub(super) since: u64,
    /// The server's addresses.
    pub(super) advertise: Vec<AddressEntry>,
}

/// A server that offers a stream that it pulls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CarrierEntry {
    /// The claim that it has pulled.
    pub(super) epoch: u64,
    /// The server's addresses.
    pub(super) advertise: Vec<AddressEntry>,
}

/// What a key is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A server.
    Node(String),
    /// A name.
    Stream(StreamKey),
    /// A server that carries a stream.
    Carrier(StreamKey, String),
}

/// Beginning of all keys of a cluster.
pub(super) fn prefix(cluster: &[u8]) -> String {
    format!("/pingosd/{}/", percent_encode(cluster, PART))
}

/// Key of a server.
pub(super) fn node_key(cluster: &[u8], node: &str) -> String {
    format!("{}nodes/{node}", prefix(cluster))
}

/// Key of a name.
pub(super) fn stream_key(cluster: &[u8], key: &StreamKey) -> String {
    format!("{}streams/{}", prefix(cluster), encoded(key))
}

/// Key of a server that carries a stream.
pub(super) fn carrier_key(cluster: &[u8], key: &StreamKey, node: &str) -> String {
    format!("{}carriers/{}/{node}", prefix(cluster), encoded(key))
}

fn encoded(key: &StreamKey) -> String {
    let [serverid, app, name] = [&key.serverid, &key.app, &key.name].map(|part| percent_encode(part, PART));
    format!("{serverid}/{app}/{name}")
}

/// What a key below `prefix` is about; `None` of unknown ones.
pub(super) fn subject(prefix: &str, key: &[u8]) -> Option<Subject> {
    let rest = std::str::from_utf8(key).ok()?.strip_prefix(prefix)?;
    let (kind, rest) = rest.split_once('/')?;
    let parts: Vec<&str> = rest.split('/').collect();
    match (kind, &parts[..]) {
        ("nodes", [node]) => Some(Subject::Node((*node).to_owned())),
        ("streams", [serverid, app, name]) => Some(Subject::Stream(decoded([serverid, app, name]))),
        ("carriers", [serverid, app, name, node]) => {
            Some(Subject::Carrier(decoded([serverid, app, name]), (*node).to_owned()))
        }
        _ => None,
    }
}

fn decoded(parts: [&str; 3]) -> StreamKey {
    let [serverid, app, name] = parts.map(|part| percent_decode_str(part).collect::<Vec<u8>>());
    StreamKey::new(serverid, app, name)
}

/// Order of a server or an address of zone `theirs` for a server of zone `ours`: the same zone, then none, then another.
pub(super) fn zone_rank(theirs: Option<&str>, ours: Option<&str>) -> u8 {
    match (theirs, ours) {
        (Some(theirs), Some(ours)) if theirs == ours => 0,
        (None, _) => 1,
        (Some(_), _) => 2,
    }
}

/// Addresses to pull from for a server of `zone`: those of its zone, then those without one, then the others.
pub(super) fn preferred(advertise: &[AddressEntry], zone: Option<&str>) -> Vec<String> {
    let mut lines: Vec<&AddressEntry> = advertise.iter().collect();
    lines.sort_by_key(|line| zone_rank(line.zone.as_deref(), zone));
    let addresses = lines.into_iter().flat_map(|line| &line.addresses);
    addresses
        .filter(|address| address.starts_with("rtmp://") || address.starts_with("rtmps://"))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written() {
        for parts in [["default", "live", "s"], ["", "a/b", "x y\u{e9}%2F"], ["a.b", "live", "../.."]] {
            let key = StreamKey::new(parts[0], parts[1], parts[2]);
            let written = stream_key(b"c", &key);
            assert_eq!(
                subject(&prefix(b"c"), written.as_bytes()),
                Some(Subject::Stream(key.clone())),
                "{written}"
            );
            let carrier = carrier_key(b"c", &key, "n1");
            let subject = subject(&prefix(b"c"), carrier.as_bytes());
            assert_eq!(subject, Some(Subject::Carrier(key, "n1".into())), "{carrier}");
        }
        assert_eq!(subject("/pingosd/c/", b"/pingosd/c/nodes/a"), Some(Subject::Node("a".into())));
        for unknown in [&b"/pingosd/c/nodes"[..], b"/pingosd/d/nodes/a", b"/pingosd/c/streams/a/b", b"\xff"] {
            assert_eq!(subject("/pingosd/c/", unknown), None);
        }
    }

    #[test]
    fn addresses_of_the_own_zone_come_first() {
        let line = |address: &str, zone: Option<&str>| AddressEntry {
            addresses: vec![address.into(), "http://h".into()],
            zone: zone.map(str::to_owned),
        };
        let lines = [line("rtmp://a", Some("x")), line("rtmp://b", None), line("rtmps://c", Some("y"))];
        assert_eq!(preferred(&lines, Some("y")), ["rtmps://c", "rtmp://b", "rtmp://a"]);
        assert_eq!(preferred(&lines, None), ["rtmp://b", "rtmp://a", "rtmps://c"]);
    }
}
