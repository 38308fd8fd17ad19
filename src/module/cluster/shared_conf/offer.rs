//! Keys and values of a group in etcd.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::etcd::KeyValue;
use super::super::tenure::Revision;
use crate::config::group_copy::hash_of;
use crate::limits;
use crate::log::shown::printable;

/// Keys of a group.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// Name of the cluster.
    pub(super) cluster: String,
    /// Name of the group.
    pub(super) group: String,
}

impl Keys {
    /// Keys of a group; names of clusters and groups need no encoding.
    pub(super) fn new(cluster: &[u8], group: &str) -> Keys {
        Keys { cluster: String::from_utf8_lossy(cluster).into_owned(), group: group.to_owned() }
    }

    /// Beginning of the keys of all groups of the cluster.
    pub(super) fn groups(&self) -> String {
        format!("/pingosd-conf/{}/", self.cluster)
    }

    fn below(&self, rest: &str) -> String {
        format!("/pingosd-conf/{}/{}/{rest}", self.cluster, self.group)
    }

    /// Beginning of the keys that a server of the group watches.
    pub(super) fn offered(&self) -> String {
        self.below("offered/")
    }

    /// The group's configuration.
    pub(super) fn current(&self) -> String {
        self.below("offered/current")
    }

    /// A configuration that some servers try.
    pub(super) fn trial(&self) -> String {
        self.below("offered/trial")
    }

    /// The configuration before the current one.
    pub(super) fn previous(&self) -> String {
        self.below("previous")
    }

    /// Beginning of the answers of servers.
    pub(super) fn nodes(&self) -> String {
        self.below("nodes/")
    }

    /// Answer of a server.
    pub(super) fn node(&self, node: &str) -> String {
        self.below(&format!("nodes/{node}"))
    }
}

/// First line of a configuration in etcd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    cluster: String,
    group: String,
    sha256: String,
    /// When it was written (RFC 3339).
    at: String,
    /// Servers that try it; all, if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<String>,
}

/// A configuration in etcd: a line of JSON, and the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// Revision of its key.
    pub(super) revision: Revision,
    /// Hash of the text.
    pub(super) hash: String,
    /// When it was written.
    pub(super) at: String,
    /// Servers that try it.
    pub(super) nodes: Vec<String>,
    /// The text.
    pub(super) text: Bytes,
}

/// Reason why the value of a key is no configuration of a group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadOffer {
    /// It is too long.
    #[error("it is longer than {} bytes", limits::CLUSTER_CONF_BYTES)]
    TooLarge,
    /// The first line is not that of the command.
    #[error("\"pingosd cluster apply\" has not written it")]
    Foreign,
    /// It was written for another group.
    #[error("it is of group \"{1}\" of cluster \"{0}\"")]
    OtherGroup(String, String),
    /// The text is not the one of the first line.
    #[error("its text does not match its hash")]
    Hash,
    /// A trial without a lease would never end.
    #[error("it is a trial without a lease, which no command keeps")]
    NoLease,
}

/// Maximum length of the first line.
const HEAD: usize = 64 << 10;

impl Offer {
    /// Reads the value of a key.
    pub(super) fn parse(keys: &Keys, pair: &KeyValue) -> Result<Offer, BadOffer> {
        let value = &pair.value;
        let end = value.iter().take(HEAD).position(|byte| *byte == b'\n').ok_or(BadOffer::Foreign)?;
        let head: Head = serde_json::from_slice(&value[..end]).map_err(|_| BadOffer::Foreign)?;
        if (&head.cluster, &head.group) != (&keys.cluster, &keys.group) {
            return Err(BadOffer::OtherGroup(short(&head.cluster), short(&head.group)));
        }
        let text = &value[end + 1..];
        if text.len() > limits::CLUSTER_CONF_BYTES {
            return Err(BadOffer::TooLarge);
        }
        if hash_of(text) != head.sha256 {
            return Err(BadOffer::Hash);
        }
        Ok(Offer {
            revision: pair.revision,
            hash: head.sha256,
            at: short(&head.at),
            nodes: head.nodes,
            text: Bytes::copy_from_slice(text),
        })
    }

    /// Reads the value of a trial's key. A trial is on the lease of its command, and ends with it.
    pub(super) fn parse_trial(keys: &Keys, pair: &KeyValue) -> Result<Offer, BadOffer> {
        let offer = Offer::parse(keys, pair)?;
        if pair.lease == 0 { Err(BadOffer::NoLease) } else { Ok(offer) }
    }

    /// Value of a key.
    pub(super) fn value(keys: &Keys, text: &[u8], nodes: &[String]) -> Vec<u8> {
        let head = Head {
            cluster: keys.cluster.clone(),
            group: keys.group.clone(),
            sha256: hash_of(text),
            at: jiff::Timestamp::now().round(jiff::Unit::Second).unwrap_or_default().to_string(),
            nodes: nodes.to_vec(),
        };
        let mut value = serde_json::to_vec(&head).expect("texts can be written");
        value.push(b'\n');
        value.extend_from_slice(text);
        value
    }
}

/// What a server says of its group's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ServerAnswer {
    /// Revision that it is about; 0 if there is none.
    pub(super) revision: Revision,
    /// Hash of the text of that revision.
    pub(super) hash: String,
    /// What became of it.
    pub(super) outcome: Outcome,
    /// Hash of the group's text that is in force; empty if there is none.
    pub(super) in_force: String,
    /// Generation of the server's configuration.
    pub(super) generation: u64,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) reasons: String,
}

/// What became of a configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// The group has none that this server may take.
    #[default]
    Waiting,
    /// It is in force.
    Applied,
    /// It was refused, and the one before is in force.
    Refused,
    /// It was in force, and was changed at the server: by a rollback or by hand.
    Changed,
    /// etcd is not reached; the kept one is in force.
    Kept,
}

impl ServerAnswer {
    /// Reads the value of a key.
    pub(super) fn parse(value: &[u8]) -> Option<ServerAnswer> {
        let answer: ServerAnswer = serde_json::from_slice(value).ok()?;
        Some(ServerAnswer {
            hash: short(&answer.hash),
            in_force: short(&answer.in_force),
            reasons: printable(&answer.reasons, limits::CLUSTER_CONF_REASONS),
            ..answer
        })
    }
}

impl fmt::Display for ServerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ServerAnswer { revision, hash, outcome, in_force, generation, reasons } = self;
        let (hash, in_force) = (first(hash), first(in_force));
        let kept = match in_force {
            "" => "none is in force".to_owned(),
            hash => format!("{hash} is in force"),
        };
        match outcome {
            Outcome::Waiting => write!(f, "there is none, {kept}"),
            Outcome::Applied => write!(f, "applied, revision {revision}, {hash}, generation {generation}"),
            Outcome::Refused => write!(f, "refused, revision {revision}, {hash}; {kept}: {reasons}"),
            Outcome::Changed => {
                write!(
                    f,
                    "changed at the server, revision {revision}, {hash}; {kept}, generation {generation}"
                )
            }
            Outcome::Kept => write!(f, "kept, revision {revision}, {kept}; etcd was not reached yet"),
        }
    }
}

/// The first digits of a hash.
pub(super) fn first(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

fn short(text: &str) -> String {
    printable(text, 100)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pair(value: Vec<u8>) -> KeyValue {
        KeyValue { key: Vec::new(), value, lease: 0, revision: 7 }
    }

    #[test]
    fn a_configuration_is_read_as_it_was_written() {
        let keys = Keys::new(b"c", "web");
        for text in [&b""[..], b"http { }\n", b"\xff\x00", &vec![b'#'; limits::CLUSTER_CONF_BYTES]] {
            let offer = Offer::parse(&keys, &pair(Offer::value(&keys, text, &["a".into()]))).unwrap();
            assert_eq!(
                (offer.text, offer.nodes, offer.revision),
                (text.to_vec().into(), vec!["a".into()], 7)
            );
            assert_eq!(offer.hash, hash_of(text));
        }
    }

    #[test]
    fn hostile_values_are_refused() {
        let keys = Keys::new(b"c", "web");
        let parse = |value: Vec<u8>| Offer::parse(&keys, &pair(value)).unwrap_err();
        assert_eq!(parse(Vec::new()), BadOffer::Foreign);
        assert_eq!(parse(vec![b'x'; 1 << 20]), BadOffer::Foreign);
        assert_eq!(parse(b"\xff\xfe\n\xff".to_vec()), BadOffer::Foreign);
        assert_eq!(parse(b"{}\nhttp { }".to_vec()), BadOffer::Foreign);
        let other = Offer::value(&Keys::new(b"c", "db"), b"a b;\n", &[]);
        assert_eq!(parse(other), BadOffer::OtherGroup("c".into(), "db".into()));
        let mut changed = Offer::value(&keys, b"a b;\n", &[]);
        changed.push(b'x');
        assert_eq!(parse(changed), BadOffer::Hash);
        let large = Offer::value(&keys, &vec![b'#'; limits::CLUSTER_CONF_BYTES + 1], &[]);
        assert_eq!(parse(large), BadOffer::TooLarge);
        let trial = |lease| KeyValue { lease, ..pair(Offer::value(&keys, b"a b;\n", &["a".into()])) };
        assert_eq!(Offer::parse_trial(&keys, &trial(0)), Err(BadOffer::NoLease));
        assert!(Offer::parse_trial(&keys, &trial(7)).is_ok());
    }

    #[test]
    fn answers_of_others_cannot_write_to_a_terminal() {
        let long = "x".repeat(10 * limits::CLUSTER_CONF_REASONS);
        let value = json!({ "revision": 1, "hash": "\u{1b}[2J", "outcome": "refused", "in_force": "", "generation": 1,
            "reasons": format!("a\nb\u{7}{long}") });
        let answer = ServerAnswer::parse(&serde_json::to_vec(&value).unwrap()).unwrap();
        assert!(!answer.to_string().chars().any(char::is_control));
        assert!(answer.to_string().len() < 2 * limits::CLUSTER_CONF_REASONS);
        assert!(answer.to_string().contains("\\u{1b}[2J") && answer.reasons.starts_with("a\\u{a}b\\u{7}xxx"));
        assert_eq!(ServerAnswer::parse(b"\xff"), None);
        assert_eq!(ServerAnswer::parse(b"{}"), None);
    }
}
