//! Model of the relay graph: servers that pull a stream from one another and push it to one another, with publishers
//! and viewers that come and go in every order.
//!
//! Streams, demand, trails and paths are the server's own types ([`Stream`], [`PlayerDemand`], [`trail`]), and so are the
//! decisions based on them. The model supplies the timing: each server in turn processes its relays as its tasks would.
//! The end of a relay becomes known to the other server sooner than the start of one, which takes an exchange of
//! messages; otherwise starts could follow ends around a ring forever. The following must hold in every graph, with and
//! without a secret shared by all servers:
//!
//! - while there is a publisher, each viewer that can reach it gets media;
//! - without a publisher no media moves: nothing circulates;
//! - without publishers and viewers no relay is left.

use bytes::Bytes;

use super::demand::{PlayerDemand, Wants};
use crate::hub::gop::CacheSettings;
use crate::hub::packet::PacketClass;
use crate::hub::registry::StreamKey;
use crate::hub::stream::{Incoming, PublishSettings, Stream};
use crate::media::trail::{self, Claim, Hop, MediaOrigin, Trail};
use crate::wire::MediaKind;

/// Number of a server's turns without media after which a relay counts as silent.
const SILENCE: usize = 2;
/// Number of turns needed to start a relay.
const SETUP: usize = 2;

/// Pull source and push target of each server.
#[derive(Clone, Debug, Default)]
struct Graph {
    pulls: Vec<Option<usize>>,
    pushes: Vec<Option<usize>>,
}

/// A relay of a server, which is a session of the other one.
struct Relay {
    id: u64,
    /// For a push, its publisher.
    publisher: u64,
    /// End of the source's media at the last check.
    seen: u64,
    silent: usize,
}

struct Server {
    hop: Hop,
    stream: Stream,
    demand: PlayerDemand<Trail>,
    /// Sessions that publish here or stand by, other than pulls.
    publishers: Vec<(u64, Trail)>,
    pull: Option<Relay>,
    /// Path of its media, as reported by the source.
    way: Bytes,
    push: Option<Relay>,
    /// Turns since a pull and a push were requested that have not started.
    pulling: usize,
    pushing: usize,
    /// Continuation of its media, as reported by the target.
    reach: Bytes,
}

struct World<'a> {
    graph: &'a Graph,
    secret: bool,
    servers: Vec<Server>,
    sessions: u64,
}

impl Wants for Trail {
    fn trail(&self) -> &Trail {
        self
    }
}

fn settings(relay: bool) -> PublishSettings {
    PublishSettings { cache: CacheSettings { cache_time: 0, out_queue: 4 }, fix_timestamp: 0, relay }
}

fn frame() -> Incoming {
    let payload = Bytes::from_static(b"k");
    Incoming { kind: MediaKind::Video, class: PacketClass::Key, timestamp: 0, further_track: None, payload }
}

/// Session numbers of a server's own publisher and viewer.
fn publisher(at: usize) -> u64 {
    1000 + at as u64
}

fn viewer(at: usize) -> u64 {
    2000 + at as u64
}

fn has_viewer(server: &Server) -> bool {
    server.demand.players().any(|player| !player.claims_relay())
}

impl<'a> World<'a> {
    fn new(graph: &'a Graph, secret: bool) -> Self {
        let server = |n: usize| {
            let key = StreamKey::new("default", "live", "s");
            Server {
                hop: Hop::new(&[n as u8; 32], &key),
                stream: Stream::new(n as u64, key, 128),
                demand: PlayerDemand::default(),
                publishers: Vec::new(),
                pull: None,
                way: Bytes::new(),
                push: None,
                pulling: 0,
                pushing: 0,
                reach: Bytes::new(),
            }
        };
        let servers = (0..graph.pulls.len()).map(server).collect();
        World { graph, secret, servers, sessions: 10_000 }
    }

    /// Adds or removes a publisher (the first half of the numbers) or a viewer.
    fn toggle(&mut self, what: usize) {
        let count = self.servers.len();
        let (at, is_viewer) = (what % count, what >= count);
        let server = &mut self.servers[at];
        if is_viewer {
            if has_viewer(server) {
                server.demand.leave(viewer(at));
            } else {
                server.demand.enter(viewer(at), Trail::default(), None);
            }
            return;
        }
        let id = publisher(at);
        if server.publishers.iter().any(|(other, _)| *other == id) {
            server.publishers.retain(|(other, _)| *other != id);
            server.stream.end_publish(id);
        } else if server.stream.publish_or_stand_by(id, settings(false)).is_ok() {
            server.publishers.push((id, Trail::default()));
        }
    }

    /// Processes all relays this number of times.
    fn run(&mut self, rounds: usize, backwards: bool) {
        for _ in 0..rounds {
            for n in 0..self.servers.len() {
                let at = if backwards { self.servers.len() - 1 - n } else { n };
                self.servers[at].stream.push(publisher(at), [frame()]);
                self.look_at_pull(at);
                self.look_at_push(at);
            }
        }
    }

    fn trail_told(&self, hops: &Bytes, from: usize, to: usize) -> Trail {
        Trail::new(&Claim::new(hops, b"", b""), self.secret || from == to)
    }

    fn session(&mut self) -> u64 {
        self.sessions += 1;
        self.sessions
    }

    fn look_at_pull(&mut self, at: usize) {
        let Some(source) = self.graph.pulls[at] else { return };
        if let Some(mut relay) = self.servers[at].pull.take() {
            if self.goes_on_pulling(at, source, &mut relay) {
                self.servers[at].pull = Some(relay);
            } else {
                self.servers[at].stream.end_publish(relay.id);
                self.servers[at].way = Bytes::new();
                self.servers[source].demand.leave(relay.id);
            }
            return;
        }
        let server = &mut self.servers[at];
        let begun = std::mem::take(&mut server.pulling);
        if server.stream.phase().publishing {
            return;
        }
        let Some((_, common)) = server.demand.cause() else { return };
        if begun < SETUP {
            server.pulling = begun + 1;
            return;
        }
        let server = &self.servers[at];
        let hops = trail::extended(&common, &server.hop);
        let other = &self.servers[source];
        let feed = match other.stream.phase().publishing {
            false => MediaOrigin::Missing,
            true if other.stream.is_published_here() => MediaOrigin::Here,
            true => MediaOrigin::Way(&other.way),
        };
        if trail::closes_circle(&hops, &other.hop, feed) {
            return;
        }
        let (id, trail_told) = (self.session(), self.trail_told(&hops, at, source));
        self.servers[source].demand.enter(id, trail_told, None);
        let seen = self.servers[source].stream.end();
        self.servers[at].pull = Some(Relay { id, publisher: 0, seen, silent: 0 });
    }

    fn goes_on_pulling(&mut self, at: usize, source: usize, relay: &mut Relay) -> bool {
        let way = trail::extended(&self.servers[source].way, &self.servers[source].hop);
        let end = self.servers[source].stream.end();
        let server = &mut self.servers[at];
        let by_another = server.stream.publisher().is_some_and(|publisher| publisher != relay.id);
        if server.demand.present() == 0 || by_another || trail::is_loop(&way, &server.hop) {
            return false;
        }
        server.way = way;
        if end > relay.seen {
            (relay.seen, relay.silent) = (end, 0);
            let begins = server.stream.publisher().is_none();
            if begins && server.stream.start_publish(relay.id, settings(true)).is_err() {
                return false;
            }
            server.stream.push(relay.id, [frame()]);
        } else {
            relay.silent += 1;
        }
        let gives_way = *server.stream.waited_for().borrow() && relay.silent > SILENCE;
        !gives_way
    }

    fn look_at_push(&mut self, at: usize) {
        let Some(target) = self.graph.pushes[at] else { return };
        if let Some(mut relay) = self.servers[at].push.take() {
            if self.goes_on_pushing(at, target, &mut relay) {
                self.servers[at].push = Some(relay);
            } else {
                self.servers[at].reach = Bytes::new();
                self.servers[target].stream.end_publish(relay.id);
                self.servers[target].publishers.retain(|(id, _)| *id != relay.id);
            }
            return;
        }
        let server = &mut self.servers[at];
        let begun = std::mem::take(&mut server.pushing);
        let current = server.publishers.iter().find(|(id, _)| Some(*id) == server.stream.publisher());
        let Some((publisher, trail)) = current else { return };
        if begun < SETUP {
            server.pushing = begun + 1;
            return;
        }
        let (publisher, hops) = (*publisher, trail::extended(trail.proved(), &server.hop));
        if trail::closes_circle(&hops, &self.servers[target].hop, MediaOrigin::Missing) {
            return;
        }
        let (id, trail_told) = (self.session(), self.trail_told(&hops, at, target));
        if self.servers[target].stream.publish_or_stand_by(id, settings(false)).is_err() {
            return;
        }
        self.servers[target].publishers.push((id, trail_told));
        let seen = self.servers[at].stream.end();
        self.servers[at].push = Some(Relay { id, publisher, seen, silent: 0 });
    }

    fn goes_on_pushing(&mut self, at: usize, target: usize, relay: &mut Relay) -> bool {
        let reach = trail::extended(&self.servers[target].reach, &self.servers[target].hop);
        let server = &mut self.servers[at];
        let is_there = server.publishers.iter().any(|(id, _)| *id == relay.publisher);
        if !is_there || trail::is_loop(&reach, &server.hop) {
            return false;
        }
        server.reach = reach;
        let end = server.stream.end();
        if std::mem::replace(&mut relay.seen, end) < end {
            self.servers[target].stream.push(relay.id, [frame()]);
        }
        true
    }

    /// Ends of all streams' packets.
    fn ends(&self) -> Vec<u64> {
        self.servers.iter().map(|server| server.stream.end()).collect()
    }

    fn has_publisher(&self, at: usize) -> bool {
        self.servers[at].publishers.iter().any(|(id, _)| *id == publisher(at))
    }

    /// Servers that the publishers' media can reach.
    fn reachable(&self) -> Vec<bool> {
        let count = self.servers.len();
        let mut published: Vec<bool> = (0..count).map(|at| self.has_publisher(at)).collect();
        for _ in 0..count {
            for (from, to) in self.graph.pushes.iter().enumerate() {
                if let Some(to) = *to {
                    published[to] |= published[from];
                }
            }
        }
        let mut reached = published;
        for _ in 0..count {
            for (to, from) in self.graph.pulls.iter().enumerate() {
                if let Some(from) = *from {
                    reached[to] |= reached[from];
                }
            }
        }
        reached
    }

    fn check(&mut self, backwards: bool, context: &dyn std::fmt::Debug) {
        let count = self.servers.len();
        self.run(9 * count, backwards);
        let (before, reachable) = (self.ends(), self.reachable());
        self.run(4 * count, backwards);
        let moves: Vec<bool> = before.iter().zip(self.ends()).map(|(before, end)| end > *before).collect();
        let viewers: Vec<bool> = self.servers.iter().map(has_viewer).collect();
        for at in 0..count {
            assert!(!viewers[at] || !reachable[at] || moves[at], "no picture at {at}: {context:?}");
        }
        if (0..count).any(|at| self.has_publisher(at)) {
            return;
        }
        assert!(!moves.contains(&true), "media goes round: {context:?}");
        if !viewers.contains(&true) {
            let left = self.servers.iter().any(|server| server.pull.is_some() || server.push.is_some());
            assert!(!left, "a relay is left: {context:?}");
        }
    }
}

/// All assignments of `choices` to `count` positions.
fn choices<T: Clone>(count: usize, choices: &[T]) -> Vec<Vec<T>> {
    (0..count).fold(vec![Vec::new()], |all, _| {
        let longer = |list: &Vec<T>, next: &T| [&list[..], std::slice::from_ref(next)].concat();
        all.iter().flat_map(|list| choices.iter().map(move |next| longer(list, next))).collect()
    })
}

/// Lets publishers and viewers come and go in all orders of this many events.
fn every_order(graph: &Graph, events: usize) {
    // With and without a secret, in both orders of turns.
    let ways = [(false, false), (false, true), (true, false)];
    let ways = if events > 3 || graph.pulls.len() > 3 { &ways[..] } else { &ways[1..] };
    let parties: Vec<usize> = (0..2 * graph.pulls.len()).collect();
    for order in choices(events, &parties) {
        for &(secret, backwards) in ways {
            let mut world = World::new(graph, secret);
            for (n, what) in order.iter().enumerate() {
                world.toggle(*what);
                world.check(backwards, &(graph, secret, backwards, &order[..=n]));
            }
        }
    }
}

/// Whether no server relays to itself; such relays are covered by pairs of servers.
fn is_of_others(relays: &[Option<usize>]) -> bool {
    relays.iter().enumerate().all(|(at, other)| *other != Some(at))
}

#[test]
fn two_servers_that_pull_and_push_in_all_ways() {
    let each = choices(2, &[None, Some(0), Some(1)]);
    for pulls in &each {
        for pushes in &each {
            every_order(&Graph { pulls: pulls.clone(), pushes: pushes.clone() }, 3);
        }
    }
}

#[test]
fn two_servers_that_pull_from_each_other_for_longer() {
    every_order(&Graph { pulls: vec![Some(1), Some(0)], pushes: vec![None; 2] }, 5);
}

#[test]
fn three_servers_that_pull_in_all_ways() {
    for pulls in
        choices(3, &[None, Some(0), Some(1), Some(2)]).into_iter().filter(|relays| is_of_others(relays))
    {
        every_order(&Graph { pulls, pushes: vec![None; 3] }, 3);
    }
}

#[test]
fn three_servers_that_push_in_all_ways() {
    for pushes in
        choices(3, &[None, Some(0), Some(1), Some(2)]).into_iter().filter(|relays| is_of_others(relays))
    {
        every_order(&Graph { pulls: vec![None; 3], pushes }, 3);
    }
}

#[test]
fn rings_of_four_servers() {
    let ring: Vec<Option<usize>> = (0..4).map(|n| Some((n + 1) % 4)).collect();
    every_order(&Graph { pulls: ring.clone(), pushes: vec![None; 4] }, 3);
    every_order(&Graph { pulls: vec![None; 4], pushes: ring }, 3);
}
