//! Streams that this server pulls and offers to others (`cluster_carry`): a key in etcd for each, on the server's lease.
//!
//! Loops and long chains cannot come about: a server that carries an application's streams pulls them from the server that has
//! claimed the name only, and a carrier is used for the claim that it has pulled only. So media pass through one server at most
//! between the one of the publisher and the one of the player.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::app_conf::Current;
use super::claims::{Cluster, advertised};
use super::conf::ClusterConf;
use super::engine::pause;
use super::entry::{self, CarrierEntry};
use super::etcd::{Etcd, EtcdError};
use super::tenure::{Lease, Revision};
use crate::hub::stream_key::StreamKey;
use crate::media::extension::Running;
use crate::media::view::AppView;
use crate::task::backoff::Backoff;

/// Streams that this server pulls from the servers that have claimed their names.
#[derive(Default)]
pub(super) struct Carried {
    streams: Mutex<HashMap<StreamKey, Pulled>>,
    /// Something has changed, for the task that writes the keys.
    changed: Notify,
}

/// A running pull.
struct Pulled {
    view: AppView,
    epoch: u64,
    /// Tells a pull from a later one of the stream.
    mark: Arc<()>,
}

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

impl Carried {
    /// Writes the keys that are missing, and deletes those that are too many.
    pub(super) fn look_again(&self) {
        self.changed.notify_one();
    }

    /// The claim of the stream that this server has pulled and offers to others.
    pub(super) fn epoch(&self, key: &StreamKey) -> Option<u64> {
        self.streams.lock().get(key).filter(|pulled| is_offered(&pulled.view)).map(|pulled| pulled.epoch)
    }

    fn offered(&self) -> HashMap<StreamKey, u64> {
        let streams = self.streams.lock();
        let offered = streams.iter().filter(|(_, pulled)| is_offered(&pulled.view));
        offered.map(|(key, pulled)| (key.clone(), pulled.epoch)).collect()
    }
}

/// Whether streams of an application that are pulled from the cluster are offered to others.
pub(super) fn is_offered(view: &AppView) -> bool {
    let application = view.current();
    let conf: &Current = application.get();
    conf.pull && conf.carry
}

/// A pull from the server that has claimed the name runs.
pub(super) fn pulled(cluster: Arc<Cluster>, view: &AppView, key: &StreamKey, epoch: u64) -> Running {
    let mark = Arc::new(());
    let entry = Pulled { view: view.clone(), epoch, mark: mark.clone() };
    cluster.carried.streams.lock().insert(key.clone(), entry);
    cluster.carried.look_again();
    Box::new(Pull { cluster, key: key.clone(), mark })
}

impl Drop for Pull {
    fn drop(&mut self) {
        let carried = &self.cluster.carried;
        {
            let mut streams = carried.streams.lock();
            if streams.get(&self.key).is_some_and(|pulled| Arc::ptr_eq(&pulled.mark, &self.mark)) {
                streams.remove(&self.key);
            }
        }
        carried.look_again();
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
