//! Exhaustive search over the interleavings of three servers, one etcd and one player's server that contend for a name.
//!
//! Requests and answers may be lost, requests may be carried out late, leases expire, watches lag behind, and a server may take
//! the name over from another one.

use std::collections::HashSet;

use super::tenure::{ClaimVerdict, EtcdAnswer, Fence, Holder, KeyState, Lease, Revision, Step, Tenure};

const SERVERS: usize = 3;

/// A key, with the server whose it is.
type Stored = (usize, u64, Lease, Revision);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Request {
    server: usize,
    step: Step,
    session: Option<u64>,
    lease: Lease,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Server {
    tenure: Tenure,
    lease: Option<Lease>,
    /// The request that is under way, and its answer once etcd has carried it out.
    under_way: Option<(Request, Option<Reply>)>,
    /// Number of changes that its watch has shown.
    watched: usize,
    sessions: u64,
    /// Claim of another server that it may replace: the one that it was shown when it was allowed to take the name over.
    takes_over: Option<Revision>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reply {
    Put(Revision),
    Found(Option<Stored>),
    Deleted,
    LeaseGone,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    servers: [Server; SERVERS],
    stored: Option<Stored>,
    revision: Revision,
    alive: Vec<Lease>,
    leases: Lease,
    changes: Vec<(Revision, Option<Stored>)>,
    late: Vec<Request>,
    /// Remaining misfortunes: expired leases, lost messages.
    expiries: u8,
    losses: u8,
    /// Remaining publishers that leave.
    releases: u8,
    /// Remaining publishers that come.
    arrivals: u8,
    /// Remaining takeovers.
    takeovers: u8,
    /// The player's server.
    fence: Fence,
    /// Epochs that it has accepted, the last one.
    accepted: Revision,
}

impl World {
    fn new(Budget { arrivals, releases, expiries, losses, takeovers }: Budget) -> World {
        let servers = std::array::from_fn(|n| Server { lease: Some(n as Lease + 1), ..Server::default() });
        World {
            servers,
            stored: None,
            revision: 1,
            alive: (1..=SERVERS as Lease).collect(),
            leases: SERVERS as Lease,
            changes: Vec::new(),
            late: Vec::new(),
            expiries,
            losses,
            releases,
            arrivals,
            takeovers,
            fence: Fence::default(),
            accepted: 0,
        }
    }

    fn change(&mut self, stored: Option<Stored>) {
        self.stored = stored;
        self.changes.push((self.revision, stored));
    }

    /// etcd carries a request out.
    fn carry_out(&mut self, request: Request) -> Reply {
        let Request { server, step, session, lease } = request;
        match step {
            Step::Create | Step::Replace(_) => {
                let fits = match step {
                    Step::Create => self.stored.is_none(),
                    Step::Replace(revision) => self.stored.is_some_and(|stored| stored.3 == revision),
                    _ => false,
                };
                if !fits {
                    return Reply::Found(self.stored);
                }
                if !self.alive.contains(&lease) {
                    return Reply::LeaseGone;
                }
                let before = self.stored;
                self.revision += 1;
                self.change(Some((server, session.expect("a claim has a session"), lease, self.revision)));
                let may =
                    |before: Stored| before.0 == server || self.servers[server].takes_over == Some(before.3);
                assert!(before.is_none_or(may), "a name was overwritten");
                Reply::Put(self.revision)
            }
            Step::Read => Reply::Found(self.stored),
            Step::Delete(revision) => {
                if self.stored.is_some_and(|stored| stored.3 == revision) {
                    assert_eq!(self.stored.unwrap().0, server, "another server's key was deleted");
                    self.revision += 1;
                    self.change(None);
                }
                Reply::Deleted
            }
        }
    }

    fn state(server: usize, stored: Stored) -> KeyState {
        let holder = if stored.0 == server { Holder::Session(stored.1) } else { Holder::Other };
        KeyState { holder, lease: stored.2, revision: stored.3 }
    }

    /// All states that follow.
    fn successors(&self) -> Vec<World> {
        let mut all = Vec::new();
        let mut add = |change: &dyn Fn(&mut World)| {
            let mut next = self.clone();
            change(&mut next);
            all.push(next);
        };
        for n in 0..SERVERS {
            let server = &self.servers[n];
            if server.tenure.wanted().is_none() && self.arrivals > 0 {
                add(&|world| {
                    world.arrivals -= 1;
                    let server = &mut world.servers[n];
                    server.sessions += 1;
                    server.tenure.want(server.sessions);
                });
            }
            if let Some(wanted) = server.tenure.wanted().filter(|_| self.releases > 0) {
                add(&|world| {
                    world.releases -= 1;
                    world.servers[n].tenure.release(wanted);
                });
            }
            match server.under_way {
                None if server.tenure.has_work() && server.lease.is_some() => add(&|world| {
                    let server = &mut world.servers[n];
                    let session = server.tenure.wanted();
                    let lease = server.lease.unwrap();
                    if let Some(step) = server.tenure.begin() {
                        server.under_way = Some((Request { server: n, step, session, lease }, None));
                    }
                }),
                None => {}
                Some((request, None)) => {
                    add(&|world| {
                        let reply = world.carry_out(request);
                        world.servers[n].under_way = Some((request, Some(reply)));
                    });
                    if self.losses > 0 {
                        for is_late in [false, true] {
                            add(&|world| {
                                world.losses -= 1;
                                world.servers[n].under_way = None;
                                world.servers[n].tenure.failed(request.step);
                                if is_late {
                                    world.late.push(request);
                                }
                            });
                        }
                    }
                }
                Some((request, Some(reply))) => {
                    add(&|world| world.take(n, request, reply, false));
                    if self.takeovers > 0 && matches!(reply, Reply::Found(Some(stored)) if stored.0 != n) {
                        add(&|world| {
                            world.takeovers -= 1;
                            world.take(n, request, reply, true);
                        });
                    }
                    if self.losses > 0 {
                        add(&|world| {
                            world.losses -= 1;
                            world.servers[n].under_way = None;
                            world.servers[n].tenure.failed(request.step);
                        });
                    }
                }
            }
            if let Some(lease) = server.lease.filter(|lease| self.alive.contains(lease)) {
                if self.expiries > 0 && self.stored.is_some_and(|stored| stored.2 == lease) {
                    add(&|world| {
                        world.expiries -= 1;
                        world.alive.retain(|alive| *alive != lease);
                        world.revision += 1;
                        world.change(None);
                    });
                }
            } else {
                add(&|world| world.renew(n));
            }
            if let Some(&(revision, stored)) = self.changes.get(server.watched) {
                add(&|world| {
                    let server = &mut world.servers[n];
                    server.watched += 1;
                    let state = stored.map(|stored| World::state(n, stored));
                    server.tenure.watched(state.as_ref(), revision, server.lease);
                });
            }
            if let Some(held) = server.tenure.held() {
                let mut fence = self.fence;
                if fence.accepts(held.epoch) && fence != self.fence {
                    add(&|world| {
                        assert!(
                            held.epoch > world.accepted,
                            "an earlier epoch was accepted after a later one"
                        );
                        world.accepted = held.epoch;
                        world.fence = fence;
                    });
                }
            }
        }
        for place in 0..self.late.len() {
            add(&|world| {
                let request = world.late.remove(place);
                world.carry_out(request);
            });
        }
        all
    }

    fn take(&mut self, n: usize, request: Request, reply: Reply, takes_over: bool) {
        self.servers[n].under_way = None;
        let current = self.servers[n].lease;
        let answer = match reply {
            Reply::LeaseGone => {
                self.servers[n].tenure.failed(request.step);
                return;
            }
            Reply::Put(revision) => EtcdAnswer::Put(revision),
            Reply::Found(stored) => EtcdAnswer::Found(stored.map(|stored| World::state(n, stored))),
            Reply::Deleted => EtcdAnswer::Deleted,
        };
        if let (true, EtcdAnswer::Found(Some(found))) = (takes_over, &answer) {
            self.servers[n].takes_over = Some(found.revision);
        }
        let tenure = &mut self.servers[n].tenure;
        let verdict = tenure.answered(&answer, (request.session, request.lease), current, takes_over);
        if let Some(ClaimVerdict::Granted(epoch)) = verdict {
            assert_eq!(tenure.held().map(|held| held.epoch), Some(epoch));
        }
    }

    fn renew(&mut self, n: usize) {
        self.leases += 1;
        self.alive.push(self.leases);
        self.servers[n].lease = Some(self.leases);
        self.servers[n].tenure.leased(self.leases);
    }

    fn check(&self) {
        for (n, server) in self.servers.iter().enumerate() {
            for other in &self.servers[n + 1..] {
                let epochs =
                    [server.tenure.held(), other.tenure.held()].map(|held| held.map(|held| held.epoch));
                assert!(epochs[0].is_none() || epochs[0] != epochs[1], "an epoch of two servers: {self:?}");
            }
        }
        let is_at_rest = self.late.is_empty()
            && self.servers.iter().all(|server| {
                server.under_way.is_none()
                    && !server.tenure.has_work()
                    && server.watched == self.changes.len()
                    && server.lease.is_some_and(|lease| self.alive.contains(&lease))
            });
        if !is_at_rest {
            return;
        }
        for (n, server) in self.servers.iter().enumerate() {
            let stored = self.stored.filter(|stored| stored.0 == n);
            let kept = stored.map(|stored| (stored.1, stored.2, stored.3));
            let held = server.tenure.held().map(|held| (held.session, held.lease, held.epoch));
            assert_eq!(kept, held, "etcd and server {n} differ at rest: {self:?}");
            assert_eq!(server.tenure.wanted(), held.map(|held| held.0), "at rest: {self:?}");
        }
    }
}

/// How often something happens at most.
#[derive(Clone, Copy)]
struct Budget {
    arrivals: u8,
    releases: u8,
    expiries: u8,
    losses: u8,
    takeovers: u8,
}

fn search(budget: Budget) -> usize {
    let mut seen = HashSet::new();
    let mut open = vec![World::new(budget)];
    while let Some(world) = open.pop() {
        if !seen.insert(fingerprint(&world)) {
            continue;
        }
        world.check();
        open.extend(world.successors());
    }
    seen.len()
}

/// 128 bits of a state: two different states with the same ones are not to be expected.
fn fingerprint(world: &World) -> [u64; 2] {
    use std::hash::{BuildHasher, Hash, Hasher};
    [1_u64, 2].map(|salt| {
        let mut hasher = rustc_hash::FxBuildHasher.build_hasher();
        salt.hash(&mut hasher);
        world.hash(&mut hasher);
        hasher.finish()
    })
}

#[test]
fn no_epoch_is_accepted_after_a_later_one_in_any_interleaving() {
    let mut states = 0;
    // Arrivals, releases, expiries, losses and takeovers.
    let usual = [
        (3, 0, 0, 0, 0),
        (2, 0, 1, 0, 0),
        (2, 1, 0, 1, 0),
        (3, 0, 0, 0, 2),
        (2, 1, 0, 0, 1),
        (2, 0, 0, 1, 2),
    ];
    let long = [
        (3, 1, 0, 0, 0),
        (2, 1, 1, 0, 0),
        (2, 0, 1, 0, 1),
        (2, 1, 0, 1, 1),
        (3, 1, 0, 0, 2),
        (3, 0, 0, 1, 1),
    ];
    let long = long.into_iter().filter(|_| std::env::var_os("PINGOSD_CLUSTER_LONG").is_some());
    for (arrivals, releases, expiries, losses, takeovers) in usual.into_iter().chain(long) {
        let began = std::time::Instant::now();
        let found = search(Budget { arrivals, releases, expiries, losses, takeovers });
        let took = began.elapsed().as_secs_f32();
        println!("{arrivals} {releases} {expiries} {losses} {takeovers}: {found} states in {took:.1} s");
        states += found;
    }
    assert!(states > 10_000, "only {states} states were found");
}
