//! The task that takes the configuration of this server's group.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use super::super::claims::Cluster;
use super::super::conf::ClusterConf;
use super::super::etcd::{Etcd, EtcdError, RETRY};
use super::conf::Current;
use super::offer::{BadOffer, Keys, Offer, Outcome, ServerAnswer};
use super::store::{Offered, Write, transact};
use super::{ConfApplier, NotApplied, log};
use crate::config::group_copy::{GroupText, hash_of};
use crate::limits;
use crate::log::shown::printable;
use crate::task::backoff::Backoff;

/// Takes the configuration of the group that `cluster_conf` names, as long as it names one.
pub(in super::super) async fn follow(cluster: &Arc<Cluster>, conf: &ClusterConf, etcd: &Etcd) -> Infallible {
    let Some(applier) = cluster.shared.applier.get().cloned() else { return std::future::pending().await };
    let mut changed = cluster.store.watch();
    loop {
        changed.mark_unchanged();
        let Some(group) = group_of(cluster) else {
            *cluster.shared.state.lock() = None;
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            continue;
        };
        let leaves = async {
            while group_of(cluster).as_ref() == Some(&group) {
                if changed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let mut follower = Follower {
            cluster,
            etcd,
            node: &conf.node.0,
            keys: Keys::new(&conf.name, &group),
            applier: applier.clone(),
            offer: None,
            answer: ServerAnswer::default(),
            written: None,
        };
        follower.begin();
        tokio::select! {
            never = follower.run() => match never {},
            () = leaves => {}
            // After an upgrade the new process answers.
            () = cluster.lifetime.draining.cancelled() => std::future::pending().await,
        }
        log::left(&group);
        let key = follower.keys.node(&conf.node.0);
        // Otherwise it ends with the lease.
        let forgotten = async { transact(etcd, &[], &[Write::Delete(&key)]).await };
        let _ = tokio::time::timeout(limits::CLUSTER_REQUEST, forgotten).await;
    }
}

fn group_of(cluster: &Cluster) -> Option<String> {
    cluster.store.load().get::<Current>().cluster_conf.as_ref().map(|group| group.0.clone())
}

/// A server that follows a group.
struct Follower<'a> {
    cluster: &'a Arc<Cluster>,
    etcd: &'a Etcd,
    node: &'a str,
    keys: Keys,
    applier: Arc<dyn ConfApplier>,
    /// What the group offers this server.
    offer: Option<Offer>,
    /// What this server says of it.
    answer: ServerAnswer,
    /// What it has said.
    written: Option<ServerAnswer>,
}

impl Follower<'_> {
    /// The kept configuration is in force until etcd is reached.
    fn begin(&mut self) {
        let kept = self.in_force();
        if let Some(kept) = &kept {
            let (revision, hash) = (kept.revision, hash_of(&kept.text));
            self.answer = ServerAnswer { revision, hash, outcome: Outcome::Kept, ..ServerAnswer::default() };
        }
        self.show();
    }

    fn in_force(&self) -> Option<GroupText> {
        self.applier.in_force(&self.keys.group).map(|file| GroupText::parse(&file))
    }

    /// Completes the answer, and shows it.
    fn show(&mut self) {
        self.answer.in_force = self.in_force().map(|kept| hash_of(&kept.text)).unwrap_or_default();
        self.answer.generation = self.cluster.store.generation();
        *self.cluster.shared.state.lock() = Some((self.keys.group.clone(), self.answer.clone()));
    }

    async fn run(&mut self) -> Infallible {
        let mut backoff = Backoff::default();
        loop {
            let error = match self.run_once(&mut backoff).await {
                Ok(never) => match never {},
                Err(error) => error,
            };
            log::interrupted(&self.keys.group, &error);
            tokio::time::sleep(backoff.next(RETRY.0, RETRY.1, crate::task::random())).await;
        }
    }

    async fn run_once(&mut self, backoff: &mut Backoff) -> Result<Infallible, EtcdError> {
        // A server whose name another one has does not join, and takes nothing.
        while self.cluster.link.lock().lease.is_none() {
            self.cluster.shared.leased.notified().await;
        }
        let mut generation = self.cluster.store.watch();
        let offered = Offered::read(self.etcd, &self.keys).await?;
        let mut watch = self.etcd.watch(&self.keys.offered(), offered.revision.saturating_add(1)).await?;
        let mut is_settled = self.take(&offered).await;
        generation.mark_unchanged();
        self.tell().await?;
        backoff.reset();
        loop {
            tokio::select! {
                changes = watch.next() => {
                    changes?;
                    let offered = Offered::read(self.etcd, &self.keys).await?;
                    is_settled = self.take(&offered).await;
                    generation.mark_unchanged();
                }
                () = self.cluster.shared.leased.notified() => self.written = None,
                _ = generation.changed() => {
                    generation.mark_unchanged();
                    is_settled = self.look_again().await;
                    generation.mark_unchanged();
                }
                () = tokio::time::sleep(PAUSE), if !is_settled => is_settled = self.apply().await,
            }
            self.tell().await?;
        }
    }

    /// Takes what is offered. Returns false if that must be tried again.
    async fn take(&mut self, offered: &Offered) -> bool {
        let parsed = |pair| Offer::parse(&self.keys, pair).map_err(|why| (why, pair.revision));
        let tried = |pair| Offer::parse_trial(&self.keys, pair).map_err(|why| (why, pair.revision));
        let trial = match offered.trial.as_ref().map(tried) {
            Some(Ok(offer)) => Some(offer).filter(|offer| offer.nodes.iter().any(|node| node == self.node)),
            Some(Err((why, revision))) => {
                log::bad_trial(&self.keys.group, revision, &why);
                None
            }
            None => None,
        };
        match trial.map(Ok).or_else(|| offered.current.as_ref().map(parsed)) {
            None => {
                self.offer = None;
                self.answer = ServerAnswer::default();
                true
            }
            Some(Err((why, revision))) => {
                self.bad(&why, revision);
                true
            }
            Some(Ok(offer)) if self.offer.as_ref() == Some(&offer) => true,
            Some(Ok(offer)) => {
                self.offer = Some(offer);
                self.apply().await
            }
        }
    }

    fn bad(&mut self, why: &BadOffer, revision: i64) {
        if self.answer.revision != revision {
            log::refused(&self.keys.group, revision, why);
        }
        self.offer = None;
        let reasons = why.to_string();
        self.answer =
            ServerAnswer { revision, outcome: Outcome::Refused, reasons, ..ServerAnswer::default() };
    }

    /// Applies what is offered, unless it is in force. Returns false if that must be tried again.
    async fn apply(&mut self) -> bool {
        let Some(offer) = &self.offer else { return true };
        let (revision, hash) = (offer.revision, offer.hash.clone());
        let is_in_force = self.in_force().is_some_and(|kept| hash_of(&kept.text) == hash);
        let applied = match is_in_force {
            true => Ok(()),
            false => {
                let file = GroupText::file(&self.keys.group, revision, &offer.text);
                self.applier.apply(self.keys.group.clone(), file).await
            }
        };
        let (outcome, reasons) = match applied {
            Ok(()) => {
                if self.answer.outcome != Outcome::Applied || self.answer.hash != hash {
                    log::applied(&self.keys.group, revision, &hash);
                }
                (Outcome::Applied, String::new())
            }
            Err(NotApplied::Refused(reasons)) => {
                let reasons = reasons.lines().collect::<Vec<_>>().join("; ");
                let reasons = printable(&reasons, limits::CLUSTER_CONF_REASONS);
                log::refused(&self.keys.group, revision, &reasons);
                (Outcome::Refused, reasons)
            }
            Err(NotApplied::Later) => return false,
        };
        self.answer = ServerAnswer { revision, hash, outcome, reasons, ..ServerAnswer::default() };
        true
    }

    /// The configuration of this server has changed by other means.
    async fn look_again(&mut self) -> bool {
        let Some(offer) = &self.offer else { return true };
        let is_in_force = self.in_force().is_some_and(|kept| hash_of(&kept.text) == offer.hash);
        match (is_in_force, self.answer.outcome) {
            (true, Outcome::Applied) | (false, Outcome::Changed) => true,
            (false, Outcome::Applied) => {
                log::changed(&self.keys.group, offer.revision);
                self.answer.outcome = Outcome::Changed;
                true
            }
            // What was missing may be there now.
            _ => self.apply().await,
        }
    }

    /// Writes the answer, if it has changed.
    async fn tell(&mut self) -> Result<(), EtcdError> {
        self.show();
        let Some(lease) = self.cluster.link.lock().lease else { return Ok(()) };
        if self.written.as_ref() == Some(&self.answer) {
            return Ok(());
        }
        let value = serde_json::to_vec(&self.answer).expect("numbers and texts can be written");
        transact(self.etcd, &[], &[Write::Put(&self.keys.node(self.node), &value, lease)]).await?;
        self.written = Some(self.answer.clone());
        Ok(())
    }
}

/// Time until a configuration is tried again while the server was busy.
const PAUSE: Duration = Duration::from_secs(1);
