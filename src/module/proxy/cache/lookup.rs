//! What the cache has for a request, and what becomes of the response where it has nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bstr::{BStr, BString, ByteSlice};
use http::Method;
use parking_lot::Mutex;

use super::super::conf::{CacheMethods, Current, NextUpstream, UseStale};
use super::super::head::ResponseHead;
use super::super::log;
use super::super::request::RequestHead;
use super::fill::Filling;
use super::format::Meta;
use super::freshness::Freshness;
use super::index::Entered;
use super::keeper::Zones;
use super::key::{self, Key};
use super::status::{CacheStatus, CacheVars};
use super::values::{CacheValid, CacheZone};
use super::zone::{Claim, Entry, Zone};
use crate::config::store::Store;
use crate::http::date;
use crate::http::exchange::Exchange;
use crate::limits;

/// The use of the cache by a request that is forwarded.
#[derive(Debug)]
pub(in super::super) struct CacheUse {
    pub(in super::super) status: CacheStatus,
    zones: Arc<Zones>,
    zone: Arc<Zone>,
    claim: Option<Claim>,
    main: Key,
    text: BString,
    is_variant: bool,
    /// What is too old.
    pub(in super::super) stale: Option<Arc<Entry>>,
    /// Whether that may be used where it cannot be replaced, as it says itself.
    has_time_for_errors: bool,
    /// Whether the response may be kept, as far as the request decides.
    pub(in super::super) is_cacheable: bool,
    /// The request of a background update: variables may have other values by then (`$slice_range`).
    pub(in super::super) request: Option<RequestHead>,
    /// Counts a background update.
    _place: Option<UpdatePlace>,
}

/// What was found for a request.
#[derive(Debug)]
pub(in super::super) enum Found {
    /// The cache is not used.
    Unused,
    /// A response; and what is to be replaced beside it.
    Answer(Arc<Entry>, CacheStatus, Option<Box<CacheUse>>),
    /// The status that was answered before.
    Status(u16),
    /// The request is forwarded.
    Fetch(Box<CacheUse>),
    /// The zone that variables name is unknown.
    NoZone(BString),
}

/// What a request that replaces a response takes over from the one that was answered with it.
#[derive(Clone, Debug)]
struct Handover(Arc<Mutex<Option<Box<CacheUse>>>>);

/// Number of background updates.
static UPDATES: AtomicUsize = AtomicUsize::new(0);

/// A place among the background updates, until it is dropped.
#[derive(Debug)]
struct UpdatePlace;

impl UpdatePlace {
    fn take() -> Option<UpdatePlace> {
        let add = |number: usize| (number < limits::PROXY_CACHE_UPDATES).then_some(number + 1);
        UPDATES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok().map(|_| UpdatePlace)
    }
}

impl Drop for UpdatePlace {
    fn drop(&mut self) {
        UPDATES.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Looks for a response. `text` gives the text of the key. Waits for another request's response where `proxy_cache_lock` says so.
pub(in super::super) async fn find(
    zones: &Arc<Zones>,
    store: &Store,
    exchange: &mut Exchange<'_>,
    conf: &Current,
    text: impl FnOnce(&Exchange<'_>) -> Vec<u8>,
) -> Found {
    if let Some(handed) = exchange.kept.remove::<Handover>().and_then(|over| over.0.lock().take()) {
        return Found::Fetch(handed);
    }
    let is_asked = match *exchange.method() {
        Method::GET | Method::HEAD => true,
        Method::POST => conf.cache_methods.0.is_some_and(|methods| methods.contains(CacheMethods::POST)),
        _ => false,
    };
    if !is_asked {
        return Found::Unused;
    }
    let evaluated;
    let name: &[u8] = match &conf.cache {
        CacheZone::Off => return Found::Unused,
        CacheZone::Zone(name) => name,
        CacheZone::Variable(name) => {
            evaluated = exchange.expand(name);
            match &evaluated[..] {
                b"" | b"off" => return Found::Unused,
                name => name,
            }
        }
    };
    let Some(zone) = zones.find(name, &store.load(), store.generation()) else {
        return match &conf.cache {
            CacheZone::Variable(_) => Found::NoZone(name.into()),
            // A reload has removed it since the request began.
            _ => Found::Unused,
        };
    };
    let text = text(exchange);
    let mut using = Box::new(CacheUse {
        status: CacheStatus::Miss,
        zones: zones.clone(),
        zone,
        claim: None,
        main: key::main(&text),
        text: text.into(),
        is_variant: false,
        stale: None,
        has_time_for_errors: false,
        is_cacheable: true,
        request: None,
        _place: None,
    });
    if exchange.holds_any(&conf.cache_bypass) {
        using.status = CacheStatus::Bypass;
        return Found::Fetch(using);
    }
    let found = using.look(exchange, conf).await;
    match found {
        Found::Fetch(mut using) => {
            using.is_cacheable &= is_range_cacheable(exchange, conf);
            Found::Fetch(using)
        }
        found => found,
    }
}

impl CacheUse {
    async fn look(mut self: Box<Self>, exchange: &Exchange<'_>, conf: &Current) -> Found {
        let patience = Instant::now() + conf.cache_lock_timeout.duration();
        let mut key = self.main;
        loop {
            let Some((mut claim, entered)) = self.zone.enter(&key, conf.cache_min_uses) else {
                self.is_cacheable = false;
                return Found::Fetch(self);
            };
            let is_cold = self.zone.is_cold.load(Ordering::Relaxed);
            let may_exist = match entered {
                Entered::Error(status) => return Found::Status(status),
                Entered::Known(has_file) => has_file || is_cold,
                Entered::New | Entered::Scarce | Entered::Full => is_cold,
            };
            let mut opened = match may_exist {
                true => self.zone.open(&key, &self.text).await,
                false => None,
            };
            if let Some(entry) = opened.take_if(|entry| !entry.meta.vary.is_empty()) {
                let variant = variant(exchange, &self.main, &entry.meta.vary);
                if variant == entry.meta.variant {
                    opened = Some(entry);
                } else if !self.is_variant {
                    (key, self.is_variant) = (variant, true);
                    continue;
                }
            }
            if let Some(entry) = opened {
                return self.found(conf, claim, entry);
            }
            if entered == Entered::Scarce {
                self.is_cacheable = false;
                return Found::Fetch(self);
            }
            if !conf.cache_lock || claim.begin(Some(conf.cache_lock_age.duration())) {
                self.claim = Some(claim);
                return Found::Fetch(self);
            }
            if Instant::now() >= patience {
                log::cache_lock_timeout(exchange);
                self.is_cacheable = false;
                return Found::Fetch(self);
            }
            // What is counted is a request, not each of its looks.
            self.zone.wait(&key, patience).await;
            drop(claim);
        }
    }

    /// A response was found, fresh or not.
    fn found(mut self: Box<Self>, conf: &Current, mut claim: Claim, entry: Arc<Entry>) -> Found {
        let (meta, now) = (&entry.meta, date::now());
        if meta.valid >= now {
            return Found::Answer(entry, CacheStatus::Hit, None);
        }
        let may_update =
            meta.valid.saturating_add(meta.updating) >= now || uses_stale(conf, UseStale::UPDATING);
        self.has_time_for_errors = meta.valid.saturating_add(meta.error) >= now;
        let is_first = claim.begin(None);
        if !is_first && may_update {
            return Found::Answer(entry, CacheStatus::Updating, None);
        }
        self.status = CacheStatus::Expired;
        self.claim = Some(claim);
        self.stale = Some(entry.clone());
        if may_update && conf.cache_background_update {
            let place = UpdatePlace::take();
            let update = place.is_some().then(|| {
                self._place = place;
                self
            });
            return Found::Answer(entry, CacheStatus::Stale, update);
        }
        Found::Fetch(self)
    }

    /// Replaces the response beside the request, which is answered with the old one.
    pub(in super::super) fn update(self: Box<Self>, exchange: &Exchange<'_>) {
        let over = Handover(Arc::new(Mutex::new(Some(self))));
        exchange.repeat_beside(|kept| drop(kept.insert(over)));
    }

    /// What variables have.
    pub(in super::super) fn vars(&self, conf: &Current) -> CacheVars {
        let meta = self.stale.as_ref().map(|entry| &entry.meta).filter(|_| conf.cache_revalidate);
        CacheVars {
            status: self.status,
            modified: meta.and_then(|meta| meta.modified),
            tag: meta.map(|meta| meta.tag.clone()).unwrap_or_default(),
        }
    }

    /// The old response, if it is used in a case of failure.
    pub(in super::super) fn in_failure(&self, conf: &Current, case: NextUpstream) -> Option<Arc<Entry>> {
        let is_used = uses_stale(conf, UseStale::from_bits_truncate(case.bits())) || self.has_time_for_errors;
        self.stale.clone().filter(|_| is_used)
    }

    /// The old response, if it is used where the backend answers with a status.
    pub(in super::super) fn instead_of(&self, conf: &Current, case: NextUpstream) -> Option<Arc<Entry>> {
        let is_used = uses_stale(conf, UseStale::from_bits_truncate(case.bits()));
        self.stale.clone().filter(|_| is_used)
    }

    /// Answers an error from now on without asking the backend, if `proxy_cache_valid` says so.
    pub(in super::super) fn keep_error(mut self: Box<Self>, conf: &Current, status: u16, valid: Option<i64>) {
        let now = date::now();
        let usual = CacheValid::of(&conf.cache_valid, status);
        let until = valid.or_else(|| (usual > 0).then(|| now.saturating_add(usual)));
        if let (Some(until), true, Some(claim)) = (until, self.is_cacheable, &mut self.claim) {
            claim.keep_error(status, until);
        }
    }

    /// The old response, which the backend has said to be unchanged with these headers.
    pub(in super::super) fn revalidated(&self, conf: &Current, head: &ResponseHead) -> Option<Arc<Entry>> {
        let entry = self.stale.clone()?;
        let now = date::now();
        let said = read(conf, head, now);
        let said = if said.valid.is_some() { said } else { read(conf, &entry.head, now) };
        let usual = CacheValid::of(&conf.cache_valid, entry.head.status);
        let valid = said.valid.or_else(|| (usual > 0).then(|| now.saturating_add(usual)));
        if let (Some(valid), Some(claim)) = (valid, &self.claim) {
            self.zone.renew(claim.key, &entry, |meta| {
                (meta.valid, meta.date, meta.updating, meta.error) = (valid, now, said.updating, said.error);
            });
        }
        Some(entry)
    }

    /// What is to be kept of a response. `None` if it is not kept.
    pub(in super::super) fn kept(
        mut self: Box<Self>,
        exchange: &Exchange<'_>,
        conf: &Current,
        head: &ResponseHead,
        said: Freshness,
    ) -> Option<Filling> {
        if !self.is_cacheable
            || !said.is_cacheable
            || exchange.holds_any(&conf.no_cache)
            || !conf.buffers(&head.headers)
        {
            return None;
        }
        let now = date::now();
        let usual = CacheValid::of(&conf.cache_valid, head.status);
        let valid = said.valid.or_else(|| (usual > 0).then(|| now.saturating_add(usual)))?;
        let variant = match said.vary.is_empty() {
            true => Key::default(),
            false => variant(exchange, &self.main, &said.vary),
        };
        let claim = match self.claim.take() {
            // As in nginx, what varies by something else now replaces what the key leads to first.
            Some(claim) if !self.is_variant || claim.key == variant => claim,
            claim => {
                drop(claim);
                self.zone.enter(&self.main, 1)?.0
            }
        };
        let has_date = matches!(head.status, 200 | 206);
        let header = |name: &[u8]| head.headers.get(name).filter(|_| has_date);
        let meta = Meta {
            valid,
            updating: said.updating,
            error: said.error,
            date: now,
            modified: header(b"Last-Modified").and_then(|text| date::seconds(text)),
            tag: header(b"ETag")
                .filter(|tag| tag.len() <= limits::PROXY_CACHE_VARY)
                .map(ToOwned::to_owned)
                .unwrap_or_default(),
            vary: said.vary,
            variant,
            key: self.text.clone(),
            body: 0,
        };
        let temp_path = self.zone.temp_path(&conf.temp_path);
        let (zones, zone) = (self.zones.clone(), self.zone.clone());
        let place = self._place.take();
        let done = Box::new(move || {
            drop(place);
            zones.look(&zone);
        });
        Some(Filling { claim, meta, head: head.clone(), temp_path, done })
    }
}

/// What the headers of a response say.
pub(in super::super) fn read(conf: &Current, head: &ResponseHead, now: i64) -> Freshness {
    Freshness::read(&head.headers, conf.ignore_headers.0.unwrap_or_default(), now)
}

fn uses_stale(conf: &Current, case: UseStale) -> bool {
    let used = conf.cache_use_stale.0.unwrap_or_default();
    !case.is_empty() && used.contains(case) && !used.contains(UseStale::OFF)
}

/// Key of the variant that a request asks for.
fn variant(exchange: &Exchange<'_>, main: &Key, vary: &[u8]) -> Key {
    key::variant(main, vary, |name| -> Vec<&BStr> {
        let all = exchange.request.headers();
        all.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_bstr()).collect()
    })
}

/// `proxy_cache_max_range_offset`: whether the whole is fetched for a range.
fn is_range_cacheable(exchange: &Exchange<'_>, conf: &Current) -> bool {
    let Some(most) = conf.cache_max_range_offset else { return true };
    let Some(range) = exchange.request.header("range") else { return true };
    if most.0 == 0 {
        return false;
    }
    if range.len() < 7 || !range[..6].eq_ignore_ascii_case(b"bytes=") {
        return true;
    }
    let first = range[6..].trim_start_with(|c| c == ' ');
    if first.starts_with(b"-") {
        return false;
    }
    let end = first.iter().position(|b| !b.is_ascii_digit()).unwrap_or(first.len());
    crate::directive::number::digits(&first[..end]).is_none_or(|offset| offset < most.0)
}
