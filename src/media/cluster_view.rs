//! What this server knows of a cluster, for metrics, statistics and the console.

use serde::Serialize;

/// A server's knowledge of its cluster.
pub trait ClusterView: Send + Sync {
    /// Its figures; `None` if it is in no cluster. Cheap: nothing is walked.
    fn figures(&self) -> Option<ClusterFigures>;

    /// Its servers and streams by name, at most `most` of each; `None` if it is in no cluster.
    fn listing(&self, most: usize) -> Option<ClusterListing>;
}

/// Figures of a server's part in its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterFigures {
    /// Name of the cluster.
    pub cluster: String,
    /// Name of this server.
    pub node: String,
    /// Whether etcd is reached.
    pub is_up: bool,
    /// Whether this server has a lease.
    pub has_lease: bool,
    /// Leases so far.
    pub leases: u64,
    /// Claims by what became of them.
    pub claims: [(&'static str, u64); 4],
    /// Known servers, known streams, and those of them that this server has.
    pub nodes: usize,
    /// See `nodes`.
    pub streams: usize,
    /// See `nodes`.
    pub own_streams: u64,
    /// Revision of the last change that this server has seen.
    pub revision: i64,
    /// Milliseconds since the oldest write of this server that its watch has not shown yet; 0 without one.
    pub watch_lag_ms: u64,
    /// Failed requests to etcd by kind.
    pub errors: Vec<(&'static str, u64)>,
}

/// Servers and streams of a cluster. All texts are escaped as in logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClusterListing {
    /// Name of the cluster.
    pub name: String,
    /// Name of this server.
    pub node: String,
    /// State of etcd: `connecting`, `up`, `down`.
    pub etcd: &'static str,
    /// Servers by name.
    pub nodes: Vec<ListedNode>,
    /// Number of further servers.
    pub nodes_left_out: usize,
    /// Streams by server block, application and name.
    pub streams: Vec<ListedStream>,
    /// Number of further streams.
    pub streams_left_out: usize,
}

/// A server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ListedNode {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// Its zone.
    pub zone: Option<String>,
    /// Program and version.
    pub version: String,
    /// Number of its configuration.
    pub generation: u64,
    /// Open connections.
    pub connections: u64,
    /// Streams that it has.
    pub streams: u64,
}

/// A stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ListedStream {
    /// `serverid` of its virtual server.
    pub serverid: String,
    /// Application.
    pub app: String,
    /// Name.
    pub name: String,
    /// The server that has it.
    pub node: String,
    /// Number of the claim.
    pub epoch: i64,
    /// Session of its publisher at that server.
    pub session: u64,
    /// Beginning of that session in seconds since 1970.
    pub since: u64,
    /// Servers that pull it and offer it to others (`cluster_carry`).
    pub carriers: Vec<String>,
}
