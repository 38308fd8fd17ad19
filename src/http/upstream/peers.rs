//! Peers of a group, and nginx's smooth weighted round robin between them.

use std::sync::Arc;

pub use super::server::{Peer, PeerAddr, Server, ServerPlace};
use super::times::AnswerTimes;

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
    /// Millisecond from which its weight recovers, until it has.
    recovers_from: Option<u64>,
    /// Share of its weight that it has now, in thousandths.
    share: u32,
    times: AnswerTimes,
}

/// A time since 1970.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// In milliseconds.
    pub millis: u64,
}

impl Now {
    /// Later than anything.
    pub const END: Now = Now { millis: u64::MAX };

    /// In whole seconds.
    pub fn seconds(self) -> u64 {
        self.millis / 1000
    }

    /// Milliseconds until a later time.
    pub fn until(self, later: Now) -> u64 {
        later.millis.saturating_sub(self.millis)
    }
}

/// Thousandths of a weight.
const WHOLE: u32 = 1000;

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
        PeerState {
            peer,
            conns: 0,
            current_weight: 0,
            effective_weight,
            fails: 0,
            accessed: 0,
            checked: 0,
            recovers_from: None,
            share: WHOLE,
            times: AnswerTimes::default(),
        }
    }

    /// Its weight now, in thousandths.
    pub fn weight(&self) -> u64 {
        u64::from(self.peer.server.weight) * u64::from(self.share)
    }

    /// Whether new requests may use it, whatever has failed.
    fn is_open(&self) -> bool {
        !self.peer.server.down && !self.peer.server.drain
    }

    /// Whether it has failed as often as its line allows.
    fn has_reached_max_fails(&self) -> bool {
        let most = self.peer.server.max_fails;
        most > 0 && self.fails >= most
    }

    fn has_failed(&self, now: u64) -> bool {
        self.has_reached_max_fails() && now.saturating_sub(self.checked) <= self.peer.server.fail_timeout
    }

    fn is_full(&self) -> bool {
        let most = self.peer.server.max_conns;
        most > 0 && self.conns >= most
    }

    /// Computes the share of the weight at a millisecond.
    fn recover(&mut self, now: u64) {
        let Some(from) = self.recovers_from else { return };
        let whole = self.peer.server.slow_start;
        let passed = now.saturating_sub(from);
        if passed >= whole {
            (self.recovers_from, self.share) = (None, WHOLE);
            return;
        }
        let share = u128::from(passed) * u128::from(WHOLE) / u128::from(whole);
        self.share = u32::try_from(share).unwrap_or(WHOLE);
    }

    /// Begins with a weight of zero, where the line says so.
    fn begin_slowly(&mut self, now: u64) {
        if self.peer.server.slow_start > 0 {
            (self.recovers_from, self.share) = (Some(now), 0);
        }
    }
}

impl PeerList {
    /// A list of these peers; those of `known` with the same address and line keep what is known of them. Others begin
    /// slowly at this time if `is_added` says that they have come to a group in use.
    pub fn new(
        peers: impl Iterator<Item = Peer>,
        known: &PeerList,
        is_added: impl Fn(&Server) -> bool,
        now: Now,
    ) -> PeerList {
        // Each of several equal lines keeps its own.
        let mut left: Vec<&PeerState> = known.states.iter().collect();
        let states: Vec<PeerState> = peers
            .map(|peer| match left.iter().position(|state| *state.peer == peer) {
                Some(at) => left.remove(at).clone(),
                None => {
                    let is_new = known.states.iter().all(|state| state.peer.addr != peer.addr);
                    let mut state = PeerState::new(Arc::new(peer));
                    if is_new && is_added(&state.peer.server) {
                        state.begin_slowly(now.millis);
                    }
                    state
                }
            })
            .collect();
        let total_weight = states.iter().map(|state| u64::from(state.peer.server.weight)).sum();
        PeerList { states, total_weight }
    }

    /// Computes the weights of servers that recover.
    pub(super) fn recover(&mut self, now: Now) {
        self.states.iter_mut().for_each(|state| state.recover(now.millis));
    }

    /// Forgets the open connections, whose ends another list counts.
    pub(super) fn forget_conns(&mut self) {
        for state in &mut self.states {
            state.conns = 0;
            state.times.forget_pending();
        }
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
        self.states.iter().filter(|state| state.is_open()).count()
    }

    /// Whether a request that is not bound may use a peer.
    pub fn is_usable(&self, index: usize, tried: &Tried, now: u64) -> bool {
        self.states[index].is_open() && self.is_free(index, tried, now)
    }

    /// Whether a peer takes requests now, and was not tried.
    fn is_free(&self, index: usize, tried: &Tried, now: u64) -> bool {
        let state = &self.states[index];
        let is_tried = tried.iter().any(|peer| Arc::ptr_eq(peer, &state.peer));
        !is_tried && !state.has_failed(now) && !state.is_full()
    }

    /// The peer to which a request is bound, if it may use it.
    pub(super) fn bound(&self, sid: &[u8], tried: &Tried, now: u64) -> Option<usize> {
        let index = self.states.iter().position(|state| state.peer.sid() == sid)?;
        (!self.states[index].peer.server.down && self.is_free(index, tried, now)).then_some(index)
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
        self.weigh_with(candidates, None)
    }

    /// As [`PeerList::weigh`]; the turn goes to the preferred peer, which need not be among the others.
    fn weigh_with(&mut self, candidates: &[usize], preferred: Option<usize>) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<usize> = None;
        for index in candidates {
            let state = &mut self.states[*index];
            let share = state.effective_weight * i64::from(state.share);
            state.current_weight += share;
            total += share;
            if state.effective_weight < i64::from(state.peer.server.weight) {
                state.effective_weight += 1;
            }
            let weight = state.current_weight;
            if best.is_none_or(|best| weight > self.states[best].current_weight) {
                best = Some(*index);
            }
        }
        let best = preferred.or(best)?;
        self.states[best].current_weight -= total;
        Some(best)
    }

    /// Takes a peer to which a request is bound out of turn. As in nginx, the round robin counts that once in a row: many
    /// bound requests do not keep the others from their server for long.
    pub(super) fn prefer(&mut self, index: usize, tried: &Tried, now: u64) {
        let state = &self.states[index];
        let others = self.total_weight.saturating_sub(u64::from(state.peer.server.weight)) * u64::from(WHOLE);
        if state.current_weight > -i64::try_from(others).unwrap_or(i64::MAX) {
            let usable = self.usable(tried, now);
            self.weigh_with(&usable, Some(index));
        }
    }

    /// The peers that a request may use.
    pub fn usable(&self, tried: &Tried, now: u64) -> Vec<usize> {
        (0..self.states.len()).filter(|index| self.is_usable(*index, tried, now)).collect()
    }

    /// The peer of the round robin.
    pub(super) fn round_robin(&mut self, is_single: bool, tried: &Tried, now: u64) -> Option<usize> {
        if is_single {
            // As in nginx, the only peer is used whatever has failed.
            let is_usable = self.states.first().is_some_and(|state| state.is_open() && !state.is_full());
            return is_usable.then_some(0);
        }
        let usable = self.usable(tried, now);
        self.weigh(&usable)
    }

    /// The time for which a peer is expected to have requests, for `least_time`; the greater, the worse.
    pub fn expected_time(&mut self, index: usize, of_head: bool, now: Now) -> u64 {
        let state = &mut self.states[index];
        let fail_timeout = state.peer.server.fail_timeout;
        let unchecked = now.seconds().saturating_sub(state.checked);
        let rests = if unchecked > fail_timeout { unchecked / (fail_timeout + 1) } else { 0 };
        state.times.expected(of_head, rests, now.millis) * (1 + state.conns)
    }

    /// What is known of the times of a peer.
    pub(super) fn times(&mut self, peer: &Arc<Peer>) -> Option<&mut AnswerTimes> {
        self.find(peer).map(|state| &mut state.times)
    }

    /// The state of a peer, which another one may equal.
    fn find(&mut self, peer: &Arc<Peer>) -> Option<&mut PeerState> {
        let at = self.states.iter().position(|state| Arc::ptr_eq(&state.peer, peer));
        let at = at.or_else(|| self.states.iter().position(|state| state.peer == *peer));
        self.states.get_mut(at?)
    }

    /// Records that a peer is used; `is_pending` if it counts as in progress for `least_time`.
    pub(super) fn begin(&mut self, index: usize, now: Now, is_pending: bool) -> Arc<Peer> {
        let state = &mut self.states[index];
        if is_pending {
            state.times.pending(now.millis);
        }
        let now = now.seconds();
        state.conns += 1;
        if now.saturating_sub(state.checked) > state.peer.server.fail_timeout {
            state.checked = now;
        }
        state.peer.clone()
    }

    /// Records the end of a use. Returns whether the peer is now disabled for a time.
    pub(super) fn end(&mut self, peer: &Arc<Peer>, has_failed: bool, is_single: bool, now: Now) -> bool {
        let Some(state) = self.find(peer) else { return false };
        state.conns = state.conns.saturating_sub(1);
        if is_single {
            state.fails = 0;
            return false;
        }
        if !has_failed {
            if state.accessed < state.checked {
                if state.has_reached_max_fails() {
                    state.begin_slowly(now.millis);
                }
                state.fails = 0;
            }
            return false;
        }
        state.fails += 1;
        (state.accessed, state.checked) = (now.seconds(), now.seconds());
        let most = peer.server.max_fails;
        if most == 0 {
            return false;
        }
        let less = u64::from(peer.server.weight) / most;
        state.effective_weight = (state.effective_weight - i64::try_from(less).unwrap_or(i64::MAX)).max(0);
        state.has_reached_max_fails()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    /// A second.
    fn at(second: u64) -> Now {
        Now { millis: second * 1000 }
    }

    /// Peers with these weights, of which the lines are changed.
    fn changed(weights: &[u32], change: impl Fn(usize, &mut Server)) -> Vec<Peer> {
        let peer = |(number, weight): (usize, &u32)| {
            let addr = SocketAddr::from(([127, 0, 0, 1], u16::try_from(number).unwrap() + 1));
            let mut server = Server::plain(addr.to_string().into(), ServerPlace::Address(addr));
            server.weight = *weight;
            change(number, &mut server);
            Peer::new(PeerAddr::Tcp(addr), Arc::new(server))
        };
        weights.iter().enumerate().map(peer).collect()
    }

    fn of(peers: Vec<Peer>) -> PeerList {
        PeerList::new(peers.into_iter(), &PeerList::default(), |_| false, at(0))
    }

    fn list(weights: &[u32]) -> PeerList {
        of(changed(weights, |_, _| {}))
    }

    /// How often each of two peers has its turn of so many.
    fn turns(list: &mut PeerList, now: Now, number: usize) -> [usize; 2] {
        list.recover(now);
        let mut turns = [0; 2];
        for _ in 0..number {
            turns[list.round_robin(false, &[], now.seconds()).unwrap()] += 1;
        }
        turns
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
        let first = list.begin(0, at(100), false);
        assert!(list.end(&first, true, false, at(100)));
        assert_eq!(list.usable(&[], 110), [1]);
        assert_eq!(list.usable(&[], 111), [0, 1]);
        // It counts as working once a use after that time has succeeded.
        list.begin(0, at(111), false);
        list.end(&first, false, false, at(111));
        assert_eq!(list.states()[0].fails, 0);
    }

    #[test]
    fn the_only_peer_is_always_used() {
        let mut list = list(&[1]);
        for _ in 0..5 {
            let index = list.round_robin(true, &[], 0).unwrap();
            let peer = list.begin(index, at(0), false);
            assert!(!list.end(&peer, true, true, at(0)));
        }
    }

    #[test]
    fn known_peers_keep_their_state() {
        let mut old = list(&[1, 1]);
        let first = old.begin(0, at(100), false);
        old.end(&first, true, false, at(100));
        let peers = || changed(&[1, 1], |_, _| {}).into_iter();
        assert_eq!(PeerList::new(peers(), &old, |_| true, at(105)).usable(&[], 105), [1]);
        assert_eq!(of(peers().collect()).usable(&[], 105), [0, 1]);
    }

    #[test]
    fn a_peer_that_works_again_recovers_its_weight() {
        let mut list = of(changed(&[1, 1], |_, server| server.slow_start = 100_000));
        assert_eq!(turns(&mut list, at(100), 100), [50, 50]);
        let first = list.begin(0, at(100), false);
        assert!(list.end(&first, true, false, at(100)));
        assert_eq!(turns(&mut list, at(105), 100), [0, 100]);
        // Whether it works again is found out with its whole weight.
        list.recover(at(111));
        let index = (0..2).find_map(|_| list.round_robin(false, &[], 111).filter(|index| *index == 0));
        let first = list.begin(index.unwrap(), at(111), false);
        list.end(&first, false, false, at(111));
        assert_eq!(turns(&mut list, at(111), 100), [0, 100]);
        let [slow, other] = turns(&mut list, at(136), 1000);
        assert!((190..=210).contains(&slow), "a quarter to one: {slow} and {other}");
        assert_eq!(turns(&mut list, at(211), 1000), [500, 500]);
    }

    #[test]
    fn a_use_that_ends_well_leaves_a_working_peer_as_it_is() {
        let mut list = of(changed(&[1, 1], |_, server| {
            (server.slow_start, server.max_fails) = (100_000, 2);
        }));
        let first = list.begin(0, at(100), false);
        assert!(!list.end(&first, true, false, at(100)));
        list.begin(0, at(111), false);
        list.end(&first, false, false, at(111));
        assert_eq!(turns(&mut list, at(111), 100), [50, 50]);
    }

    #[test]
    fn added_peers_begin_slowly_and_changed_lines_do_not() {
        let old = list(&[1]);
        let slow = |_, server: &mut Server| server.slow_start = 10_000;
        let peers = || changed(&[1, 1], slow).into_iter();
        let mut new = PeerList::new(peers(), &old, |_| true, at(50));
        assert_eq!(turns(&mut new, at(50), 100), [100, 0]);
        let [_, slow] = turns(&mut new, at(55), 300);
        assert!((95..=105).contains(&slow), "{slow}");
        assert_eq!(turns(&mut new, at(60), 100), [50, 50]);
        let mut new = PeerList::new(peers(), &old, |_| false, at(50));
        assert_eq!(turns(&mut new, at(50), 100), [50, 50]);
    }

    #[test]
    fn a_group_whose_servers_all_begin_slowly_has_a_peer() {
        let mut list = PeerList::new(
            changed(&[1, 1], |_, server| server.slow_start = 10_000).into_iter(),
            &PeerList::default(),
            |_| true,
            at(50),
        );
        assert_eq!(turns(&mut list, at(50), 10)[0], 10);
        assert_eq!(turns(&mut list, at(55), 10), [5, 5]);
    }

    #[test]
    fn bound_requests_find_their_peer_and_do_not_starve_others() {
        let mut list = of(changed(&[1, 1], |number, server| {
            if number == 1 {
                server.route = "b".into();
            }
        }));
        let sid = list.states()[0].peer.sid().to_owned();
        assert_eq!(sid.len(), 32);
        assert_eq!((list.bound(&sid, &[], 0), list.bound(b"b", &[], 0)), (Some(0), Some(1)));
        assert_eq!(list.bound(b"c", &[], 0), None);
        let tried = [list.states()[1].peer.clone()];
        assert_eq!(list.bound(b"b", &tried, 0), None);
        for _ in 0..100 {
            list.prefer(1, &[], 0);
        }
        assert_eq!(turns(&mut list, at(0), 10), [6, 4]);
    }

    #[test]
    fn draining_peers_serve_bound_requests_only() {
        let list = of(changed(&[1, 1], |number, server| {
            (server.drain, server.route) = (number == 0, "a".into());
        }));
        assert_eq!(list.usable(&[], 0), [1]);
        assert_eq!((list.bound(b"a", &[], 0), list.tries()), (Some(0), 1));
        let mut only = of(changed(&[1], |_, server| server.drain = true));
        assert_eq!(only.round_robin(true, &[], 0), None);
    }
}
