//! Streams that this server pulls and offers to others (`cluster_carry`): a key in etcd for each, on the server's lease.
//!
//! Loops and long chains cannot come about: a server that carries an application's streams pulls them from the server that has
//! claimed the name only, and a carrier is used for the claim that it has pulled only. So media pass through one server at most
//! between the one of the publisher and the one of the player.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use super::claims::{Cluster, advertised};
use super::conf::ClusterConf;
use super::entry::{self, CarrierEntry};
use super::etcd::{Etcd, EtcdError, pause};
use super::tenure::{Lease, Revision};
use crate::hub::stream_key::StreamKey;
use crate::media::extension::Running;
use crate::media::view::AppView;
use crate::task::backoff::Backoff;

/// A running pull; it is known until this is dropped.
struct Pull {
    cluster: Arc<Cluster>,
    key: StreamKey,
    mark: Arc<()>,
}

/// A key that was written.
struct Written {
    epoch: u64,
    lease: Lease,
    revision: Revision,
}

/// A pull from the server that has claimed the name runs.
pub(super) fn pulled(cluster: Arc<Cluster>, view: &AppView, key: &StreamKey, epoch: u64) -> Running {
    let mark = cluster.carried.begun(view, key, epoch);
    Box::new(Pull { cluster, key: key.clone(), mark })
}

impl Drop for Pull {
    fn drop(&mut self) {
        self.cluster.carried.ended(&self.key, &self.mark);
    }
}

/// Keeps the keys of carried streams.
pub(super) async fn keep(cluster: &Arc<Cluster>, conf: &ClusterConf, etcd: &Etcd) -> Infallible {
    let mut written = HashMap::new();
    let mut backoff = Backoff::default();
    loop {
        cluster.carried.changed.notified().await;
        while let Err(error) = write(cluster, conf, etcd, &mut written).await {
            cluster.totals.failed(&error);
            if error.is_lease_gone() {
                cluster.doubt.notify_one();
            }
            pause(&mut backoff).await;
        }
        backoff.reset();
    }
}

/// Makes the keys in etcd what is offered now.
async fn write(
    cluster: &Cluster,
    conf: &ClusterConf,
    etcd: &Etcd,
    written: &mut HashMap<StreamKey, Written>,
) -> Result<(), EtcdError> {
    // Without a lease the keys are gone, or will be; the next lease begins this anew.
    let Some(lease) = cluster.link.lock().lease else { return Ok(()) };
    let offered = cluster.carried.offered();
    let path = |key: &StreamKey| entry::carrier_key(&conf.name, key, &conf.node.0);
    let past: Vec<StreamKey> = written.keys().filter(|key| !offered.contains_key(*key)).cloned().collect();
    for key in past {
        if let Some(Written { revision, .. }) = written.get(&key) {
            // Not the key of this server's other process in an upgrade.
            etcd.delete_if(&path(&key), *revision).await?;
        }
        written.remove(&key);
    }
    for (key, epoch) in offered {
        if written.get(&key).is_some_and(|known| (known.epoch, known.lease) == (epoch, lease)) {
            continue;
        }
        let value = serde_json::to_vec(&CarrierEntry { epoch, advertise: advertised(conf) });
        let value = value.expect("numbers and texts can be written");
        let revision = etcd.put(&path(&key), &value, lease).await?;
        cluster.wrote(revision);
        written.insert(key, Written { epoch, lease, revision });
    }
    Ok(())
}
