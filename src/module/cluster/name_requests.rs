//! Requests to etcd about names: one task for each name that has something to ask.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::claims::{Cluster, EtcdStatus, advertised};
use super::conf::ClusterConf;
use super::entry::{self, StreamEntry};
use super::etcd::{Etcd, EtcdError, KeyValue, Outcome};
use super::tenure::{EtcdAnswer, Holder, KeyState, Lease, Revision, Step};
use crate::hub::stream_key::StreamKey;
use crate::limits;
use crate::task::clock::since_1970;

/// A request with what it needs.
struct NameRequest {
    step: Step,
    session: Option<u64>,
    lease: Lease,
    etcd: Arc<Etcd>,
    conf: Arc<ClusterConf>,
    since: u64,
}

impl Cluster {
    /// Starts a task for a name if it has something to ask.
    pub(super) fn tend(self: &Arc<Self>, key: &StreamKey) {
        {
            let link = self.link.lock();
            if link.lease.is_none() || link.standing != EtcdStatus::Up {
                return;
            }
        }
        let mut names = self.names.lock();
        let Some(name) = names.get_mut(key) else { return };
        if name.is_busy {
            return;
        }
        if !name.tenure.has_work() {
            if name.tenure.is_over() && name.session.is_none() {
                names.remove(key);
            }
            return;
        }
        name.is_busy = true;
        let (cluster, key) = (self.clone(), key.clone());
        let unfinished = self.lifetime.unfinished.token();
        self.runtime.spawn(async move {
            let _unfinished = unfinished;
            cluster.work(&key).await;
        });
    }

    /// Sends requests about a name as long as there are any.
    async fn work(self: &Arc<Self>, key: &StreamKey) {
        while let Some(request) = self.next(key) {
            let Err(error) = self.ask(key, &request).await.map(|answer| self.take(key, &request, &answer))
            else {
                continue;
            };
            match self.names.lock().get_mut(key) {
                Some(name) => name.tenure.failed(request.step),
                None => return,
            }
            self.totals.failed(&error);
            if error.is_lease_gone() {
                self.doubt.notify_one();
            }
            if self.lifetime.shutdown.is_cancelled() {
                // Its key ends with the lease.
                self.names.lock().remove(key);
                return;
            }
            tokio::time::sleep(limits::CLUSTER_RETRY).await;
        }
    }

    /// Takes the answer to a request about a name.
    fn take(&self, key: &StreamKey, request: &NameRequest, (answer, owner): &(EtcdAnswer, String)) {
        let mut names = self.names.lock();
        let Some(name) = names.get_mut(key) else { return };
        let aged = match (answer, name.takeover) {
            (EtcdAnswer::Found(Some(found)), Some(time)) => self.is_older(key, found.revision, time),
            _ => false,
        };
        let current = self.link.lock().lease;
        let verdict = name.tenure.answered(answer, (request.session, request.lease), current, aged);
        if let EtcdAnswer::Put(revision) = answer {
            self.wrote(*revision);
            if std::mem::take(&mut name.takes_over) == request.step.replaces()
                && request.step.replaces().is_some()
            {
                self.totals.taken_over.fetch_add(1, Ordering::Relaxed);
            }
        }
        if aged
            && let EtcdAnswer::Found(Some(found)) = answer
            && found.holder == Holder::Other
        {
            name.takes_over = Some(found.revision);
        }
        self.tell(name, verdict, owner);
    }

    /// The next request about a name; without one, the task is at its end.
    fn next(&self, key: &StreamKey) -> Option<NameRequest> {
        let (etcd, conf, lease, is_up) = {
            let link = self.link.lock();
            (link.etcd.clone(), link.conf.clone(), link.lease, link.standing == EtcdStatus::Up)
        };
        let mut names = self.names.lock();
        let name = names.get_mut(key)?;
        if let (Some(etcd), Some(conf), Some(lease), true) = (etcd, conf, lease, is_up) {
            let session = name.tenure.wanted();
            if let Some(step) = name.tenure.begin() {
                let age = name.session.as_ref().map_or(Duration::ZERO, |session| session.started.elapsed());
                let since = since_1970().saturating_sub(age).as_secs();
                return Some(NameRequest { step, session, lease, etcd, conf, since });
            }
        }
        name.is_busy = false;
        if name.tenure.is_over() && name.session.is_none() {
            names.remove(key);
        }
        None
    }

    async fn ask(&self, key: &StreamKey, request: &NameRequest) -> Result<(EtcdAnswer, String), EtcdError> {
        let path = entry::stream_key(&request.conf.name, key);
        let put = |revision| {
            let entry = StreamEntry {
                node: request.conf.node.0.clone(),
                run: self.run.clone(),
                session: request.session.unwrap_or_default(),
                since: request.since,
                advertise: advertised(&request.conf),
            };
            let value = serde_json::to_vec(&entry).expect("numbers and texts can be written");
            let path = path.clone();
            async move { request.etcd.put_if(&path, revision, &value, request.lease).await }
        };
        let outcome = match request.step {
            Step::Create => put(0).await?,
            Step::Replace(revision) => put(revision).await?,
            Step::Read => Outcome::Found(request.etcd.read(&path).await?),
            Step::Delete(revision) => {
                request.etcd.delete_if(&path, revision).await?;
                return Ok((EtcdAnswer::Deleted, String::new()));
            }
        };
        Ok(match outcome {
            Outcome::Done(revision) => (EtcdAnswer::Put(revision), String::new()),
            Outcome::Found(None) => (EtcdAnswer::Found(None), String::new()),
            Outcome::Found(Some(found)) => {
                let (state, owner) = self.state(&found);
                (EtcdAnswer::Found(Some(state)), owner)
            }
        })
    }

    /// This server has written a key at this revision.
    pub(super) fn wrote(&self, revision: Revision) {
        self.lag.wrote(revision, self.map.read().revision());
    }

    fn state(&self, found: &KeyValue) -> (KeyState, String) {
        let entry: Option<StreamEntry> = serde_json::from_slice(&found.value).ok();
        let holder = entry.as_ref().map_or(Holder::Other, |entry| self.holder(entry));
        let owner = entry.map(|entry| entry.node).unwrap_or_default();
        (KeyState { holder, lease: found.lease, revision: found.revision }, owner)
    }
}
