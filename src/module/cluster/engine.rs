//! The task that keeps the lease, the entry of this server, and the map.

use std::convert::Infallible;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::carriers;
use super::claims::{Cluster, EtcdLink, EtcdStatus, advertised};
use super::conf::{ClusterConf, JoinedCluster};
use super::entry::{self, NodeEntry};
use super::etcd::{Etcd, EtcdError, Outcome, RETRY, pause};
use super::log;
use super::map::ClusterMap;
use super::shared_conf;
use super::tenure::{Lease, Revision};
use crate::limits;
use crate::task::backoff::Backoff;

/// Entry of this server in etcd.
#[derive(Default)]
struct OwnEntry {
    written: Option<NodeEntry>,
    revision: Revision,
    /// Whether a later process of this server has taken it over.
    is_passed_on: bool,
}

/// Runs until the process ends: joins the cluster that the configuration names, and leaves it when that changes.
pub async fn run(cluster: Arc<Cluster>) {
    let mut changed = cluster.store.watch();
    loop {
        changed.mark_unchanged();
        let conf = cluster.store.load().get::<JoinedCluster>().0.clone();
        let Some(conf) = conf else {
            leave(&cluster);
            tokio::select! {
                more = changed.changed() => if more.is_err() { return },
                () = cluster.lifetime.shutdown.cancelled() => return,
            }
            continue;
        };
        let changes = async {
            while cluster.store.load().get::<JoinedCluster>().0.as_ref() == Some(&conf) {
                cluster.reloaded();
                if changed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let ends = tokio::select! {
            never = take_part(&cluster, &conf) => match never {},
            () = changes => false,
            () = cluster.lifetime.shutdown.cancelled() => true,
        };
        let (etcd, lease) = {
            let mut link = cluster.link.lock();
            (link.etcd.clone(), if ends { link.lease } else { link.lease.take() })
        };
        if let (Some(etcd), Some(lease)) = (etcd, lease) {
            let _unfinished = cluster.lifetime.unfinished.token();
            if ends {
                // Publishers that end now delete their keys themselves.
                tokio::time::sleep(limits::CLUSTER_RETRY).await;
            }
            let _ = tokio::time::timeout(limits::CLUSTER_REQUEST, etcd.revoke(lease)).await;
        }
        if ends {
            return;
        }
    }
}

/// There is no `cluster` block.
fn leave(cluster: &Cluster) {
    *cluster.link.lock() = EtcdLink::default();
    *cluster.map.write() = ClusterMap::default();
    cluster.changes.send_modify(|count| *count += 1);
}

async fn take_part(cluster: &Arc<Cluster>, conf: &Arc<ClusterConf>) -> Infallible {
    {
        let mut link = cluster.link.lock();
        let is_other = link.conf.as_ref().is_some_and(|before| before.name != conf.name);
        *link =
            EtcdLink { conf: Some(conf.clone()), standing: EtcdStatus::Connecting, ..EtcdLink::default() };
        if is_other {
            *cluster.map.write() = ClusterMap::default();
        }
    }
    cluster.reloaded();
    let mut backoff = Backoff::default();
    let etcd = loop {
        match Etcd::open(conf).await {
            Ok(etcd) => break Arc::new(etcd),
            Err(error) => {
                log::unusable(&error);
                cluster.link.lock().standing = EtcdStatus::Down;
                pause(&mut backoff).await;
            }
        }
    };
    cluster.link.lock().etcd = Some(etcd.clone());
    tokio::select! {
        never = keep_lease(cluster, conf, &etcd) => never,
        never = follow(cluster, conf, &etcd) => never,
        never = shared_conf::follow(cluster, conf, &etcd) => never,
        never = carriers::keep(cluster, conf, &etcd) => never,
    }
}

/// Gets a lease, keeps it alive, and gets another one when it is lost.
async fn keep_lease(cluster: &Arc<Cluster>, conf: &Arc<ClusterConf>, etcd: &Etcd) -> Infallible {
    let mut backoff = Backoff::default();
    loop {
        let granted = async {
            let lease = etcd.grant(conf.lease).await?;
            let mut own = OwnEntry::default();
            Ok::<_, EtcdError>((lease, own.write(cluster, conf, etcd, lease).await?, own))
        };
        match granted.await {
            Ok((lease, true, own)) => {
                backoff.reset();
                cluster.totals.leases.fetch_add(1, Ordering::Relaxed);
                log::joined(&conf.name, &conf.node.0, etcd.address());
                cluster.leased(lease);
                keep_alive(cluster, conf, etcd, lease, own).await;
                cluster.link.lock().lease = None;
                log::lease_lost();
            }
            Ok((lease, false, _)) => {
                let _ = etcd.revoke(lease).await;
                cluster.link.lock().standing = EtcdStatus::Down;
                tokio::time::sleep(Duration::from_secs(conf.lease)).await;
            }
            Err(error) => {
                cluster.totals.failed(&error);
                down(cluster, &error);
                pause(&mut backoff).await;
            }
        }
    }
}

fn down(cluster: &Cluster, why: &dyn Display) {
    let before = std::mem::replace(&mut cluster.link.lock().standing, EtcdStatus::Down);
    if before != EtcdStatus::Down {
        log::lost(why);
    }
}

/// Returns when the lease is lost.
async fn keep_alive(
    cluster: &Arc<Cluster>,
    conf: &ClusterConf,
    etcd: &Etcd,
    lease: Lease,
    mut own: OwnEntry,
) {
    let third = Duration::from_secs(conf.lease) / 3;
    let mut backoff = Backoff::default();
    let mut wait = third;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = cluster.doubt.notified() => {}
        }
        match etcd.renew(lease).await {
            Ok(true) => {
                backoff.reset();
                wait = third;
                let before = std::mem::replace(&mut cluster.link.lock().standing, EtcdStatus::Up);
                if before != EtcdStatus::Up {
                    log::back(etcd.address());
                }
                cluster.tend_all();
                // The entry shows the load; a failure shows at the next renewal.
                let _ = own.write(cluster, conf, etcd, lease).await;
            }
            Ok(false) => return,
            Err(error) => {
                cluster.totals.failed(&error);
                down(cluster, &error);
                wait = backoff.next(RETRY.0, RETRY.1.min(third), crate::task::random());
            }
        }
    }
}

impl OwnEntry {
    /// Writes the entry if it has changed. Returns false, after it has logged that, if another server has the name.
    async fn write(
        &mut self,
        cluster: &Cluster,
        conf: &ClusterConf,
        etcd: &Etcd,
        lease: Lease,
    ) -> Result<bool, EtcdError> {
        let entry = NodeEntry {
            run: cluster.run.clone(),
            version: crate::VERSION.to_owned(),
            generation: cluster.store.generation(),
            connections: cluster.connections.count(),
            streams: cluster.held(),
            zone: conf.zone.as_ref().map(|zone| zone.0.clone()),
            advertise: advertised(conf),
        };
        if self.is_passed_on || self.written.as_ref() == Some(&entry) {
            return Ok(true);
        }
        let key = entry::node_key(&conf.name, &conf.node.0);
        let value = serde_json::to_vec(&entry).expect("numbers and texts can be written");
        let is_first = self.written.is_none();
        loop {
            match etcd.put_if(&key, self.revision, &value, lease).await? {
                Outcome::Done(revision) => {
                    cluster.wrote(revision);
                    (self.written, self.revision) = (Some(entry), revision);
                    return Ok(true);
                }
                Outcome::Found(None) => self.revision = 0,
                Outcome::Found(Some(found)) => {
                    let theirs: Option<NodeEntry> = serde_json::from_slice(&found.value).ok();
                    match theirs {
                        Some(theirs) if theirs.run == cluster.run => {}
                        // This server before it was started again or upgraded, which ends soon.
                        Some(theirs) if is_first && theirs.advertise == entry.advertise => {}
                        Some(theirs) if theirs.advertise == entry.advertise => {
                            self.is_passed_on = true;
                            return Ok(true);
                        }
                        theirs => {
                            let lines = theirs.iter().flat_map(|theirs| &theirs.advertise);
                            let addresses: Vec<_> = lines.flat_map(|line| line.addresses.clone()).collect();
                            log::node_taken(&conf.node.0, &addresses.join(" "));
                            return Ok(false);
                        }
                    }
                    self.revision = found.revision;
                }
            }
        }
    }
}

/// Reads everything and watches for changes, again and again.
async fn follow(cluster: &Arc<Cluster>, conf: &ClusterConf, etcd: &Etcd) -> Infallible {
    let prefix = entry::prefix(&conf.name);
    let mut backoff = Backoff::default();
    loop {
        let error = match follow_once(cluster, &prefix, etcd, &mut backoff).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        cluster.totals.failed(&error);
        log::watch_ended(&error);
        // What a watch needs may have been compacted; reading everything anew needs no pause then.
        if !matches!(error, EtcdError::Compacted) {
            pause(&mut backoff).await;
        }
    }
}

async fn follow_once(
    cluster: &Arc<Cluster>,
    prefix: &str,
    etcd: &Etcd,
    backoff: &mut Backoff,
) -> Result<Infallible, EtcdError> {
    let range = etcd.range(prefix).await?;
    let revision = range.revision;
    let changed = cluster.map.write().replace(prefix, range);
    let Some(changed) = changed else {
        log::older_state();
        return Err(EtcdError::Timeout);
    };
    cluster.changed(&changed);
    let mut watch = etcd.watch(prefix, revision.saturating_add(1)).await?;
    backoff.reset();
    loop {
        let changes = watch.next().await?;
        let changed: Vec<_> = {
            let mut map = cluster.map.write();
            changes.into_iter().filter_map(|change| map.apply(prefix, change)).collect()
        };
        cluster.changed(&changed);
    }
}
