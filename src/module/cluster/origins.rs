//! Servers to pull streams from, as the map has them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bstr::BString;
use tokio::sync::watch;

use super::app_conf::Current;
use super::carried::is_offered;
use super::carriers;
use super::claims::Cluster;
use super::entry::{AddressEntry, preferred, zone_rank};
use super::map::ClusterMap;
use crate::hub::stream_key::StreamKey;
use crate::limits;
use crate::media::extension::{Origins, Running, StreamOrigin};
use crate::media::view::AppView;

impl Origins for Cluster {
    /// The server that has claimed the name, and for one that carries no streams itself also those that carry it.
    fn origin(&self, view: &AppView, key: &StreamKey) -> Option<StreamOrigin> {
        if !view.current().get::<Current>().pull {
            return None;
        }
        let conf = self.link.lock().conf.clone()?;
        let zone = conf.zone.as_ref().map(|zone| zone.0.as_str());
        origin(&self.map.read(), key, &conf.node.0, zone, is_offered(view))
    }

    fn pulled(self: Arc<Self>, view: &AppView, key: &StreamKey, epoch: u64) -> Running {
        carriers::pulled(self, view, key, epoch)
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// A server that has a stream.
struct StreamSource<'m> {
    node: &'m str,
    advertise: &'m [AddressEntry],
    is_owner: bool,
}

/// Where the server `node` of `zone` pulls a stream from: from its owner alone if this server offers the stream to others.
fn origin(
    map: &ClusterMap,
    key: &StreamKey,
    node: &str,
    zone: Option<&str>,
    offers: bool,
) -> Option<StreamOrigin> {
    let known = map.streams.get(key).filter(|known| known.entry.node != node)?;
    let (epoch, owner) = (known.epoch.unsigned_abs(), &known.entry);
    let mut sources = vec![StreamSource { node: &owner.node, advertise: &owner.advertise, is_owner: true }];
    let carriers = map.carriers(key).filter(|(carrier, entry)| {
        // One whose entry is missing is gone, or about to be.
        !offers
            && entry.epoch == epoch
            && *carrier != node
            && **carrier != owner.node
            && map.nodes.contains_key(*carrier)
    });
    sources.extend(carriers.map(|(node, entry)| StreamSource {
        node,
        advertise: &entry.advertise,
        is_owner: false,
    }));
    let mut carriers = 0;
    sources.sort_by_cached_key(|source| {
        let entry = map.nodes.get(source.node);
        let rank = zone.map(|zone| zone_rank(entry.and_then(|entry| entry.zone.as_deref()), Some(zone)));
        let load = entry.map_or(0, |entry| load(entry.connections));
        (rank, load, !source.is_owner, spread(node, key, source.node))
    });
    // The owner stays, whatever its place.
    sources.retain(|source| {
        carriers += usize::from(!source.is_owner);
        source.is_owner || carriers <= limits::CLUSTER_CARRIERS
    });
    let addresses = sources.iter().flat_map(|source| preferred(source.advertise, zone));
    let addresses: Vec<BString> = addresses.map(BString::from).collect();
    (!addresses.is_empty()).then_some(StreamOrigin { addresses, epoch })
}

/// Load in steps, each twice as large as the one before: entries are seconds old, and all servers that choose at the same time
/// see the same ones.
fn load(connections: u64) -> u32 {
    (connections / LIGHT + 1).ilog2()
}

/// Number of connections below which a server counts as idle.
const LIGHT: u64 = 16;

/// Distributes the choices of servers and streams among equals.
fn spread(node: &str, key: &StreamKey, source: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (node, key, source).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::super::entry::{
        CarrierEntry, NodeEntry, StreamEntry, carrier_key, node_key, prefix, stream_key,
    };
    use super::super::etcd::{KeyValue, Range};
    use super::*;

    fn advertise(node: &str) -> Vec<AddressEntry> {
        vec![AddressEntry { addresses: vec![format!("rtmp://{node}")], zone: None }]
    }

    /// Servers with zones and numbers of connections, the first of which has claimed the stream; the others carry claims.
    fn map(key: &StreamKey, nodes: &[(&str, Option<&str>, u64, u64)]) -> ClusterMap {
        let mut pairs = Vec::new();
        let mut add = |key: String, value: Vec<u8>| {
            let revision = 7;
            pairs.push(KeyValue { key: key.into_bytes(), value, lease: 1, revision });
        };
        for (n, (node, zone, connections, epoch)) in nodes.iter().enumerate() {
            let entry = NodeEntry {
                run: "r".into(),
                version: "v".into(),
                generation: 1,
                connections: *connections,
                streams: 0,
                zone: zone.map(str::to_owned),
                advertise: advertise(node),
            };
            add(node_key(b"c", node), serde_json::to_vec(&entry).unwrap());
            if n == 0 {
                let (node, run, advertise) = ((*node).to_owned(), "r".into(), advertise(node));
                let entry = StreamEntry { node, run, session: 1, since: 0, advertise };
                add(stream_key(b"c", key), serde_json::to_vec(&entry).unwrap());
            } else {
                let entry = CarrierEntry { epoch: *epoch, advertise: advertise(node) };
                add(carrier_key(b"c", key, node), serde_json::to_vec(&entry).unwrap());
            }
        }
        let mut map = ClusterMap::default();
        map.replace(&prefix(b"c"), Range { cluster: 1, revision: 7, pairs }).unwrap();
        map
    }

    #[test]
    fn the_own_zone_comes_first_and_then_the_load() {
        let key = StreamKey::new("d", "live", "s");
        let found = |nodes: &[(&str, Option<&str>, u64, u64)], zone, offers| {
            let found = origin(&map(&key, nodes), &key, "me", zone, offers).unwrap();
            assert_eq!(found.epoch, 7);
            let text = |address: BString| address.to_string().replace("rtmp://", "");
            found.addresses.into_iter().map(text).collect::<Vec<_>>()
        };
        let all = [
            ("owner", Some("west"), 10, 0),
            ("far", Some("west"), 0, 7),
            ("near", Some("east"), 300, 7),
            ("idle", Some("east"), 20, 7),
            ("none", None, 0, 7),
            ("past", Some("east"), 0, 6),
            ("me", Some("east"), 0, 7),
        ];
        assert_eq!(found(&all, Some("east"), false), ["idle", "near", "none", "owner", "far"]);
        // Without a zone only the load counts, and the owner before its equals.
        assert_eq!(found(&all, None, false)[0], "owner");
        let busy = [("owner", None, 500, 0), ("a", None, 60, 7), ("b", None, 0, 7)];
        assert_eq!(found(&busy, None, false), ["b", "a", "owner"]);
        // Small differences do not count.
        let alike = [("owner", None, 15, 0), ("a", None, 0, 7)];
        assert_eq!(found(&alike, None, false), ["owner", "a"]);
        // A server that carries streams pulls from the owner only: no chain, and no circle.
        assert_eq!(found(&all, Some("east"), true), ["owner"]);
        assert_eq!(origin(&map(&key, &all), &key, "owner", None, false), None);
    }

    #[test]
    fn few_carriers_are_tried_and_the_owner_always() {
        let key = StreamKey::new("d", "live", "s");
        let names: Vec<String> = (0..20).map(|n| format!("n{n}")).collect();
        let mut nodes = vec![("owner", Some("west"), 100_000, 0)];
        nodes.extend(names.iter().map(|name| (name.as_str(), Some("east"), 0, 7)));
        let map = map(&key, &nodes);
        let first = |node: &str| {
            let found = origin(&map, &key, node, Some("east"), false).unwrap();
            assert_eq!(found.addresses.len(), limits::CLUSTER_CARRIERS + 1);
            assert_eq!(found.addresses.last().unwrap(), "rtmp://owner");
            found.addresses[0].clone()
        };
        // Equals share the load.
        let chosen: std::collections::BTreeSet<_> = (0..50).map(|n| first(&format!("edge{n}"))).collect();
        assert!(chosen.len() > 5, "{chosen:?}");
    }
}
