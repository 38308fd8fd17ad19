//! Log lines about the configuration of a group.

use std::fmt::Display;

use tracing::{error, info, warn};

use super::offer::first;

/// A configuration is in force.
pub(super) fn applied(group: &str, revision: i64, hash: &str) {
    info!(target: "notice", "configuration of group \"{group}\" applied, revision {revision}, {}", first(hash));
}

/// A configuration was refused; the reasons are in the log.
pub(super) fn refused(group: &str, revision: i64, why: &dyn Display) {
    error!("configuration of group \"{group}\" refused, revision {revision}, the one before is kept: {why}");
}

/// The configuration on trial cannot be read.
pub(super) fn bad_trial(group: &str, revision: i64, why: &dyn Display) {
    error!("trial of a configuration of group \"{group}\" ignored, revision {revision}: {why}");
}

/// The configuration was changed at this server.
pub(super) fn changed(group: &str, revision: i64) {
    warn!(
        "the configuration of group \"{group}\" in force is not revision {revision}: it was rolled back or changed \
         at this server, and is kept until the group has another one"
    );
}

/// The server does not take the configuration of the group any more.
pub(super) fn left(group: &str) {
    warn!("cluster_conf has changed: the configuration of group \"{group}\" is not taken any more");
}

/// etcd has no answer; what is in force stays.
pub(super) fn interrupted(group: &str, why: &dyn Display) {
    info!("the configuration of group \"{group}\" is read again: {why}");
}
