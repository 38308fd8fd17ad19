//! Log lines about the cluster.

use std::fmt::Display;

use tracing::{error, info, warn};

use crate::log::shown::Shown;
use crate::media::log as media_log;
use crate::media::session::Session;

/// etcd is reached, and the server has a lease.
pub(super) fn joined(cluster: &[u8], node: &str, address: &str) {
    info!(target: "notice", "cluster \"{}\" joined as \"{node}\", etcd: {address}", Shown::new(cluster));
}

/// etcd is not reached any more.
pub(super) fn lost(why: &dyn Display) {
    error!("etcd cannot be reached: {why}; sessions go on");
}

/// etcd is reached again with the same lease.
pub(super) fn back(address: &str) {
    info!(target: "notice", "etcd is reached again: {address}");
}

/// The lease has ended; all names are claimed anew.
pub(super) fn lease_lost() {
    warn!("the lease in etcd has ended, all names are claimed anew");
}

/// The `cluster` block cannot be used.
pub(super) fn unusable(why: &dyn Display) {
    error!("the cluster cannot be joined: {why}");
}

/// Another server has the same name.
pub(super) fn node_taken(node: &str, addresses: &str) {
    error!(
        "another server of the cluster has the name \"{node}\" and the addresses {}, this one does not join",
        Shown::new(addresses.as_bytes())
    );
}

/// The watch has ended and is begun anew.
pub(super) fn watch_ended(why: &dyn Display) {
    info!("the watch of etcd begins anew: {why}");
}

/// etcd has answered with an older state than before.
pub(super) fn older_state() {
    warn!("etcd has answered with an older state than before, which is not used");
}

/// A publisher has its name in the whole cluster.
pub(super) fn granted(session: &Session, epoch: i64) {
    info!(conn = session.id, "cluster: '{}' claimed, epoch {epoch}", Shown::new(&session.key.name));
}

/// Another server has the name of a new publisher.
pub(super) fn taken(session: &Session, owner: &str) {
    media_log::refused(
        session,
        &format_args!("server \"{}\" of the cluster publishes it", Shown::new(owner.as_bytes())),
    );
}

/// Another server has the name of a running publisher.
pub(super) fn name_lost(session: &Session, owner: &str) {
    warn!(
        conn = session.id,
        "publisher of '{}' is closed, server \"{}\" of the cluster has its name",
        Shown::new(&session.key.name),
        Shown::new(owner.as_bytes())
    );
}

/// A publisher is refused, because etcd cannot be reached.
pub(super) fn refused_without_registry(session: &Session) {
    media_log::refused(session, &"etcd cannot be reached");
}

/// A relay asks for a claim of a name that this server does not have.
pub(super) fn stale_epoch(session: &Session, epoch: i64) {
    media_log::refused(session, &format_args!("epoch {epoch} is not this server's"));
}
