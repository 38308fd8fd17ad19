//! What is known of the cluster: its servers, and the owners of names.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use super::entry::{self, CarrierEntry, NodeEntry, StreamEntry, Subject};
use super::etcd::{Change, KeyValue, Range};
use super::tenure::{Fence, Lease, Revision};
use crate::hub::stream_key::StreamKey;
use crate::limits;

/// A name as it is in etcd.
#[derive(Clone, Debug)]
pub(super) struct KnownStream {
    pub(super) entry: StreamEntry,
    pub(super) lease: Lease,
    pub(super) epoch: Revision,
    /// When this server first saw this claim.
    pub(super) seen: Instant,
}

/// The map.
#[derive(Debug, Default)]
pub(super) struct ClusterMap {
    pub(super) nodes: HashMap<String, NodeEntry>,
    pub(super) streams: HashMap<StreamKey, KnownStream>,
    /// Servers that carry a stream, by name.
    carriers: HashMap<StreamKey, BTreeMap<String, CarrierEntry>>,
    /// Number of all of these.
    carried: usize,
    /// Identity of etcd's cluster, whose revisions are compared.
    etcd: u64,
    fence: Fence,
}

/// A name that has changed, with the revision of the change.
pub(super) type ChangedStream = (StreamKey, Revision);

impl ClusterMap {
    /// Replaces everything by what was read. Returns the names that have changed; `None` if it is older than what is known,
    /// and nothing was changed.
    pub(super) fn replace(&mut self, prefix: &str, range: Range) -> Option<Vec<ChangedStream>> {
        if std::mem::replace(&mut self.etcd, range.cluster) != range.cluster {
            self.fence = Fence::default();
            self.streams.clear();
        }
        if !self.fence.accepts(range.revision) {
            return None;
        }
        let mut gone: HashMap<StreamKey, ()> = self.streams.keys().map(|key| (key.clone(), ())).collect();
        let mut changed = Vec::new();
        self.nodes.clear();
        self.carriers.clear();
        self.carried = 0;
        for pair in range.pairs {
            if let Some(Subject::Stream(key)) = entry::subject(prefix, &pair.key) {
                gone.remove(&key);
            }
            changed.extend(self.put(prefix, pair));
        }
        for key in gone.into_keys() {
            self.streams.remove(&key);
            changed.push((key, range.revision));
        }
        Some(changed)
    }

    /// Revision of the last change that is known.
    pub(super) fn revision(&self) -> Revision {
        self.fence.highest()
    }

    /// Servers that carry a stream, by name.
    pub(super) fn carriers(&self, key: &StreamKey) -> impl Iterator<Item = (&String, &CarrierEntry)> {
        self.carriers.get(key).into_iter().flatten()
    }

    /// Applies a change. Returns the name that has changed, if any.
    pub(super) fn apply(&mut self, prefix: &str, change: Change) -> Option<ChangedStream> {
        match change {
            Change::Put(pair) => {
                self.fence.accepts(pair.revision);
                self.put(prefix, pair)
            }
            Change::Deleted(key, revision) => {
                self.fence.accepts(revision);
                match entry::subject(prefix, &key)? {
                    Subject::Node(node) => {
                        self.nodes.remove(&node);
                        None
                    }
                    Subject::Stream(key) => {
                        self.streams.remove(&key);
                        Some((key, revision))
                    }
                    Subject::Carrier(key, node) => {
                        if let Some(carriers) = self.carriers.get_mut(&key) {
                            self.carried -= usize::from(carriers.remove(&node).is_some());
                            if carriers.is_empty() {
                                self.carriers.remove(&key);
                            }
                        }
                        None
                    }
                }
            }
        }
    }

    fn put(&mut self, prefix: &str, pair: KeyValue) -> Option<ChangedStream> {
        match entry::subject(prefix, &pair.key)? {
            Subject::Node(node) => {
                if let Ok(entry) = serde_json::from_slice(&pair.value)
                    && (self.nodes.len() < limits::CLUSTER_ENTRIES || self.nodes.contains_key(&node))
                {
                    self.nodes.insert(node, entry);
                }
                None
            }
            Subject::Carrier(key, node) => {
                let entry = serde_json::from_slice(&pair.value).ok()?;
                let is_known = self.carriers.get(&key).is_some_and(|carriers| carriers.contains_key(&node));
                if is_known || self.carried < limits::CLUSTER_ENTRIES {
                    self.carried += usize::from(!is_known);
                    self.carriers.entry(key).or_default().insert(node, entry);
                }
                None
            }
            Subject::Stream(key) => {
                let known = self.streams.get(&key).map(|known| known.epoch);
                if known.is_some_and(|epoch| epoch >= pair.revision)
                    || (known.is_none() && self.streams.len() >= limits::CLUSTER_ENTRIES)
                {
                    return None;
                }
                let entry = serde_json::from_slice(&pair.value).ok()?;
                let known =
                    KnownStream { entry, lease: pair.lease, epoch: pair.revision, seen: Instant::now() };
                self.streams.insert(key.clone(), known);
                Some((key, pair.revision))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(node: &str, revision: Revision) -> KeyValue {
        let entry =
            StreamEntry { node: node.into(), run: "r".into(), session: 1, since: 0, advertise: Vec::new() };
        let key = entry::stream_key(b"c", &StreamKey::new("d", "live", "s")).into_bytes();
        KeyValue { key, value: serde_json::to_vec(&entry).unwrap(), lease: 1, revision }
    }

    #[test]
    fn a_map_follows_ranges_and_changes_and_refuses_older_ones() {
        let (mut map, key, prefix) = (ClusterMap::default(), StreamKey::new("d", "live", "s"), "/pingosd/c/");
        let range = |revision, pairs| Range { cluster: 1, revision, pairs };
        assert_eq!(map.replace(prefix, range(5, vec![pair("a", 4)])), Some(vec![(key.clone(), 4)]));
        assert_eq!(map.apply(prefix, Change::Put(pair("b", 7))), Some((key.clone(), 7)));
        assert_eq!(map.apply(prefix, Change::Put(pair("a", 6))), None);
        assert_eq!(map.replace(prefix, range(6, vec![pair("a", 6)])), None);
        assert_eq!(map.streams[&key].entry.node, "b");
        assert_eq!(map.replace(prefix, range(8, Vec::new())), Some(vec![(key.clone(), 8)]));
        assert!(map.streams.is_empty());
        // Another etcd counts anew.
        let other = Range { cluster: 2, revision: 2, pairs: vec![pair("a", 2)] };
        assert_eq!(map.replace(prefix, other), Some(vec![(key.clone(), 2)]));
        // Servers that carry it come, change and go.
        let path = |node: &str| entry::carrier_key(b"c", &key, node).into_bytes();
        let carrier = |node: &str, epoch, revision| {
            let entry = CarrierEntry { epoch, advertise: Vec::new() };
            Change::Put(KeyValue {
                key: path(node),
                value: serde_json::to_vec(&entry).unwrap(),
                lease: 1,
                revision,
            })
        };
        let known = |map: &ClusterMap| {
            map.carriers(&key).map(|(node, entry)| (node.clone(), entry.epoch)).collect::<Vec<_>>()
        };
        for change in [carrier("x", 2, 3), carrier("y", 2, 4), carrier("x", 5, 5)] {
            assert_eq!(map.apply(prefix, change), None);
        }
        assert_eq!(known(&map), [("x".to_owned(), 5), ("y".to_owned(), 2)]);
        map.apply(prefix, Change::Deleted(path("x"), 6));
        map.apply(prefix, Change::Deleted(path("x"), 7));
        assert_eq!((known(&map), map.carried), (vec![("y".to_owned(), 2)], 1));
        map.apply(prefix, Change::Deleted(path("y"), 8));
        assert!(map.carriers.is_empty() && map.carried == 0);
        let hostile = KeyValue { value: b"{}".to_vec(), ..pair("b", 9) };
        assert_eq!(map.apply(prefix, Change::Put(hostile)), None);
        assert_eq!(map.streams[&key].entry.node, "a");
    }
}
