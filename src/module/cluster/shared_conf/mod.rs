//! Configuration of a group of servers in etcd: `pingosd cluster apply` writes it, and each server of the group takes it.
//!
//! ```text
//! /pingosd-conf/CLUSTER/GROUP/offered/current    the group's configuration
//! /pingosd-conf/CLUSTER/GROUP/offered/trial      one that some servers try (--canary), on the lease of the command
//! /pingosd-conf/CLUSTER/GROUP/previous           the one before the current one
//! /pingosd-conf/CLUSTER/GROUP/nodes/NODE         answer of a server, on its lease
//! ```
//!
//! The keys do not begin as those of the map do, so that servers do not read all configurations with the streams, and so that
//! etcd's roles may differ: a server writes only below `nodes/`.
//!
//! A configuration that a server takes is applied as by a reload, and kept as a file ([`crate::config::group_copy`]).

pub mod command;
pub mod conf;
mod follow;
mod log;
mod offer;
mod store;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Notify;

pub(super) use self::follow::follow;
use self::offer::ServerAnswer;

/// Applies a group's configuration to the running server.
pub trait ConfApplier: Send + Sync {
    /// Applies the file of a group as a reload does, and keeps it on disk. On an error nothing changes.
    fn apply(
        &self,
        group: String,
        file: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<(), NotApplied>> + Send + '_>>;

    /// The file of a group that is in force, if there is one.
    fn in_force(&self, group: &str) -> Option<Bytes>;
}

/// Reason why a configuration was not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotApplied {
    /// The server refuses it: the reasons, one per line.
    Refused(String),
    /// The server is busy, or ends.
    Later,
}

/// The group's configuration as this server has it.
#[derive(Default)]
pub struct SharedConf {
    applier: OnceLock<Arc<dyn ConfApplier>>,
    /// Group, and what was answered last.
    state: Mutex<Option<(String, ServerAnswer)>>,
    /// There is another lease.
    leased: Notify,
}

impl SharedConf {
    /// Gives configurations to `applier` from now on.
    pub fn serve(&self, applier: Arc<dyn ConfApplier>) {
        // There is one in a process.
        let _ = self.applier.set(applier);
    }

    /// The server has another lease, on which its answer belongs.
    pub(super) fn leased(&self) {
        self.leased.notify_one();
    }

    /// Adds a line, and a field in JSON, about the group if the server is in one.
    pub(super) fn shown(&self, mut text: String, mut value: Value) -> (String, Value) {
        if let Some((group, answer)) = &*self.state.lock() {
            text.push_str(&format!("configuration of group {group}: {answer}\n"));
            let mut about = serde_json::to_value(answer).unwrap_or_default();
            about["group"] = group.as_str().into();
            value["configuration"] = about;
        }
        (text, value)
    }
}
