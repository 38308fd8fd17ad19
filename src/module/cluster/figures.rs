//! What metrics, statistics and the console show of the cluster.

use std::sync::atomic::{AtomicU64, Ordering};

use strum::VariantArray;

use super::claims::{Cluster, EtcdStatus};
use super::etcd::EtcdErrorKind;
use crate::log::shown::Shown;
use crate::media::cluster_view::{ClusterFigures, ClusterListing, ClusterView, ListedNode, ListedStream};

impl ClusterView for Cluster {
    fn figures(&self) -> Option<ClusterFigures> {
        let (conf, standing, lease) = {
            let link = self.link.lock();
            (link.conf.clone()?, link.standing, link.lease)
        };
        let (nodes, streams, revision) = {
            let map = self.map.read();
            (map.nodes.len(), map.streams.len(), map.revision())
        };
        let totals = &self.totals;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let kinds = EtcdErrorKind::VARIANTS.iter();
        Some(ClusterFigures {
            cluster: Shown::new(&conf.name).to_string(),
            node: conf.node.0.clone(),
            is_up: standing == EtcdStatus::Up,
            has_lease: lease.is_some(),
            leases: read(&totals.leases),
            claims: [
                ("won", read(&totals.granted)),
                ("refused", read(&totals.refused)),
                ("lost", read(&totals.lost)),
                ("taken_over", read(&totals.taken_over)),
            ],
            nodes,
            streams,
            own_streams: self.held(),
            revision,
            watch_lag_ms: self.lag.behind(revision),
            errors: kinds.zip(&totals.errors).map(|(kind, count)| (kind.into(), read(count))).collect(),
        })
    }

    fn listing(&self, most: usize) -> Option<ClusterListing> {
        let (conf, standing) = {
            let link = self.link.lock();
            (link.conf.clone()?, link.standing)
        };
        let shown = |text: &str| Shown::new(text.as_bytes()).to_string();
        let map = self.map.read();
        let mut nodes: Vec<_> = map.nodes.iter().collect();
        nodes.sort_by_key(|(node, _)| *node);
        let mut streams: Vec<_> = map.streams.iter().collect();
        streams.sort_by(|(a, _), (b, _)| (&a.serverid, &a.app, &a.name).cmp(&(&b.serverid, &b.app, &b.name)));
        Some(ClusterListing {
            name: Shown::new(&conf.name).to_string(),
            node: conf.node.0.clone(),
            etcd: standing.word(),
            nodes_left_out: nodes.len().saturating_sub(most),
            streams_left_out: streams.len().saturating_sub(most),
            nodes: nodes
                .into_iter()
                .take(most)
                .map(|(node, entry)| ListedNode {
                    name: shown(node),
                    addresses: entry
                        .advertise
                        .iter()
                        .flat_map(|line| &line.addresses)
                        .map(|text| shown(text))
                        .collect(),
                    zone: entry.zone.as_deref().map(shown),
                    version: shown(&entry.version),
                    generation: entry.generation,
                    connections: entry.connections,
                    streams: entry.streams,
                })
                .collect(),
            streams: streams
                .into_iter()
                .take(most)
                .map(|(key, known)| ListedStream {
                    serverid: Shown::new(&key.serverid).to_string(),
                    app: Shown::new(&key.app).to_string(),
                    name: Shown::new(&key.name).to_string(),
                    node: shown(&known.entry.node),
                    epoch: known.epoch,
                    session: known.entry.session,
                    since: known.entry.since,
                    carriers: map.carriers(key).map(|(node, _)| shown(node)).collect(),
                })
                .collect(),
        })
    }
}
