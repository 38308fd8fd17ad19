//! Configurations of a group of the cluster, for the task that reloads.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::control::order::QueuedRequest;
use super::control::protocol::{ControlAnswer, Request};
use super::{log, process};
use crate::config::store::Store;
use crate::config::{Config, LoadOptions};
use crate::module::cluster::shared_conf::conf::Current;
use crate::module::cluster::shared_conf::{ConfApplier, NotApplied};
use crate::task::lifetime::Lifetime;

/// Gives configurations of a group to the task that reloads.
pub(super) struct GroupOrders {
    pub(super) load: LoadOptions,
    pub(super) store: Arc<Store>,
    pub(super) lifetime: Lifetime,
    pub(super) orders: mpsc::Sender<QueuedRequest>,
}

impl ConfApplier for GroupOrders {
    fn apply(
        &self,
        group: String,
        file: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<(), NotApplied>> + Send + '_>> {
        Box::pin(async move {
            let Lifetime { draining, shutdown, .. } = &self.lifetime;
            if draining.is_cancelled() || shutdown.is_cancelled() {
                return Err(NotApplied::Later);
            }
            let Some(copy) = self.load.group_copy(group.as_bytes()) else {
                return Err(NotApplied::Refused("the server has no configuration file of its own".into()));
            };
            let (reply, answer) = oneshot::channel();
            let request = Request::GroupConf { copy, file };
            self.orders.send(QueuedRequest { request, reply }).await.map_err(|_| NotApplied::Later)?;
            let answer = tokio::select! {
                answer = answer => answer.map_err(|_| NotApplied::Later)?,
                () = draining.cancelled() => return Err(NotApplied::Later),
                () = shutdown.cancelled() => return Err(NotApplied::Later),
            };
            match answer {
                ControlAnswer::Done { .. } => Ok(()),
                ControlAnswer::Refused { text } => Err(NotApplied::Refused(text)),
                _ => Err(NotApplied::Later),
            }
        })
    }

    fn in_force(&self, group: &str) -> Option<Bytes> {
        let path = self.load.group_copy(group.as_bytes())?.path;
        let config = self.store.load();
        let file = config.sources.file(config.sources.find(&path)?)?;
        Some(file.bytes.clone())
    }
}

/// Creates the directory of the group's configuration. Must be called before privileges are dropped, with the log open.
pub(super) fn prepare(config: &Config, load: &LoadOptions) {
    let Some(group) = &config.get::<Current>().cluster_conf else { return };
    let Some(copy) = load.group_copy(group.0.as_bytes()) else { return };
    if let Err(error) = copy.prepare(process::becomes(config)) {
        log::group_conf_not_kept(&error);
    }
}
