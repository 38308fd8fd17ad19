//! Servers of a group that are names, and what DNS tells of them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bstr::BString;
use tokio::sync::Mutex;

use super::server::{Peer, PeerAddr, Server, ServerPlace};
use crate::limits;
use crate::net::dns::{Addresses, Dns, LookupError, ServiceHost};

/// A server that is a name.
#[derive(Debug)]
pub(super) struct ServerName {
    /// As written.
    pub(super) address: BString,
    pub(super) question: Question,
    /// Whether a name that no longer has addresses has no peer.
    pub(super) is_resolved: bool,
    name: String,
    /// The hosts of a service as last asked.
    hosts: Arc<Mutex<Option<KnownHosts>>>,
}

/// The hosts of a service, and until when they count.
#[derive(Debug)]
struct KnownHosts {
    hosts: Result<Arc<[ServiceHost]>, LookupError>,
    until: Instant,
}

/// Addresses of a name.
#[derive(Clone, Debug)]
pub(super) enum NameAddresses {
    /// Of a host.
    Host(Addresses),
    /// Of the hosts of a service.
    Service(Vec<(ServiceHost, Addresses)>),
}

/// An address that a name has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FoundPlace {
    ip: IpAddr,
    /// Of a service.
    service: Option<ServiceTerms>,
}

/// What a service says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ServiceTerms {
    port: u16,
    weight: u32,
    /// Whether others come first.
    is_later: bool,
}

/// What was looked up: a name, and whether it is that of a service. A port is no part of it, so that addresses stay known
/// where a reload changes the port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question(BString, bool);

impl Question {
    /// That of a server; `None` if it is no name.
    pub(super) fn of(place: &ServerPlace) -> Option<Question> {
        match place {
            ServerPlace::Name(host, _) => Some(Question(host.clone(), false)),
            ServerPlace::Service(name) => Some(Question(name.clone(), true)),
            ServerPlace::Unix(_) | ServerPlace::Address(_) => None,
        }
    }
}

impl ServerName {
    pub(super) fn of(server: &Server) -> Option<ServerName> {
        let question = Question::of(&server.place)?;
        let name = question.0.to_string();
        Some(ServerName {
            address: server.address.clone(),
            question,
            is_resolved: server.resolve,
            name,
            hosts: Arc::default(),
        })
    }

    /// Looks the name up. `None` if it stays as it was.
    pub(super) async fn look_up(&self, dns: &Dns) -> Result<Option<NameAddresses>, LookupError> {
        if !self.question.1 {
            return Ok(Some(NameAddresses::Host(dns.lookup(&self.name).await?)));
        }
        let hosts = self.hosts(dns).await?;
        let mut found = Vec::with_capacity(hosts.len());
        for host in hosts.iter() {
            match dns.lookup(&host.name).await {
                Ok(addresses) => found.push((host.clone(), addresses)),
                Err(LookupError::NotFound(_)) => {}
                // As in nginx, the service stays as it was.
                Err(error) => return Err(error),
            }
        }
        Ok(Some(NameAddresses::Service(found)))
    }

    /// The hosts of a service. Requests that come meanwhile wait for the same answer; it is kept also where they give up.
    async fn hosts(&self, dns: &Dns) -> Result<Arc<[ServiceHost]>, LookupError> {
        if let Ok(known) = self.hosts.try_lock()
            && let Some(hosts) = valid(&known)
        {
            return hosts;
        }
        let (known, dns, name) = (self.hosts.clone(), dns.clone(), self.name.clone());
        let asking = tokio::spawn(async move {
            let mut known = known.lock().await;
            if let Some(hosts) = valid(&known) {
                return hosts;
            }
            let (hosts, lasts) = match dns.service(&name).await {
                Ok((hosts, lasts)) => (Ok(hosts), lasts),
                Err(error) => (Err(error), limits::DNS_RETRY),
            };
            *known = Some(KnownHosts { hosts: hosts.clone(), until: Instant::now() + lasts });
            hosts
        });
        let stopped = || Err(LookupError::Failed(format!("host \"{}\" could not be looked up", self.name)));
        asking.await.unwrap_or_else(|_| stopped())
    }
}

/// What is known, as long as it counts.
fn valid(known: &Option<KnownHosts>) -> Option<Result<Arc<[ServiceHost]>, LookupError>> {
    known.as_ref().filter(|known| Instant::now() < known.until).map(|known| known.hosts.clone())
}

impl NameAddresses {
    /// Those of a name that has none.
    pub(super) fn none() -> NameAddresses {
        NameAddresses::Service(Vec::new())
    }

    /// Whether these are known to be the same, without comparing all of them.
    pub(super) fn is_same(&self, other: &NameAddresses) -> bool {
        match (self, other) {
            (NameAddresses::Host(one), NameAddresses::Host(two)) => Arc::ptr_eq(one, two),
            (NameAddresses::Service(one), NameAddresses::Service(two)) => {
                let is_same = |((one, ones), (two, twos)): (&(_, Addresses), &(_, Addresses))| {
                    one == two && Arc::ptr_eq(ones, twos)
                };
                one.len() == two.len() && one.iter().zip(two).all(is_same)
            }
            _ => false,
        }
    }

    /// The addresses, within a bound.
    pub(super) fn places(&self) -> Vec<FoundPlace> {
        match self {
            NameAddresses::Host(ips) => {
                let places = ips.iter().map(|ip| FoundPlace { ip: *ip, service: None });
                places.take(limits::DNS_ADDRESSES).collect()
            }
            NameAddresses::Service(hosts) => {
                let first = hosts.iter().map(|(host, _)| host.priority).min();
                let places = hosts.iter().flat_map(|(host, ips)| {
                    // A weight of zero is a small one.
                    let weight = u32::from(host.weight).max(1);
                    let is_later = Some(host.priority) != first;
                    let service = Some(ServiceTerms { port: host.port, weight, is_later });
                    ips.iter().map(move |ip| FoundPlace { ip: *ip, service })
                });
                places.take(limits::DNS_ADDRESSES).collect()
            }
        }
    }
}

/// Whether the same addresses have come in another order.
pub(super) fn is_rotated(known: &[FoundPlace], found: &[FoundPlace]) -> bool {
    known.len() == found.len() && found.iter().all(|place| known.contains(place))
}

impl FoundPlace {
    /// The peer of this rank at the address. As in nginx, a server that is a backup has the hosts of its service that come first.
    pub(super) fn peer(&self, server: &Arc<Server>, backup: bool) -> Option<Peer> {
        let at = |port| PeerAddr::Tcp(SocketAddr::new(self.ip, port));
        match (&self.service, &server.place) {
            (None, ServerPlace::Name(_, port)) => {
                (server.backup == backup).then(|| Peer::new(at(*port), server.clone()))
            }
            (Some(terms), _) => {
                let is_of_rank =
                    if server.backup { backup && !terms.is_later } else { backup == terms.is_later };
                is_of_rank.then(|| {
                    let weight = if server.weight == 1 { terms.weight } else { server.weight };
                    Peer::new(at(terms.port), Arc::new(Server { weight, ..Server::clone(server) }))
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(priority: u16, weight: u16, port: u16) -> (ServiceHost, Addresses) {
        let host = ServiceHost { name: "a.h".into(), priority, weight, port };
        (host, [[192, 0, 2, 1].into()].into())
    }

    #[test]
    fn hosts_of_a_service_have_their_ports_weights_and_ranks() {
        let addresses = NameAddresses::Service(vec![host(1, 5, 80), host(1, 0, 81), host(2, 6, 82)]);
        let places = addresses.places();
        let of = |server: Server, backup| {
            let server = Arc::new(server);
            let peers = places.iter().filter_map(|place| place.peer(&server, backup));
            peers.map(|peer| format!("{} {}", peer.name, peer.server.weight)).collect::<Vec<_>>().join(", ")
        };
        let plain = || Server::plain("h".into(), ServerPlace::Service("_http._tcp.h".into()));
        assert_eq!(of(plain(), false), "192.0.2.1:80 5, 192.0.2.1:81 1");
        assert_eq!(of(plain(), true), "192.0.2.1:82 6");
        let backup = Server { backup: true, weight: 3, ..plain() };
        assert_eq!(of(backup.clone(), false), "");
        assert_eq!(of(backup, true), "192.0.2.1:80 3, 192.0.2.1:81 3");
    }

    #[test]
    fn what_comes_in_another_order_is_the_same() {
        let addresses = NameAddresses::Service(vec![host(1, 5, 80), host(1, 5, 81)]);
        let places = addresses.places();
        assert!(is_rotated(&places, &[places[1], places[0]]));
        assert!(!is_rotated(&places, &places[..1]));
        assert!(addresses.is_same(&addresses.clone()));
        assert!(!addresses.is_same(&NameAddresses::none()));
    }
}
