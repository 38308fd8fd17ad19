//! Names that this server's publishers want and have in the cluster; `name_requests.rs` asks etcd for them.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bstr::ByteSlice;
use data_encoding::HEXLOWER;
use parking_lot::{Mutex, RwLock};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};

use super::app_conf::Current;
use super::carried::Carried;
use super::conf::ClusterConf;
use super::entry::{AddressEntry, StreamEntry};
use super::etcd::Etcd;
use super::log;
use super::map::{ChangedStream, ClusterMap};
use super::setting::RegistryDown;
use super::shared_conf::SharedConf;
use super::tenure::{ClaimVerdict, Holder, KeyState, Lease, Revision, Tenure};
use super::totals::{Totals, WatchLag};
use crate::config::store::Store;
use crate::hub::stream_key::StreamKey;
use crate::limits;
use crate::media::extension::{AdmissionRule, OnStream, Running, StreamNames};
use crate::media::session::{Reason, Role, Session};
use crate::media::variables::query_argument;
use crate::media::view::AppView;
use crate::net::connections::Connections;
use crate::task::lifetime::Lifetime;

/// This server's part in a cluster.
pub struct Cluster {
    pub(super) store: Arc<Store>,
    pub(super) connections: Arc<Connections>,
    pub(super) lifetime: Lifetime,
    /// Configuration of this server's group.
    pub shared: SharedConf,
    pub(super) runtime: Handle,
    /// Identifies this process.
    pub(super) run: String,
    pub(super) names: Mutex<HashMap<StreamKey, ClaimedName>>,
    /// All admitted publishers, also of applications without `cluster_publish`: a reload may switch that on.
    publishers: Mutex<HashMap<u64, Candidate>>,
    pub(super) link: Mutex<EtcdLink>,
    pub(super) map: RwLock<ClusterMap>,
    /// Number of changes of the map.
    pub(super) changes: watch::Sender<u64>,
    /// Asks the engine to look after the lease at once.
    pub(super) doubt: Notify,
    pub(super) totals: Totals,
    pub(super) lag: WatchLag,
    /// What it pulls and offers to others.
    pub(super) carried: Carried,
}

/// Connection to etcd.
#[derive(Default)]
pub(super) struct EtcdLink {
    pub(super) conf: Option<Arc<ClusterConf>>,
    pub(super) etcd: Option<Arc<Etcd>>,
    pub(super) lease: Option<Lease>,
    pub(super) standing: EtcdStatus,
}

/// Whether etcd is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum EtcdStatus {
    /// There is no `cluster` block.
    #[default]
    Alone,
    /// Not known yet.
    Connecting,
    /// It is.
    Up,
    /// It is not.
    Down,
}

impl EtcdStatus {
    /// The word for it in what is shown.
    pub(super) fn word(self) -> &'static str {
        match self {
            EtcdStatus::Alone => "none",
            EtcdStatus::Connecting => "connecting",
            EtcdStatus::Up => "up",
            EtcdStatus::Down => "down",
        }
    }
}

/// A name that a publisher here wants or has.
#[derive(Default)]
pub(super) struct ClaimedName {
    pub(super) tenure: Tenure,
    pub(super) session: Option<Arc<Session>>,
    pub(super) waiter: Option<oneshot::Sender<bool>>,
    pub(super) takeover: Option<Duration>,
    /// Claim of another server that is being taken over.
    pub(super) takes_over: Option<Revision>,
    /// Whether a task is at work.
    pub(super) is_busy: bool,
}

/// An admitted publisher.
#[derive(Clone)]
struct Candidate {
    session: Arc<Session>,
    view: AppView,
}

/// A publisher's use of its name; ends when dropped.
struct NameUse {
    cluster: Arc<Cluster>,
    key: StreamKey,
    session: u64,
}

impl Drop for NameUse {
    fn drop(&mut self) {
        {
            let mut publishers = self.cluster.publishers.lock();
            // The connection may publish another stream already.
            if publishers.get(&self.session).is_some_and(|publisher| publisher.session.key == self.key) {
                publishers.remove(&self.session);
            }
        }
        {
            let mut names = self.cluster.names.lock();
            let Some(name) = names.get_mut(&self.key) else { return };
            name.tenure.release(self.session);
            if name.session.as_ref().is_some_and(|session| session.id == self.session) {
                name.session = None;
                name.waiter = None;
            }
        }
        self.cluster.tend(&self.key);
    }
}

impl StreamNames for Cluster {
    fn claim(
        self: Arc<Self>,
        publisher: OnStream<'_>,
    ) -> Pin<Box<dyn Future<Output = Option<Running>> + Send>> {
        let (session, view) = (publisher.session.clone(), publisher.view.clone());
        // From here on a reload finds it: what is read below is the configuration before or after.
        self.publishers.lock().insert(session.id, Candidate { session: session.clone(), view: view.clone() });
        let using = NameUse { cluster: self.clone(), key: session.key.clone(), session: session.id };
        Box::pin(async move {
            let joined = self.link.lock().conf.clone();
            let (told, answer) = oneshot::channel();
            let Some(joined) = joined.filter(|_| self.want(&session, &view, Some(told))) else {
                return Some(Box::new(using) as Running);
            };
            let key = session.key.clone();
            self.tend(&key);
            let is_down = self.link.lock().standing == EtcdStatus::Down;
            let patience = if is_down { Duration::ZERO } else { limits::CLUSTER_PATIENCE };
            match tokio::time::timeout(patience, answer).await {
                Ok(Ok(true)) => return Some(Box::new(using) as Running),
                Ok(Ok(false)) => return None,
                // Without an answer of etcd.
                Ok(Err(_)) | Err(_) => {}
            }
            // The answer may have come at the last moment.
            let is_granted = session.epoch.load(Ordering::Acquire) > 0;
            if let Some(name) = self.names.lock().get_mut(&key) {
                name.waiter = None;
            }
            if is_granted || joined.registry_down == RegistryDown::Accept {
                return Some(Box::new(using) as Running);
            }
            log::refused_without_registry(&session);
            self.totals.refused.fetch_add(1, Ordering::Relaxed);
            None
        })
    }
}

impl AdmissionRule for Cluster {
    /// A relay of another server asks for the claim that it knows: a server that has lost the name has nothing to give.
    fn refuses(&self, session: &Session) -> bool {
        if session.role != Role::Player || !session.identity.trail.claims_relay() {
            return false;
        }
        let asked = query_argument(&session.identity.pargs, b"epoch").to_str().ok();
        let Some(asked) = asked.and_then(|asked| asked.parse::<i64>().ok()) else { return false };
        if self.link.lock().conf.is_none() {
            return false;
        }
        let held = self
            .names
            .lock()
            .get(&session.key)
            .and_then(|name| name.session.as_ref().map(|session| session.epoch.load(Ordering::Acquire)));
        let held = held.max(self.carried.epoch(&session.key));
        let is_stale = held.is_none_or(|held| i64::try_from(held).unwrap_or(i64::MAX) < asked);
        if is_stale {
            log::stale_epoch(session, asked);
        }
        is_stale
    }
}

impl Cluster {
    /// A server that is in no cluster yet. Requests to etcd run on `runtime`.
    pub fn new(
        store: Arc<Store>,
        connections: Arc<Connections>,
        lifetime: Lifetime,
        runtime: Handle,
        run: [u8; 32],
    ) -> Cluster {
        Cluster {
            store,
            connections,
            lifetime,
            shared: SharedConf::default(),
            runtime,
            run: HEXLOWER.encode(&run[..8]),
            names: Mutex::default(),
            publishers: Mutex::default(),
            link: Mutex::default(),
            map: RwLock::default(),
            changes: watch::Sender::new(0),
            doubt: Notify::new(),
            totals: Totals::default(),
            lag: WatchLag::default(),
            carried: Carried::default(),
        }
    }

    /// Wants the name of a publisher if its application claims names. Returns whether it does.
    fn want(&self, session: &Arc<Session>, view: &AppView, waiter: Option<oneshot::Sender<bool>>) -> bool {
        let application = view.current();
        let conf: &Current = application.get();
        if !conf.publish {
            return false;
        }
        let mut names = self.names.lock();
        let name = names.entry(session.key.clone()).or_default();
        name.tenure.want(session.id);
        (name.session, name.waiter, name.takeover) = (Some(session.clone()), waiter, conf.takeover.0);
        true
    }

    /// The configuration has changed: publishers whose applications claim names from now on get theirs, and those of
    /// applications that no longer do give them up.
    pub(super) fn reloaded(self: &Arc<Self>) {
        self.carried.look_again();
        if self.link.lock().conf.is_none() {
            return;
        }
        let candidates: Vec<Candidate> = self.publishers.lock().values().cloned().collect();
        for Candidate { session, view } in candidates {
            let claims = view.current().get::<Current>().publish;
            let wanted = self.names.lock().get(&session.key).and_then(|name| name.tenure.wanted());
            match (claims, wanted == Some(session.id)) {
                (true, false) => {
                    self.want(&session, &view, None);
                }
                (false, true) => self.give_up(&session),
                (true, true) | (false, false) => continue,
            }
            self.tend(&session.key);
        }
    }

    /// A publisher goes on without its name.
    fn give_up(&self, session: &Session) {
        if let Some(name) = self.names.lock().get_mut(&session.key) {
            name.tenure.release(session.id);
            (name.session, name.waiter) = (None, None);
        }
        session.epoch.store(0, Ordering::Release);
    }

    /// Number of names that this server has.
    pub(super) fn held(&self) -> u64 {
        self.names.lock().values().filter(|name| name.tenure.held().is_some()).count() as u64
    }

    /// The server has this lease.
    pub(super) fn leased(self: &Arc<Self>, lease: Lease) {
        {
            let mut link = self.link.lock();
            (link.lease, link.standing) = (Some(lease), EtcdStatus::Up);
        }
        self.shared.leased();
        self.carried.look_again();
        self.names.lock().values_mut().for_each(|name| name.tenure.leased(lease));
        self.tend_all();
    }

    /// Goes on with all requests that could not be sent.
    pub(super) fn tend_all(self: &Arc<Self>) {
        let keys: Vec<StreamKey> =
            self.names.lock().iter().filter(|(_, name)| !name.is_busy).map(|(key, _)| key.clone()).collect();
        keys.iter().for_each(|key| self.tend(key));
    }

    /// The names in the map that have changed.
    pub(super) fn changed(self: &Arc<Self>, changed: &[ChangedStream]) {
        let lease = self.link.lock().lease;
        for (key, revision) in changed {
            let (found, owner) = match self.map.read().streams.get(key) {
                Some(known) => {
                    let state = KeyState {
                        holder: self.holder(&known.entry),
                        lease: known.lease,
                        revision: known.epoch,
                    };
                    (Some(state), known.entry.node.clone())
                }
                None => (None, String::new()),
            };
            let is_ours = found.as_ref().is_some_and(|found| matches!(found.holder, Holder::Session(_)));
            {
                let mut names = self.names.lock();
                if !is_ours && !names.contains_key(key) {
                    continue;
                }
                let name = names.entry(key.clone()).or_default();
                let verdict = name.tenure.watched(found.as_ref(), *revision, lease);
                self.tell(name, verdict, &owner);
            }
            self.tend(key);
        }
        if !changed.is_empty() {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    pub(super) fn holder(&self, entry: &StreamEntry) -> Holder {
        let link = self.link.lock();
        match &link.conf {
            Some(conf) if conf.node.0 == entry.node && entry.run == self.run => {
                Holder::Session(entry.session)
            }
            Some(conf) if conf.node.0 == entry.node => Holder::Sibling,
            _ => Holder::Other,
        }
    }

    /// Carries a verdict out.
    pub(super) fn tell(&self, name: &mut ClaimedName, verdict: Option<ClaimVerdict>, owner: &str) {
        let Some(session) = name.session.clone() else { return };
        match verdict {
            None => {}
            Some(ClaimVerdict::Granted(epoch)) => {
                session.epoch.store(epoch.unsigned_abs(), Ordering::Release);
                self.totals.granted.fetch_add(1, Ordering::Relaxed);
                log::granted(&session, epoch);
                if let Some(waiter) = name.waiter.take() {
                    let _ = waiter.send(true);
                }
            }
            Some(ClaimVerdict::Lost) => {
                name.session = None;
                // A reload in this moment must not want the name again.
                self.publishers.lock().remove(&session.id);
                match name.waiter.take() {
                    Some(waiter) => {
                        log::taken(&session, owner);
                        self.totals.refused.fetch_add(1, Ordering::Relaxed);
                        let _ = waiter.send(false);
                    }
                    None => {
                        log::name_lost(&session, owner);
                        self.totals.lost.fetch_add(1, Ordering::Relaxed);
                        session.close(Reason::NameLost);
                    }
                }
            }
        }
    }

    /// Whether another server has had the name by this claim for this long, as far as this one has seen.
    pub(super) fn is_older(&self, key: &StreamKey, claim: Revision, time: Duration) -> bool {
        let map = self.map.read();
        map.streams.get(key).is_some_and(|known| known.epoch == claim && known.seen.elapsed() >= time)
    }
}

/// Addresses of this server.
pub(super) fn advertised(conf: &ClusterConf) -> Vec<AddressEntry> {
    let line = |line: &super::setting::Advertised| AddressEntry {
        addresses: line.addresses.clone(),
        zone: line.zone.clone(),
    };
    conf.advertise.iter().map(line).collect()
}
