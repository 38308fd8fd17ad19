//! Peers of a group, and nginx's smooth weighted round robin between them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bstr::BString;

/// A `server` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Address as written.
    pub address: BString,
    /// Where it listens.
    pub place: ServerPlace,
    /// Relative share of the requests.
    pub weight: u32,
    /// Maximum number of concurrent connections; zero is no limit.
    pub max_conns: u64,
    /// Number of failures within `fail_timeout` after which the server is not used for that time.
    pub max_fails: u64,
    /// Seconds; see `max_fails`.
    pub fail_timeout: u64,
    /// Whether it is used only when the others fail.
    pub backup: bool,
    /// Whether it is never used.
    pub down: bool,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerPlace {
    /// A Unix socket.
    Unix(PathBuf),
    /// An address.
    Address(SocketAddr),
    /// A host name and a port; each address of the name is a peer.
    Name(BString, u16),
}

/// Address of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PeerAddr {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// One address of a server.
#[derive(Debug, PartialEq, Eq)]
pub struct Peer {
    /// The address as text, as logs have it.
    pub name: String,
    /// The address.
    pub addr: PeerAddr,
    /// Its line.
    pub server: Arc<Server>,
}

impl Server {
    /// A server with the values that nginx takes where none are given.
    pub fn plain(address: BString, place: ServerPlace) -> Server {
        Server {
            address,
            place,
            weight: 1,
            max_conns: 0,
            max_fails: 1,
            fail_timeout: 10,
            backup: false,
            down: false,
        }
    }
}

impl Peer {
    /// A peer of a server.
    pub fn new(addr: PeerAddr, server: Arc<Server>) -> Peer {
        let name = match &addr {
            PeerAddr::Tcp(addr) => addr.to_string(),
            PeerAddr::Unix(path) => format!("unix:{}", path.to_string_lossy()),
        };
        Peer { name, addr, server }
    }
}

/// A peer with what is known of it.
#[derive(Clone, Debug)]
pub struct PeerState {
    /// The peer.
    pub peer: Arc<Peer>,
    /// Open connections.
    pub conns: u64,
    current_weight: i64,
    effective_weight: i64,
    fails: u64,
    /// Second of the latest failure.
    accessed: u64,
    /// Second of the latest failure, or of the latest check whether it works again.
    checked: u64,
}

/// The peers that a request has tried.
pub type Tried = [Arc<Peer>];

/// Peers of one rank: the servers of a group, or its backups.
#[derive(Clone, Debug, Default)]
pub struct PeerList {
    states: Vec<PeerState>,
    total_weight: u64,
}

impl PeerState {
    fn new(peer: Arc<Peer>) -> PeerState {
        let effective_weight = i64::from(peer.server.weight);
        PeerState { peer, conns: 0, current_weight: 0, effective_weight, fails: 0, accessed: 0, checked: 0 }
    }
}

impl PeerList {
    /// A list of these peers; those of `known` with the same address and line keep what is known of them.
    pub fn new(peers: impl Iterator<Item = Peer>, known: &PeerList) -> PeerList {
        let states: Vec<PeerState> = peers
            .map(|peer| match known.states.iter().find(|state| *state.peer == peer) {
                Some(state) => state.clone(),
                None => PeerState::new(Arc::new(peer)),
            })
            .collect();
        let total_weight = states.iter().map(|state| u64::from(state.peer.server.weight)).sum();
        PeerList { states, total_weight }
    }

    /// Forgets the open connections, whose ends another list counts.
    pub(super) fn forget_conns(&mut self) {
        self.states.iter_mut().for_each(|state| state.conns = 0);
    }

    /// The peers, in the order of the lines.
    pub fn states(&self) -> &[PeerState] {
        &self.states
    }

    /// Sum of the weights of all peers.
    pub fn total_weight(&self) -> u64 {
        self.total_weight
    }

    /// Number of peers that may be tried.
    pub fn tries(&self) -> usize {
        self.states.iter().filter(|state| !state.peer.server.down).count()
    }

    /// Whether a request may use a peer.
    pub fn is_usable(&self, index: usize, tried: &Tried, now: u64) -> bool {
        let state = &self.states[index];
        let server = &state.peer.server;
        let is_tried = tried.iter().any(|peer| Arc::ptr_eq(peer, &state.peer));
        let has_failed = server.max_fails > 0
            && state.fails >= server.max_fails
            && now.saturating_sub(state.checked) <= server.fail_timeout;
        !is_tried && !server.down && !has_failed && !self.is_full(index)
    }

    fn is_full(&self, index: usize) -> bool {
        let state = &self.states[index];
        let most = state.peer.server.max_conns;
        most > 0 && state.conns >= most
    }

    /// Index of the peer at a position below [`PeerList::total_weight`], where each peer is as long as its weight.
    pub fn at_weight(&self, position: u64) -> usize {
        let mut left = position;
        for (index, state) in self.states.iter().enumerate() {
            let weight = u64::from(state.peer.server.weight);
            if left < weight {
                return index;
            }
            left -= weight;
        }
        0
    }

    /// Chooses between peers by weight: nginx's smooth weighted round robin.
    pub fn weigh(&mut self, candidates: &[usize]) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<usize> = None;
        for index in candidates {
            let state = &mut self.states[*index];
            state.current_weight += state.effective_weight;
            total += state.effective_weight;
            if state.effective_weight < i64::from(state.peer.server.weight) {
                state.effective_weight += 1;
            }
            let weight = state.current_weight;
            if best.is_none_or(|best| weight > self.states[best].current_weight) {
                best = Some(*index);
            }
        }
        self.states[best?].current_weight -= total;
        best
    }

    /// The peers that a request may use.
    pub fn usable(&self, tried: &Tried, now: u64) -> Vec<usize> {
        (0..self.states.len()).filter(|index| self.is_usable(*index, tried, now)).collect()
    }

    /// The peer of the round robin.
    pub(super) fn round_robin(&mut self, is_single: bool, tried: &Tried, now: u64) -> Option<usize> {
        if is_single {
            // As in nginx, the only peer is used whatever has failed.
            let is_usable = self.states.first().is_some_and(|state| !state.peer.server.down);
            return (is_usable && !self.is_full(0)).then_some(0);
        }
        let usable = self.usable(tried, now);
        self.weigh(&usable)
    }

    /// Records that a peer is used.
    pub(super) fn begin(&mut self, index: usize, now: u64) -> Arc<Peer> {
        let state = &mut self.states[index];
        state.conns += 1;
        if now.saturating_sub(state.checked) > state.peer.server.fail_timeout {
            state.checked = now;
        }
        state.peer.clone()
    }

    /// Records the end of a use. Returns whether the peer is now disabled for a time.
    pub(super) fn end(&mut self, peer: &Peer, has_failed: bool, is_single: bool, now: u64) -> bool {
        let Some(state) = self.states.iter_mut().find(|state| *state.peer == *peer) else { return false };
        state.conns = state.conns.saturating_sub(1);
        if is_single {
            state.fails = 0;
            return false;
        }
        if !has_failed {
            if state.accessed < state.checked {
                state.fails = 0;
            }
            return false;
        }
        state.fails += 1;
        (state.accessed, state.checked) = (now, now);
        let most = peer.server.max_fails;
        if most == 0 {
            return false;
        }
        let less = u64::from(peer.server.weight) / most;
        state.effective_weight = (state.effective_weight - i64::try_from(less).unwrap_or(i64::MAX)).max(0);
        state.fails >= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(weights: &[u32]) -> PeerList {
        let peer = |(number, weight): (usize, &u32)| {
            let addr = SocketAddr::from(([127, 0, 0, 1], u16::try_from(number).unwrap() + 1));
            let mut server = Server::plain(addr.to_string().into(), ServerPlace::Address(addr));
            server.weight = *weight;
            Peer::new(PeerAddr::Tcp(addr), Arc::new(server))
        };
        PeerList::new(weights.iter().enumerate().map(peer), &PeerList::default())
    }

    #[test]
    fn weights_are_smooth() {
        let mut list = list(&[5, 1, 1]);
        let order: Vec<_> = (0..7).map(|_| list.round_robin(false, &[], 0).unwrap()).collect();
        assert_eq!(order, [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn a_peer_that_fails_is_left_out_for_its_time() {
        let mut list = list(&[1, 1]);
        let first = list.begin(0, 100);
        assert!(list.end(&first, true, false, 100));
        assert_eq!(list.usable(&[], 110), [1]);
        assert_eq!(list.usable(&[], 111), [0, 1]);
        // It counts as working once a use after that time has succeeded.
        list.begin(0, 111);
        list.end(&first, false, false, 111);
        assert_eq!(list.states()[0].fails, 0);
    }

    #[test]
    fn the_only_peer_is_always_used() {
        let mut list = list(&[1]);
        for _ in 0..5 {
            let at = list.round_robin(true, &[], 0).unwrap();
            let peer = list.begin(at, 0);
            assert!(!list.end(&peer, true, true, 0));
        }
    }

    #[test]
    fn known_peers_keep_their_state() {
        let mut old = list(&[1, 1]);
        let first = old.begin(0, 100);
        old.end(&first, true, false, 100);
        let peers = || {
            old.states().iter().map(|state| Peer {
                name: state.peer.name.clone(),
                addr: state.peer.addr.clone(),
                server: state.peer.server.clone(),
            })
        };
        assert_eq!(PeerList::new(peers(), &old).usable(&[], 105), [1]);
        assert_eq!(PeerList::new(peers(), &PeerList::default()).usable(&[], 105), [0, 1]);
    }
}
