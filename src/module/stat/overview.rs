//! What a statistics document is made from.

use jiff::Timestamp;

use crate::config::on_disk::OnDisk;
use crate::config::watch::Fingerprint;
use crate::media::cluster_view::ClusterListing;
use crate::media::session::Traffic;
use crate::media::statistics::{Bandwidth, Statistics, StreamStatistics};

/// Name of the compiler in statistics.
pub(super) const COMPILER: &str = "rustc";
/// Version of this server, where PingOS gives that of nginx-rtmp and the date of its build.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Statistics and the state of the server at one moment.
#[derive(Debug)]
pub(super) struct Overview {
    /// Seconds since the start.
    pub(super) uptime: u64,
    /// Time at which it was made, in seconds since 1970.
    pub(super) at: i64,
    /// Generation of the configuration in force.
    pub(super) generation: u64,
    /// Its texts, and since when they are in force.
    pub(super) current: Option<(Fingerprint, Timestamp)>,
    /// Whether the files match it.
    pub(super) on_disk: OnDisk,
    /// Time of a refused reload since then.
    pub(super) refused: Option<Timestamp>,
    /// Streams and sessions.
    pub(super) statistics: Statistics,
    /// The cluster that the server is in.
    pub(super) cluster: Option<ClusterListing>,
}

/// Streams with a common property.
pub(super) struct Group<'o> {
    /// The streams; at least one.
    pub(super) streams: &'o [StreamStatistics],
}

impl Overview {
    /// Streams by server.
    pub(super) fn servers(&self) -> impl Iterator<Item = Group<'_>> {
        self.statistics.streams.chunk_by(|a, b| a.serverid == b.serverid).map(|streams| Group { streams })
    }
}

impl<'o> Group<'o> {
    /// The streams by application.
    pub(super) fn applications(&self) -> impl Iterator<Item = Group<'o>> + use<'o> {
        self.streams.chunk_by(|a, b| a.app == b.app).map(|streams| Group { streams })
    }

    /// Number of sessions.
    pub(super) fn clients(&self) -> usize {
        self.streams.iter().map(|stream| stream.clients.len()).sum()
    }

    /// Traffic of the streams that exist now.
    pub(super) fn traffic(&self) -> Traffic {
        let mut sum = Traffic::default();
        self.streams.iter().for_each(|stream| sum += stream.traffic);
        sum
    }

    /// Traffic now.
    pub(super) fn bandwidth(&self) -> Bandwidth {
        let mut sum = Bandwidth::default();
        self.streams.iter().for_each(|stream| sum.add(stream.bandwidth));
        sum
    }
}
