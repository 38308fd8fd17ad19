//! Host name resolution for callbacks, relays, and `push` and `pull` lines.
//!
//! There is one [`Dns`] per process. Answers are cached for their TTL, within bounds; names in use are refreshed before
//! they expire, so that connections rarely wait. While no name server answers, the last answers continue to be used.

mod answer;
mod ask;
mod cache;
mod in_turn;
mod system;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::{Semaphore, watch};

pub use self::answer::{Addresses, LookupError, ServiceHost};
use self::ask::NameServers;
use self::cache::{CachedName, NameCache};
use super::resolver::server::Resolver;
use crate::config::model::Config;
use crate::limits;
use crate::net::log;
use crate::net::{client, resolver};

/// DNS resolver with a cache; clones share everything.
#[derive(Clone)]
pub struct Dns(Arc<DnsInner>);

struct DnsInner {
    terms: ArcSwap<ResolverState>,
    names: Mutex<NameCache>,
    changed: watch::Sender<()>,
    /// Permits for concurrent queries.
    places: Semaphore,
}

/// Settings in force and everything derived from them.
struct ResolverState {
    settings: DnsSettings,
    system: system::FileStamp,
    ask: NameServers,
}

/// Settings of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DnsSettings {
    resolver: Option<Resolver>,
    /// Timeout of a lookup.
    timeout: Duration,
    /// Refresh interval of names in use; `None` disables caching.
    refresh: Option<Duration>,
    /// As nginx's `resolver` for HTTP: `/etc/hosts` is not read, answers count no longer than they are to, failures are not kept.
    is_strict: bool,
}

impl Dns {
    /// Creates a resolver; needs no runtime and sends no query yet.
    pub fn new(config: &Config) -> Self {
        let terms = ResolverState::new(DnsSettings::of(config));
        Dns(Arc::new(DnsInner {
            terms: ArcSwap::from_pointee(terms),
            names: Mutex::default(),
            changed: watch::Sender::new(()),
            places: Semaphore::new(limits::DNS_QUESTIONS),
        }))
    }

    /// Creates a resolver with its own name servers, for a part of the configuration. As in nginx, it does not read
    /// `/etc/hosts`, and while no name server answers, the last answers are not used.
    pub fn of_servers(resolver: Resolver, timeout: Duration) -> Self {
        let settings = DnsSettings {
            resolver: Some(resolver),
            timeout,
            refresh: Some(limits::DNS_REFRESH),
            is_strict: true,
        };
        Dns(Arc::new(DnsInner {
            terms: ArcSwap::from_pointee(ResolverState::new(settings)),
            names: Mutex::default(),
            changed: watch::Sender::new(()),
            places: Semaphore::new(limits::DNS_QUESTIONS),
        }))
    }

    /// Applies a reloaded configuration. If the name servers changed, all names are queried again, including queries in
    /// progress; cached answers stay as a fallback.
    pub fn apply(&self, config: &Config) {
        let settings = DnsSettings::of(config);
        if self.0.terms.load().settings != settings {
            self.replace(settings);
        }
    }

    /// Addresses of `host`: a name, or an address without brackets.
    ///
    /// # Errors
    ///
    /// The name does not exist, or no name server gives a usable answer.
    pub async fn lookup(&self, host: &str) -> Result<Addresses, LookupError> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok([address].into());
        }
        if let Some(addresses) = self.0.terms.load().ask.hosts_file(host) {
            return Ok(addresses);
        }
        let now = Instant::now();
        let entry = self.0.names.lock().entry(host, now);
        if let Some(known) = entry.known(now) {
            return known;
        }
        let last = entry.last().filter(|_| !self.0.terms.load().settings.is_strict);
        let (dns, asked) = (self.clone(), entry.clone());
        // The caller may give up; the answer is then cached for the next lookup.
        let asking = tokio::spawn(async move { dns.refresh(&asked, now).await });
        let patience = if last.is_some() { limits::DNS_PATIENCE } else { Duration::MAX };
        match (tokio::time::timeout(patience, asking).await, last) {
            (Ok(Ok(answer)), _) => answer,
            (Err(_), Some(last)) => Ok(last),
            _ => Err(LookupError::Failed(format!("host \"{host}\" could not be looked up"))),
        }
    }

    /// Hosts of a service: a name such as `_http._tcp.example.net`, and the time for which they count. They are not cached.
    ///
    /// # Errors
    ///
    /// The name has no such records, or no name server gives a usable answer.
    pub async fn service(&self, name: &str) -> Result<(Arc<[ServiceHost]>, Duration), LookupError> {
        // The semaphore is never closed.
        let _place = self.0.places.acquire().await;
        let terms = self.0.terms.load_full();
        let (hosts, ttl) = terms.in_time(name, terms.ask.service(name)).await?;
        Ok((hosts, terms.settings.lasts(ttl)))
    }

    /// Refreshes names in use before they expire. Runs as long as the process.
    pub async fn keep_fresh(self) {
        let mut changed = self.0.changed.subscribe();
        loop {
            let refresh = self.0.terms.load().settings.refresh;
            let interval = refresh.unwrap_or(limits::DNS_REFRESH);
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                _ = changed.changed() => continue,
            }
            self.look_at_system();
            if refresh.is_none() {
                continue;
            }
            let now = Instant::now();
            let due = self.0.names.lock().due(now, now + interval);
            for entry in due {
                let dns = self.clone();
                // Concurrently, so that an unreachable name server does not delay other names.
                tokio::spawn(async move { dns.refresh(&entry, now + interval).await });
            }
        }
    }

    /// Checks `/etc/resolv.conf` and `/etc/hosts`, which may change at any time.
    fn look_at_system(&self) {
        let terms = self.0.terms.load();
        if terms.system != system::FileStamp::now() {
            let settings = terms.settings.clone();
            drop(terms);
            self.replace(settings);
        }
    }

    fn replace(&self, settings: DnsSettings) {
        self.0.terms.store(Arc::new(ResolverState::new(settings)));
        self.0.names.lock().expire();
        self.0.changed.send_replace(());
    }

    /// Queries a name unless the cached result is valid until `due`. Concurrent callers wait for the same answer.
    async fn refresh(&self, entry: &CachedName, due: Instant) -> Result<Addresses, LookupError> {
        let _turn = entry.turn.lock().await;
        // Those that have waited for an answer take it, however short it counts.
        let at = if self.0.terms.load().settings.is_strict { due } else { due.max(Instant::now()) };
        if let Some(known) = entry.known(at) {
            return known;
        }
        // The semaphore is never closed.
        let _place = self.0.places.acquire().await;
        let mut changed = self.0.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let terms = self.0.terms.load_full();
            let answer = tokio::select! {
                answer = terms.ask(&entry.host) => answer,
                _ = changed.changed() => continue,
            };
            if let Some(outcome) = self.remember(entry, &terms, answer) {
                return outcome;
            }
        }
    }

    /// Stores the result of a query. `None` if the settings changed in the meantime: the result comes from the wrong
    /// servers.
    fn remember(
        &self,
        entry: &CachedName,
        terms: &Arc<ResolverState>,
        answer: Result<(Addresses, Duration), LookupError>,
    ) -> Option<Result<Addresses, LookupError>> {
        // Under the lock: a change of settings either comes before, and the result is discarded, or after, and expires
        // it.
        let names = self.0.names.lock();
        if !Arc::ptr_eq(terms, &self.0.terms.load()) {
            return None;
        }
        match answer {
            Ok((addresses, ttl)) => {
                let again = entry.learned(addresses.clone(), terms.settings.lasts(ttl));
                drop(names);
                if again {
                    log::host_found_again(&entry.host);
                }
                Some(Ok(addresses))
            }
            Err(error) => {
                let is_strict = terms.settings.is_strict;
                let (kept, is_first) = if is_strict { entry.refused(&error) } else { entry.failed(&error) };
                drop(names);
                match &kept {
                    // The caller logs the error.
                    None if is_strict => {}
                    Some(_) if is_first => log::host_kept(&entry.host, &error),
                    None if is_first => log::host_not_found(&error),
                    _ => {}
                }
                Some(kept.ok_or(error))
            }
        }
    }
}

impl Resolve for Dns {
    fn resolve(&self, name: Name) -> Resolving {
        let dns = self.clone();
        Box::pin(async move {
            let addresses = dns.lookup(name.as_str()).await?;
            let found: Vec<SocketAddr> = addresses.iter().map(|ip| SocketAddr::new(*ip, 0)).collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

impl DnsSettings {
    fn of(config: &Config) -> Self {
        let conf = config.events.get::<resolver::conf::Current>();
        let keeps = config.get::<client::conf::Current>().dynamic_resolver;
        DnsSettings {
            resolver: conf.resolver.clone(),
            timeout: conf.timeout.duration(),
            refresh: conf.refresh.nonzero().filter(|_| keeps),
            is_strict: false,
        }
    }

    /// Lifetime of an answer with this TTL.
    fn lasts(&self, ttl: Duration) -> Duration {
        let valid = self.resolver.as_ref().and_then(|resolver| resolver.valid);
        match (self.refresh, valid) {
            (None, _) => Duration::ZERO,
            (Some(_), Some(valid)) => valid.duration(),
            (Some(_), None) if self.is_strict => ttl.min(limits::DNS_TTL_MOST),
            (Some(_), None) => ttl.clamp(limits::DNS_TTL_LEAST, limits::DNS_TTL_MOST),
        }
    }
}

impl ResolverState {
    fn new(settings: DnsSettings) -> Self {
        let system = system::FileStamp::now();
        let ask = NameServers::new(settings.resolver.as_ref(), settings.timeout, settings.is_strict);
        ResolverState { settings, system, ask }
    }

    /// Queries the addresses of a name and their lifetime.
    async fn ask(&self, host: &str) -> Result<(Addresses, Duration), LookupError> {
        self.in_time(host, self.ask.addresses(host)).await
    }

    async fn in_time<T>(
        &self,
        host: &str,
        answer: impl Future<Output = Result<T, LookupError>>,
    ) -> Result<T, LookupError> {
        let timeout = self.settings.timeout;
        tokio::time::timeout(timeout, answer).await.unwrap_or_else(|_| {
            let limit = timeout.as_millis();
            Err(LookupError::Late(format!("host \"{host}\" not looked up within {limit} ms")))
        })
    }
}
