//! Numbers of events, and what metrics, statistics and the console show.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use super::claims::{Cluster, Standing};
use super::etcd::EtcdError;
use super::tenure::Revision;
use crate::log::shown::Shown;
use crate::media::cluster_view::{ClusterFigures, ClusterListing, ClusterView, ListedNode, ListedStream};

/// Numbers of events so far.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) granted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) lost: AtomicU64,
    /// Names that were taken over from other servers.
    pub(super) taken_over: AtomicU64,
    pub(super) leases: AtomicU64,
    /// Failed requests, by [`EtcdError::kind`].
    errors: [AtomicU64; EtcdError::KINDS.len()],
}

/// How far the watch is behind this server's own writes.
#[derive(Debug, Default)]
pub(super) struct WatchLag {
    written: Mutex<Option<(Revision, Instant)>>,
}

impl Totals {
    /// A request has failed.
    pub(super) fn failed(&self, error: &EtcdError) {
        self.errors[error.kind()].fetch_add(1, Ordering::Relaxed);
    }

    /// Number of failed requests.
    pub(super) fn failures(&self) -> u64 {
        self.errors.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

impl WatchLag {
    /// This server has written a key at this revision. The oldest write that the watch has not shown counts.
    pub(super) fn wrote(&self, revision: Revision, seen: Revision) {
        let mut written = self.written.lock();
        if revision > seen && written.is_none_or(|(oldest, _)| oldest <= seen) {
            *written = Some((revision, Instant::now()));
        }
    }

    /// Milliseconds since the oldest write that the watch, which is at `seen`, has not shown.
    fn behind(&self, seen: Revision) -> u64 {
        let written = *self.written.lock();
        let behind = written.filter(|(revision, _)| *revision > seen);
        behind.map_or(0, |(_, at)| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

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
        let kinds = EtcdError::KINDS.into_iter();
        Some(ClusterFigures {
            cluster: Shown::new(&conf.name).to_string(),
            node: conf.node.0.clone(),
            is_up: standing == Standing::Up,
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
            errors: kinds.zip(&totals.errors).map(|(kind, count)| (kind, read(count))).collect(),
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
                })
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watch_is_behind_until_it_shows_what_was_written() {
        let lag = WatchLag::default();
        assert_eq!(lag.behind(3), 0);
        lag.wrote(5, 4);
        let began = lag.written.lock().map(|(_, at)| at);
        lag.wrote(7, 4);
        assert_eq!(lag.written.lock().map(|(_, at)| at), began, "the oldest write counts");
        lag.wrote(9, 6);
        assert_eq!(lag.written.lock().map(|(revision, _)| revision), Some(9));
        assert_eq!(lag.behind(9), 0);
        lag.wrote(9, 9);
        assert_eq!(lag.behind(9), 0);
    }
}
