//! Groups of servers, their state, and the choice of a peer for a request.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::affinity::{Affinity, AtEnd, Bond};
use super::peers::{Now, Peer, PeerAddr, PeerList, Server, ServerPlace, Tried};
use super::server_name::{FoundPlace, NameAddresses, Question, ServerName, is_rotated};
use super::times::Measured;
use crate::directive::Msec;
use crate::http::exchange::Exchange;
use crate::limits;
use crate::net::dns::{Dns, LookupError};
use crate::net::resolver::server::Resolver;
use crate::syntax::Span;
use crate::task::clock::unix_ms;

/// A balancing method other than round robin.
pub trait BalancingMethod: fmt::Debug + Send + Sync {
    /// Begins the choice for a request.
    fn begin(&self, exchange: &Exchange<'_>) -> Box<dyn Picker>;

    /// What it needs to know of the times that peers take.
    fn measured(&self) -> Option<Measured> {
        None
    }
}

/// The choice of peers for one request.
pub trait Picker: Send {
    /// Chooses the next peer.
    fn pick(&mut self, peers: &mut PeerList, tried: &Tried, now: Now) -> Pick;
}

/// Peer that a method has chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// This peer.
    Peer(usize),
    /// The round robin chooses.
    RoundRobin,
    /// There is none.
    None,
}

/// Idle connections of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleSettings {
    /// Maximum number per worker.
    pub connections: usize,
    /// Requests of a connection after which it is not kept.
    pub requests: u64,
    /// Time that an idle connection is kept.
    pub timeout: Duration,
    /// Age of a connection after which it is not kept.
    pub time: Duration,
    /// Whether locations do not share them.
    pub local: bool,
}

/// A group as configured.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name; of one that stands for a server, host and port as written.
    pub name: BString,
    /// Whether it is an `upstream { }`.
    pub is_named: bool,
    /// Its servers.
    pub servers: Vec<Arc<Server>>,
    /// `None` is round robin.
    pub method: Option<Arc<dyn BalancingMethod>>,
    /// Binding of clients to servers.
    pub affinity: Option<Arc<dyn Affinity>>,
    /// `None` keeps no connections.
    pub idle: Option<IdleSettings>,
    /// Name servers for its servers, and the time to wait for them.
    pub resolver: Option<(Resolver, Msec)>,
}

/// All groups of a configuration by their names in lower case.
#[derive(Clone, Debug, Default)]
pub struct Groups(pub FxHashMap<BString, Arc<Group>>);

/// Targets with a port of requests that are forwarded, while the configuration is read: their hosts must not be groups.
#[derive(Debug, Default)]
pub struct TargetsWithPort(pub Vec<TargetWithPort>);

/// A target with a port.
#[derive(Debug)]
pub struct TargetWithPort {
    /// The host as written.
    pub host: BString,
    /// The port.
    pub port: BString,
    /// Where it stands.
    pub span: Span,
    /// End of its statement.
    pub place: Span,
}

impl Groups {
    /// The group of this name.
    pub fn find(&self, name: &[u8]) -> Option<&Arc<Group>> {
        self.0.get(name.to_ascii_lowercase().as_bstr())
    }
}

impl Group {
    /// A group of one server.
    pub fn of_server(server: Server) -> Group {
        Group {
            name: server.address.clone(),
            is_named: false,
            servers: vec![Arc::new(server)],
            method: None,
            affinity: None,
            idle: None,
            resolver: None,
        }
    }

    fn is_same(&self, other: &Group) -> bool {
        let is_same_method = is_same(self.method.as_ref(), other.method.as_ref());
        let is_same_affinity = is_same(self.affinity.as_ref(), other.affinity.as_ref());
        let is_same_idle = self.idle == other.idle && self.resolver == other.resolver;
        self.servers == other.servers && is_same_idle && is_same_method && is_same_affinity
    }
}

fn is_same<T: ?Sized>(one: Option<&Arc<T>>, two: Option<&Arc<T>>) -> bool {
    match (one, two) {
        (None, None) => true,
        (Some(one), Some(two)) => Arc::ptr_eq(one, two),
        _ => false,
    }
}

/// A group in use.
#[derive(Debug)]
pub struct RunningGroup {
    /// Configuration from which it was made.
    pub conf: Arc<Group>,
    /// Distinguishes its idle connections from others.
    pub id: u64,
    /// The servers that are names.
    names: Vec<ServerName>,
    /// Whether a task asks for the names again.
    is_kept_fresh: AtomicBool,
    state: Mutex<GroupState>,
}

#[derive(Debug, Default)]
struct GroupState {
    /// Addresses of the servers that are names.
    found: HashMap<Question, Vec<FoundPlace>>,
    servers: PeerList,
    backups: PeerList,
    /// Addresses of the names as last resolved, in the order of the names.
    latest: Vec<Option<NameAddresses>>,
    /// Addresses of the lines that a reload has added.
    added: Vec<BString>,
    /// Until when name servers that were late are not waited for.
    late_until: Option<Instant>,
    /// When a request last needed the names.
    used: Option<Instant>,
}

impl GroupState {
    fn is_single(&self) -> bool {
        self.servers.states().len() == 1 && self.backups.states().is_empty()
    }

    fn is_empty(&self) -> bool {
        self.servers.states().is_empty() && self.backups.states().is_empty()
    }

    fn list(&mut self, is_backup: bool) -> &mut PeerList {
        if is_backup { &mut self.backups } else { &mut self.servers }
    }

    /// Makes the lists anew. `grown` are the addresses of names that had others before.
    fn rebuild(&mut self, group: &Group, grown: &[BString], now: Now) {
        let found = &self.found;
        let peers = |backup: bool| {
            let of_server = |server: &Arc<Server>| -> Vec<Peer> {
                let of = |addr| (server.backup == backup).then(|| Peer::new(addr, server.clone()));
                match &server.place {
                    ServerPlace::Unix(path) => Vec::from_iter(of(PeerAddr::Unix(path.clone()))),
                    ServerPlace::Address(addr) => Vec::from_iter(of(PeerAddr::Tcp(*addr))),
                    ServerPlace::Name(..) | ServerPlace::Service(_) => {
                        let places = Question::of(&server.place)
                            .and_then(|question| found.get(&question))
                            .into_iter()
                            .flatten();
                        places.filter_map(|place| place.peer(server, backup)).collect()
                    }
                }
            };
            group.servers.iter().flat_map(of_server).collect::<Vec<_>>().into_iter()
        };
        let (servers, backups) = (peers(false), peers(true));
        let is_added = |server: &Server| {
            let is_in = |addresses: &[BString]| addresses.contains(&server.address);
            is_in(&self.added) || is_in(grown)
        };
        let servers = PeerList::new(servers, &self.servers, is_added, now);
        let backups = PeerList::new(backups, &self.backups, is_added, now);
        (self.servers, self.backups) = (servers, backups);
    }
}

impl RunningGroup {
    /// Begins to use a group; `before` is the same group of the former configuration.
    pub fn new(conf: Arc<Group>, before: Option<&RunningGroup>) -> Arc<RunningGroup> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let mut state = match before {
            Some(before) => {
                let known = before.state.lock();
                let is_new = |server: &&Arc<Server>| {
                    before.conf.servers.iter().all(|old| old.address != server.address)
                };
                GroupState {
                    found: known.found.clone(),
                    servers: known.servers.clone(),
                    backups: known.backups.clone(),
                    latest: Vec::new(),
                    late_until: None,
                    used: None,
                    added: conf.servers.iter().filter(is_new).map(|server| server.address.clone()).collect(),
                }
            }
            None => GroupState::default(),
        };
        if let (Some(affinity), Some(known)) =
            (&conf.affinity, before.and_then(|before| before.conf.affinity.as_ref()))
        {
            affinity.take_over(&**known);
        }
        state.servers.forget_conns();
        state.backups.forget_conns();
        state.rebuild(&conf, &[], now());
        let id = NUMBER.fetch_add(1, Ordering::Relaxed);
        let names = conf.servers.iter().filter_map(|server| ServerName::of(server)).collect();
        let is_kept_fresh = AtomicBool::new(false);
        Arc::new(RunningGroup { conf, id, names, is_kept_fresh, state: Mutex::new(state) })
    }

    /// Looks up the servers that are names. Where there are peers, name servers that do not answer are not waited for.
    ///
    /// # Errors
    ///
    /// A name cannot be looked up, and the group has no peer.
    pub async fn look_up(self: &Arc<Self>, dns: &Dns) -> Result<(), LookupError> {
        if self.names.is_empty() {
            return Ok(());
        }
        let (is_empty, is_late) = {
            let mut state = self.state.lock();
            let now = Instant::now();
            state.used = Some(now);
            (state.is_empty(), state.late_until.is_some_and(|until| now < until))
        };
        // Without name servers of its own, the last answers are used anyway, and kept fresh for all.
        if self.conf.resolver.is_none() {
            return self.learn(dns).await;
        }
        self.keep_fresh(dns);
        if is_empty {
            return self.learn(dns).await;
        }
        let patience = if is_late { Duration::ZERO } else { limits::DNS_PATIENCE };
        tokio::time::timeout(patience, self.learn(dns)).await.unwrap_or_else(|_| {
            if !is_late {
                self.state.lock().late_until = Some(Instant::now() + limits::DNS_RETRY);
            }
            Ok(())
        })
    }

    /// Has answers that end asked for again while requests come, as in nginx, so that these need not wait.
    fn keep_fresh(self: &Arc<Self>, dns: &Dns) {
        if self.is_kept_fresh.swap(true, Ordering::Relaxed) {
            return;
        }
        let (group, dns) = (Arc::downgrade(self), dns.clone());
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(limits::UPSTREAM_REFRESH).await;
                let Some(group) = group.upgrade() else { return };
                let used = group.state.lock().used;
                if used.is_none_or(|used| used.elapsed() >= limits::DNS_IN_USE) {
                    group.is_kept_fresh.store(false, Ordering::Relaxed);
                    return;
                }
                // Requests tell of a failure.
                let _ = group.learn(&dns).await;
            }
        });
    }

    /// Asks for the servers that are names, and takes the answers.
    async fn learn(&self, dns: &Dns) -> Result<(), LookupError> {
        let (mut failure, mut found) = (None, Vec::with_capacity(self.names.len()));
        for name in &self.names {
            found.push(name.look_up(dns).await.unwrap_or_else(|error| {
                let is_gone = name.is_resolved && matches!(error, LookupError::NotFound(_));
                failure = Some(error);
                is_gone.then(NameAddresses::none)
            }));
        }
        let mut state = self.state.lock();
        // What is cached is the same piece of memory each time: most choices end here.
        let is_same = |(new, old): (&Option<NameAddresses>, &Option<NameAddresses>)| match (new, old) {
            (Some(new), Some(old)) => new.is_same(old),
            _ => false,
        };
        if found.len() == state.latest.len() && found.iter().zip(&state.latest).all(is_same) {
            return match failure {
                Some(error) if state.is_empty() => Err(error),
                _ => Ok(()),
            };
        }
        let (mut grown, mut is_changed) = (Vec::new(), false);
        for (name, addresses) in self.names.iter().zip(&found) {
            let Some(addresses) = addresses else { continue };
            let addrs = addresses.places();
            let known = state.found.get(&name.question);
            // Name servers rotate the addresses of a name.
            let is_same = known.is_some_and(|known| is_rotated(known, &addrs));
            if !is_same {
                is_changed = true;
                if known.is_some() {
                    grown.push(name.address.clone());
                }
                state.found.insert(name.question.clone(), addrs);
            }
        }
        state.latest = found;
        if is_changed {
            state.rebuild(&self.conf, &grown, now());
        }
        match failure {
            Some(error) if state.is_empty() => Err(error),
            _ => Ok(()),
        }
    }

    /// Begins the choice of peers for a request.
    pub fn choice(self: &Arc<Self>, exchange: &Exchange<'_>) -> Choice {
        let state = self.state.lock();
        let tries = state.servers.tries() + state.backups.tries();
        let picker = match &self.conf.method {
            // As in nginx, there is nothing to choose from one.
            Some(method) if !state.is_single() => Some(method.begin(exchange)),
            _ => None,
        };
        let bond = self.conf.affinity.as_ref().map(|affinity| affinity.begin(exchange));
        Choice {
            group: self.clone(),
            picker,
            bond,
            tried: Vec::new(),
            is_backup: false,
            tries,
            repeats: false,
            is_repeated: false,
        }
    }
}

fn now() -> Now {
    Now { millis: unix_ms() }
}

/// The choice of peers for one request.
pub struct Choice {
    group: Arc<RunningGroup>,
    picker: Option<Box<dyn Picker>>,
    bond: Option<Box<dyn Bond>>,
    tried: Vec<Arc<Peer>>,
    is_backup: bool,
    /// Peers that may still be tried.
    pub tries: usize,
    /// Whether peers are tried again once there is none left.
    repeats: bool,
    /// Whether they are, whatever has failed.
    is_repeated: bool,
}

impl Choice {
    /// The group.
    pub fn group(&self) -> &Arc<RunningGroup> {
        &self.group
    }

    /// Lets peers be tried again, so many times in all, once there is none left (`no_live`).
    pub fn repeat(&mut self, tries: usize) {
        (self.tries, self.repeats) = (tries, true);
    }

    /// The next peer; `None` if there is none that may be used.
    pub fn next_peer(&mut self) -> Option<PeerUse> {
        let found = self.untried_peer();
        if found.is_some() || !self.repeats {
            return found;
        }
        self.tried.clear();
        (self.is_backup, self.is_repeated) = (false, true);
        self.untried_peer()
    }

    fn untried_peer(&mut self) -> Option<PeerUse> {
        let now = now();
        let group = self.group.clone();
        let mut state = group.state.lock();
        let is_single = state.is_single();
        let bound = self.bond.as_ref().and_then(|bond| bond.sid());
        // Where peers are tried again, failures count as long past.
        let at = if self.is_repeated { Now::END } else { now };
        let second = at.seconds();
        loop {
            let list = state.list(self.is_backup);
            list.recover(now);
            let pick = match (&mut self.picker, bound.and_then(|sid| list.bound(sid, &self.tried, second))) {
                (picker, Some(index)) => {
                    if picker.is_none() && !is_single {
                        list.prefer(index, &self.tried, second);
                    }
                    Pick::Peer(index)
                }
                (Some(picker), None) => picker.pick(list, &self.tried, at),
                (None, None) => Pick::RoundRobin,
            };
            let found = match pick {
                Pick::Peer(index) => Some(index),
                Pick::None => None,
                Pick::RoundRobin => {
                    self.picker = None;
                    list.round_robin(is_single, &self.tried, second)
                }
            };
            if let Some(index) = found {
                let measured = self.group.conf.method.as_ref().and_then(|method| method.measured());
                let is_pending = measured.is_some_and(|measured| measured.counts_pending);
                let peer = list.begin(index, now, is_pending);
                self.tried.push(peer.clone());
                let at_end = self.bond.as_mut().and_then(|bond| bond.unanswered(peer.sid()));
                return Some(PeerUse {
                    group: self.group.clone(),
                    peer,
                    is_backup: self.is_backup,
                    is_ended: false,
                    at_end,
                    began: now,
                    head: None,
                    is_pending,
                });
            }
            if self.is_backup || state.backups.states().is_empty() {
                return None;
            }
            self.is_backup = true;
        }
    }

    /// Whether clients are bound to servers of the group.
    pub fn is_bound(&self) -> bool {
        self.bond.is_some()
    }

    /// The value of the `Set-Cookie` header that the response of a chosen peer is to have.
    pub fn cookie(&mut self, exchange: &Exchange<'_>, used: &PeerUse) -> Option<Vec<u8>> {
        self.bond.as_mut()?.chosen(exchange, used.peer.sid())
    }

    /// Records that a peer has answered, once variables have the headers of its response.
    pub fn answered(&mut self, exchange: &Exchange<'_>, used: &mut PeerUse) {
        if let Some(bond) = &mut self.bond {
            used.at_end = bond.answered(exchange, used.peer.sid());
        }
    }

    /// Ends the use of a peer after a failed attempt. `counts` is whether it is the peer's failure. Returns whether the peer is
    /// now disabled for a time.
    pub fn failed(&mut self, mut used: PeerUse, counts: bool) -> bool {
        let is_single = self.group.state.lock().is_single();
        self.tries = if is_single && !self.repeats { 0 } else { self.tries.saturating_sub(1) };
        used.end(counts)
    }
}

/// Use of a peer, which counts as a connection until it is dropped.
pub struct PeerUse {
    group: Arc<RunningGroup>,
    /// The peer.
    pub peer: Arc<Peer>,
    is_backup: bool,
    is_ended: bool,
    /// Done when the use ends without a failure.
    at_end: Option<AtEnd>,
    began: Now,
    /// Milliseconds until the head of the response was there.
    head: Option<u64>,
    /// Whether it counts as in progress for `least_time`.
    is_pending: bool,
}

impl fmt::Debug for PeerUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerUse").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl PeerUse {
    /// How connections of its group are kept, if they are.
    pub fn idle_settings(&self) -> Option<IdleSettings> {
        self.group.conf.idle
    }

    /// Records that the head of the response is there.
    pub fn head_came(&mut self) {
        let now = now();
        let head = self.began.until(now);
        self.head = Some(head);
        let measured = self.group.conf.method.as_ref().and_then(|method| method.measured());
        if self.is_pending && measured.is_some_and(|measured| measured.of_head) {
            self.is_pending = false;
            let mut state = self.group.state.lock();
            if let Some(times) = state.list(self.is_backup).times(&self.peer) {
                times.no_longer_pending(head, now.millis);
            }
        }
    }

    fn end(&mut self, has_failed: bool) -> bool {
        self.is_ended = true;
        let now = now();
        let whole = self.began.until(now);
        let mut state = self.group.state.lock();
        let is_single = state.is_single();
        let list = state.list(self.is_backup);
        if let Some(times) = list.times(&self.peer) {
            if self.is_pending {
                times.no_longer_pending(whole, now.millis);
            }
            // As in nginx, what fails fast is not taken for fast.
            if let (Some(head), false) = (self.head, has_failed) {
                times.learn(head, whole);
            }
        }
        list.end(&self.peer, has_failed, is_single, now)
    }
}

impl Drop for PeerUse {
    fn drop(&mut self) {
        if !self.is_ended {
            self.end(false);
            if let Some(at_end) = self.at_end.take() {
                at_end();
            }
        }
    }
}

/// The groups in use by their names; those that stand for servers may have the names of others.
#[derive(Debug, Default)]
struct RunningGroups {
    named: FxHashMap<BString, Arc<RunningGroup>>,
    of_servers: FxHashMap<BString, Arc<RunningGroup>>,
}

/// The groups in use. A group keeps the state of its servers over reloads where their lines stay the same.
#[derive(Debug, Default)]
pub struct GroupKeeper {
    running: Mutex<RunningGroups>,
}

impl GroupKeeper {
    /// The group in use that a configured one stands for.
    pub fn running(&self, conf: &Arc<Group>) -> Arc<RunningGroup> {
        let mut running = self.running.lock();
        let running = if conf.is_named { &mut running.named } else { &mut running.of_servers };
        let known = running.get(&conf.name);
        if let Some(known) = known.filter(|known| Arc::ptr_eq(&known.conf, conf) || known.conf.is_same(conf))
        {
            return known.clone();
        }
        let new = RunningGroup::new(conf.clone(), known.map(|known| &**known));
        if running.len() >= limits::UPSTREAM_GROUPS {
            // Those of former configurations that no request uses.
            running.retain(|_, group| Arc::strong_count(group) > 1);
        }
        running.insert(conf.name.clone(), new.clone());
        new
    }
}
