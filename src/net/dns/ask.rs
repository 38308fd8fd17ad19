//! DNS queries.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, TokioResolver, system_conf};
use tokio::sync::OnceCell;

use super::answer::{Addresses, LookupError, ServiceHost};
use super::in_turn::ServersInTurn;
use crate::directive::ListenAddr;
use crate::directive::address::listen_addrs;
use crate::limits;
use crate::net::resolver::server::{PORT, Resolver};

/// Name servers and parameters of queries.
pub(super) struct NameServers {
    servers: Servers,
    families: &'static [RecordType],
    timeout: Duration,
    hosts: Hosts,
    is_strict: bool,
    /// Created at the first query, because a name server may be given by name.
    resolver: OnceCell<TokioResolver>,
    /// Created with it, for servers that are asked as nginx asks.
    in_turn: OnceCell<ServersInTurn>,
}

enum Servers {
    /// `/etc/resolv.conf`.
    System,
    /// Servers of the `resolver` directive.
    Given(Vec<String>),
}

impl NameServers {
    /// `timeout` is the timeout of a whole lookup; `is_strict` is whether they are asked as nginx asks: one after the
    /// other, without `/etc/hosts`.
    pub(super) fn new(resolver: Option<&Resolver>, timeout: Duration, is_strict: bool) -> Self {
        let servers = match resolver {
            None => Servers::System,
            Some(resolver) => Servers::Given(resolver.servers.iter().map(ToString::to_string).collect()),
        };
        NameServers {
            servers,
            families: match resolver.map(|resolver| (resolver.ipv4, resolver.ipv6)) {
                Some((true, false)) => &[RecordType::A],
                Some((false, true)) => &[RecordType::AAAA],
                _ => &[RecordType::A, RecordType::AAAA],
            },
            timeout,
            // A missing file counts as empty.
            hosts: if is_strict { Hosts::default() } else { Hosts::from_system().unwrap_or_default() },
            is_strict,
            resolver: OnceCell::new(),
            in_turn: OnceCell::new(),
        }
    }

    /// Addresses in `/etc/hosts`.
    pub(super) fn hosts_file(&self, host: &str) -> Option<Addresses> {
        let name = Name::from_str(host).ok()?;
        let of = |kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind));
        let found: Vec<IpAddr> =
            self.families.iter().filter_map(|kind| of(*kind)).flat_map(|lookup| addresses(&lookup)).collect();
        (!found.is_empty()).then(|| found.into())
    }

    /// Queries the addresses of a name and their lifetime.
    pub(super) async fn addresses(&self, host: &str) -> Result<(Addresses, Duration), LookupError> {
        let name =
            Name::from_str(host).map_err(|_| LookupError::NotFound(host.escape_debug().to_string()))?;
        if let (true, Servers::Given(servers)) = (self.is_strict, &self.servers) {
            return self.addresses_in_turn(servers, host, name).await;
        }
        let resolver = self.resolver.get_or_try_init(|| self.connect()).await?;
        let useful =
            |answer: &Result<Lookup, NetError>| answer.as_ref().is_ok_and(|l| !addresses(l).is_empty());
        let answers = self.of_families(|family| resolver.lookup(name.clone(), family), useful).await;
        let mut found = Vec::new();
        let mut ttl = u32::MAX;
        for lookup in answers.iter().flatten().flatten() {
            found.extend(addresses(lookup));
            ttl = lookup.answers().iter().map(|record| record.ttl).fold(ttl, u32::min);
        }
        if !found.is_empty() {
            found.truncate(limits::DNS_ADDRESSES);
            return Ok((found.into(), Duration::from_secs(ttl.into())));
        }
        // With a failure in one family, the name may still have addresses.
        let failure = answers.iter().flatten().filter_map(|answer| answer.as_ref().err());
        match failure.into_iter().find(|error| !error.is_no_records_found()) {
            Some(error) => Err(failed(host, error)),
            None => Err(LookupError::NotFound(host.into())),
        }
    }

    /// As nginx: a refusal of one family is one of the name, and where neither family has an address, the last one says
    /// which other name it stands for.
    async fn addresses_in_turn(
        &self,
        servers: &[String],
        host: &str,
        mut name: Name,
    ) -> Result<(Addresses, Duration), LookupError> {
        let servers = self.in_turn.get_or_try_init(|| async {
            let servers = socket_addresses(servers).await?;
            Ok(ServersInTurn::new(servers, self.timeout))
        });
        let servers = servers.await?;
        let mut ttl = u32::MAX;
        for _ in 0..limits::DNS_ALIASES {
            let turn = servers.turn();
            let ask = |family| servers.ask(turn, &name, family);
            let answers = self.of_families(ask, |answer| !answer.addresses.is_empty()).await;
            let (mut found, mut alias) = (Vec::new(), None);
            for answer in answers.into_iter().flatten() {
                match answer.code {
                    ResponseCode::NoError => {}
                    ResponseCode::NXDomain => return Err(LookupError::NotFound(host.into())),
                    code => return Err(refused(host, code, code)),
                }
                found.extend(answer.addresses);
                alias = answer.alias;
                ttl = ttl.min(answer.ttl);
            }
            if !found.is_empty() {
                found.truncate(limits::DNS_ADDRESSES);
                return Ok((found.into(), Duration::from_secs(ttl.into())));
            }
            match alias {
                Some(alias) => name = alias,
                None => break,
            }
        }
        Err(LookupError::NotFound(host.into()))
    }

    /// Asks for each address family. Once one is known, the wait for the other is short.
    async fn of_families<T, F: Future<Output = T>>(
        &self,
        ask: impl Fn(RecordType) -> F,
        is_useful: impl Fn(&T) -> bool,
    ) -> [Option<T>; 2] {
        let &[one, other] = self.families else {
            let family = self.families.first().copied().unwrap_or(RecordType::A);
            return [Some(ask(family).await), None];
        };
        let (mut one, mut other) = (std::pin::pin!(ask(one)), std::pin::pin!(ask(other)));
        let wait = |first: &T| if is_useful(first) { limits::DNS_OTHER_FAMILY } else { Duration::MAX };
        tokio::select! {
            first = &mut one => {
                let wait = wait(&first);
                [Some(first), tokio::time::timeout(wait, other).await.ok()]
            }
            first = &mut other => {
                let wait = wait(&first);
                [tokio::time::timeout(wait, one).await.ok(), Some(first)]
            }
        }
    }

    /// Queries the hosts of a service and their lifetime.
    pub(super) async fn service(&self, name: &str) -> Result<(Arc<[ServiceHost]>, Duration), LookupError> {
        let wanted =
            Name::from_str(name).map_err(|_| LookupError::NotFound(name.escape_debug().to_string()))?;
        let resolver = self.resolver.get_or_try_init(|| self.connect()).await?;
        let lookup = resolver.lookup(wanted, RecordType::SRV).await.map_err(|error| {
            match error.is_no_records_found() {
                true => LookupError::NotFound(name.into()),
                false => failed(name, &error),
            }
        })?;
        let hosts = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(record) => Some(ServiceHost {
                name: record.target.to_utf8().into(),
                priority: record.priority,
                weight: record.weight,
                port: record.port,
            }),
            _ => None,
        });
        let hosts: Arc<[ServiceHost]> = hosts.take(limits::DNS_ADDRESSES).collect();
        let ttl = lookup.answers().iter().map(|record| record.ttl).min().unwrap_or(0);
        Ok((hosts, Duration::from_secs(ttl.into())))
    }

    async fn connect(&self) -> Result<TokioResolver, LookupError> {
        let (config, mut options) = match &self.servers {
            Servers::System => system_conf::read_system_conf()
                .map_err(|error| LookupError::Failed(format!("/etc/resolv.conf cannot be used ({error})")))?,
            Servers::Given(servers) => {
                (ResolverConfig::from_name_servers(name_servers(servers).await?), ResolverOpts::default())
            }
        };
        options.use_hosts_file = ResolveHosts::Never;
        options.cache_size = 0;
        // With them, an SRV record behind a CNAME record is not found.
        options.preserve_intermediates = false;
        if let (true, Servers::Given(servers)) = (self.is_strict, &self.servers) {
            // One after the other, so that a truncated answer is asked for once more over TCP; each gets its share of the time.
            options.num_concurrent_reqs = 1;
            let share = self.timeout / u32::try_from(servers.len()).unwrap_or(u32::MAX).max(1);
            options.timeout = share.min(limits::DNS_ANSWER);
        } else {
            options.timeout = self.timeout.min(limits::DNS_ANSWER);
        }
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder
            .with_options(options)
            .build()
            .map_err(|error| LookupError::Failed(format!("no resolver ({error})")))
    }
}

/// What the failure of a query means.
fn failed(host: &str, error: &NetError) -> LookupError {
    match error {
        NetError::Dns(DnsError::ResponseCode(code)) => refused(host, *code, error),
        NetError::Timeout => LookupError::Late(not_looked_up(host, error)),
        _ => LookupError::Failed(not_looked_up(host, error)),
    }
}

fn refused(host: &str, code: ResponseCode, why: impl Display) -> LookupError {
    LookupError::Refused(code.into(), not_looked_up(host, why))
}

fn not_looked_up(host: &str, why: impl Display) -> String {
    format!("host \"{host}\" could not be looked up ({why})")
}

fn addresses(lookup: &Lookup) -> Vec<IpAddr> {
    lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect()
}

async fn name_servers(written: &[String]) -> Result<Vec<NameServerConfig>, LookupError> {
    Ok(socket_addresses(written).await?.into_iter().map(server).collect())
}

/// Resolves name servers as written: addresses or names, optionally with a port. Unresolvable ones are skipped.
async fn socket_addresses(written: &[String]) -> Result<Vec<SocketAddr>, LookupError> {
    let mut servers = Vec::new();
    for text in written {
        let text = text.clone();
        let found = tokio::task::spawn_blocking(move || listen_addrs(text.as_bytes(), PORT)).await;
        servers.extend(found.into_iter().flatten().flatten().filter_map(|addr| match addr {
            ListenAddr::Tcp(addr) => Some(addr),
            ListenAddr::Unix(_) => None,
        }));
    }
    if servers.is_empty() {
        return Err(LookupError::Failed(format!("host not found in resolver \"{}\"", written.join(" "))));
    }
    servers.truncate(limits::DNS_SERVERS);
    Ok(servers)
}

fn server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}
