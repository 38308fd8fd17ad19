//! nginx's balancing methods.

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

use bstr::{BString, ByteSlice};
use crc32fast::Hasher;

use crate::http::exchange::Exchange;
use crate::http::upstream::group::{BalancingMethod, Pick, Picker};
use crate::http::upstream::peers::{Now, PeerList, Server, Tried};
use crate::http::upstream::times::Measured;
use crate::http::variable::Template;
use crate::limits;

/// `least_conn`: the peer with the fewest connections in relation to its weight.
#[derive(Debug)]
pub(super) struct LeastConn;

/// `ip_hash`: the peer depends on the client's address; of IPv4, on its first three bytes.
#[derive(Debug)]
pub(super) struct IpHash;

/// `random`
#[derive(Debug)]
pub(super) struct RandomChoice {
    /// Whether the less loaded of two is used.
    pub(super) two: bool,
}

/// `hash`
#[derive(Debug)]
pub(super) struct HashMethod {
    key: Template,
    /// Points of `consistent`, once they were needed.
    points: Option<OnceLock<Points>>,
    servers: Vec<Arc<Server>>,
}

/// Points on the ring of hashes, ordered, with the addresses of their servers as written.
type Points = Vec<(u32, BString)>;

impl HashMethod {
    /// Hashes this key.
    pub(super) fn new(key: Template, is_consistent: bool, servers: Vec<Arc<Server>>) -> HashMethod {
        HashMethod { key, points: is_consistent.then(OnceLock::new), servers }
    }
}

impl BalancingMethod for LeastConn {
    fn begin(&self, _: &Exchange<'_>) -> Box<dyn Picker> {
        Box::new(LeastConnPicker)
    }
}

struct LeastConnPicker;

impl Picker for LeastConnPicker {
    fn pick(&mut self, peers: &mut PeerList, tried: &Tried, now: Now) -> Pick {
        let now = now.seconds();
        let usable = peers.usable(tried, now);
        let less = |best, next| if compare_load(peers, next, best).is_lt() { next } else { best };
        let Some(best) = usable.iter().copied().reduce(less) else { return Pick::None };
        let equal: Vec<usize> =
            usable.into_iter().filter(|index| compare_load(peers, *index, best).is_eq()).collect();
        peers.weigh(&equal).map_or(Pick::None, Pick::Peer)
    }
}

/// Compares two peers by their connections in relation to their weights.
fn compare_load(peers: &PeerList, one: usize, two: usize) -> Ordering {
    let load = |index: usize| {
        let state = &peers.states()[index];
        (u128::from(state.conns), u128::from(state.weight()))
    };
    let ((conns, weight), (other_conns, other_weight)) = (load(one), load(two));
    (conns * other_weight).cmp(&(other_conns * weight))
}

/// `least_time`: the peer that is expected to be ready first, in relation to its weight.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeastTime(pub(super) Measured);

impl BalancingMethod for LeastTime {
    fn begin(&self, _: &Exchange<'_>) -> Box<dyn Picker> {
        Box::new(LeastTimePicker { of_head: self.0.of_head })
    }

    fn measured(&self) -> Option<Measured> {
        Some(self.0)
    }
}

struct LeastTimePicker {
    of_head: bool,
}

impl Picker for LeastTimePicker {
    fn pick(&mut self, peers: &mut PeerList, tried: &Tried, now: Now) -> Pick {
        let usable = peers.usable(tried, now.seconds());
        let expected: Vec<(usize, u128, u128)> = usable
            .into_iter()
            .map(|index| {
                let time = peers.expected_time(index, self.of_head, now);
                (index, u128::from(time), u128::from(peers.states()[index].weight()))
            })
            .collect();
        let compare =
            |one: &(usize, u128, u128), two: &(usize, u128, u128)| (one.1 * two.2).cmp(&(two.1 * one.2));
        let Some(best) = expected
            .iter()
            .copied()
            .reduce(|best, next| if compare(&next, &best).is_lt() { next } else { best })
        else {
            return Pick::None;
        };
        let equal: Vec<usize> =
            expected.iter().filter(|next| compare(next, &best).is_eq()).map(|next| next.0).collect();
        peers.weigh(&equal).map_or(Pick::None, Pick::Peer)
    }
}

/// Choices after which nginx leaves it to the round robin.
const ATTEMPTS: u32 = 20;

/// Draws of a request that met a peer which it cannot use.
#[derive(Default)]
struct FailedDraws(u32);

impl FailedDraws {
    /// Draws until a peer is usable; `position` gives the next number. `None` if the round robin is to choose.
    fn draw(
        &mut self,
        peers: &PeerList,
        mut position: impl FnMut() -> u64,
        is_usable: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        if peers.total_weight() == 0 {
            return None;
        }
        while self.0 <= ATTEMPTS {
            let index = peers.at_weight(position() % peers.total_weight());
            if is_usable(index) {
                return Some(index);
            }
            self.0 += 1;
        }
        None
    }
}

impl BalancingMethod for IpHash {
    fn begin(&self, exchange: &Exchange<'_>) -> Box<dyn Picker> {
        let address = match exchange.peer().ip {
            Some(std::net::IpAddr::V4(ip)) => ip.octets()[..3].to_vec(),
            Some(std::net::IpAddr::V6(ip)) => ip.octets().to_vec(),
            None => vec![0; 3],
        };
        Box::new(IpHashPicker { address, hash: 89, failed: FailedDraws::default() })
    }
}

struct IpHashPicker {
    address: Vec<u8>,
    hash: u64,
    failed: FailedDraws,
}

impl Picker for IpHashPicker {
    fn pick(&mut self, peers: &mut PeerList, tried: &Tried, now: Now) -> Pick {
        let now = now.seconds();
        let IpHashPicker { address, hash, failed } = self;
        let next = || {
            *hash = address.iter().fold(*hash, |hash, byte| (hash * 113 + u64::from(*byte)) % 6271);
            *hash
        };
        let drawn = failed.draw(peers, next, |index| peers.is_usable(index, tried, now));
        drawn.map_or(Pick::RoundRobin, Pick::Peer)
    }
}

/// A random number.
fn number() -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = crate::task::seed();
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

impl BalancingMethod for RandomChoice {
    fn begin(&self, _: &Exchange<'_>) -> Box<dyn Picker> {
        Box::new(RandomPicker { two: self.two, failed: FailedDraws::default() })
    }
}

struct RandomPicker {
    two: bool,
    failed: FailedDraws,
}

impl Picker for RandomPicker {
    fn pick(&mut self, peers: &mut PeerList, tried: &Tried, now: Now) -> Pick {
        let now = now.seconds();
        let is_usable = |index: usize| peers.is_usable(index, tried, now);
        let Some(first) = self.failed.draw(peers, number, is_usable) else { return Pick::RoundRobin };
        if !self.two {
            return Pick::Peer(first);
        }
        let second = self.failed.draw(peers, number, |index| index != first && is_usable(index));
        second.map_or(Pick::RoundRobin, |second| {
            let is_more = compare_load(peers, second, first).is_gt();
            Pick::Peer(if is_more { first } else { second })
        })
    }
}

impl BalancingMethod for HashMethod {
    fn begin(&self, exchange: &Exchange<'_>) -> Box<dyn Picker> {
        let key = exchange.expand(&self.key);
        match &self.points {
            None => Box::new(HashPicker { key, hash: 0, rehash: 0, failed: FailedDraws::default() }),
            Some(points) => {
                let points = points.get_or_init(|| points_of(&self.servers));
                let hash = crc32fast::hash(&key);
                let at = points.partition_point(|(point, _)| *point < hash);
                // The servers at the next points are all that can be needed.
                let next = |number: usize| points[(at + number) % points.len()].1.clone();
                let candidates = if points.is_empty() || key.is_empty() {
                    Vec::new()
                } else {
                    (0..=ATTEMPTS as usize).map(next).collect()
                };
                Box::new(ConsistentPicker { candidates, at: 0 })
            }
        }
    }
}

/// The points of all servers: 160 for each unit of weight, within a bound.
fn points_of(servers: &[Arc<Server>]) -> Points {
    let most = limits::UPSTREAM_POINTS / servers.len().max(1);
    let mut points = Vec::new();
    for server in servers {
        let (host, port) = host_and_port(&server.address);
        let mut base = Hasher::new();
        base.update(host);
        base.update(b"\0");
        base.update(port);
        let mut previous = [0; 4];
        for _ in 0..(server.weight as usize).saturating_mul(160).min(most) {
            let mut hasher = base.clone();
            hasher.update(&previous);
            let hash = hasher.finalize();
            points.push((hash, server.address.clone()));
            previous = hash.to_le_bytes();
        }
    }
    points.sort_by_key(|(hash, _)| *hash);
    points.dedup_by_key(|(hash, _)| *hash);
    points
}

/// Host and port of an address, as nginx separates them for its points.
fn host_and_port(address: &[u8]) -> (&[u8], &[u8]) {
    if address.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"unix:")) {
        return (&address[5..], b"");
    }
    match address.rsplit_once_str(":") {
        Some((host, port)) if port.iter().all(u8::is_ascii_digit) => (host, port),
        _ => (address, b""),
    }
}

struct HashPicker {
    key: Vec<u8>,
    hash: u64,
    rehash: u32,
    failed: FailedDraws,
}

impl Picker for HashPicker {
    fn pick(&mut self, peers: &mut PeerList, tried: &Tried, now: Now) -> Pick {
        let now = now.seconds();
        let HashPicker { key, hash, rehash, failed } = self;
        if key.is_empty() {
            return Pick::RoundRobin;
        }
        let next = || {
            let mut hasher = Hasher::new();
            if *rehash > 0 {
                hasher.update(rehash.to_string().as_bytes());
            }
            hasher.update(key);
            *hash += u64::from(hasher.finalize() >> 16 & 0x7fff);
            *rehash += 1;
            *hash
        };
        let drawn = failed.draw(peers, next, |index| peers.is_usable(index, tried, now));
        drawn.map_or(Pick::RoundRobin, Pick::Peer)
    }
}

struct ConsistentPicker {
    /// Servers at the points from the key's on.
    candidates: Vec<BString>,
    at: usize,
}

impl Picker for ConsistentPicker {
    fn pick(&mut self, peers: &mut PeerList, tried: &Tried, now: Now) -> Pick {
        let now = now.seconds();
        while let Some(address) = self.candidates.get(self.at) {
            let usable = peers.usable(tried, now).into_iter();
            let of_server: Vec<usize> =
                usable.filter(|index| peers.states()[*index].peer.server.address == *address).collect();
            if let Some(index) = peers.weigh(&of_server) {
                return Pick::Peer(index);
            }
            self.at += 1;
        }
        Pick::RoundRobin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::upstream::peers::ServerPlace;

    #[test]
    fn addresses_are_separated_as_in_nginx() {
        for (address, host, port) in [
            ("10.0.0.1:80", "10.0.0.1", "80"),
            ("a.test", "a.test", ""),
            ("unix:/tmp/a:1", "/tmp/a:1", ""),
            ("[::1]:8080", "[::1]", "8080"),
        ] {
            assert_eq!(host_and_port(address.as_bytes()), (host.as_bytes(), port.as_bytes()));
        }
    }

    #[test]
    fn most_keys_keep_their_server_when_another_is_added() {
        let server = |name: &str| {
            let place = ServerPlace::Unix("/none".into());
            Arc::new(Server::plain(name.into(), place))
        };
        let servers: Vec<_> = ["a:1", "b:1", "c:1", "d:1"].iter().map(|name| server(name)).collect();
        let (before, after) = (points_of(&servers[..3]), points_of(&servers));
        assert!(before.len() > 400 && after.len() > 600);
        let find = |points: &Points, key: u32| {
            let hash = crc32fast::hash(&key.to_le_bytes());
            let at = points.partition_point(|(point, _)| *point < hash);
            points[at % points.len()].1.clone()
        };
        let moved = (0..1000).filter(|key| find(&before, *key) != find(&after, *key)).count();
        assert!((100..450).contains(&moved), "{moved}");
        assert!((0..1000).all(|key| {
            let now = find(&after, key);
            now == find(&before, key) || now == "d:1"
        }));
    }

    #[test]
    fn points_are_bounded() {
        let mut server = Server::plain("a:1".into(), ServerPlace::Unix("/none".into()));
        server.weight = u32::MAX;
        assert!(points_of(&[Arc::new(server)]).len() <= limits::UPSTREAM_POINTS);
    }
}
