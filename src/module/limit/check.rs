//! The checks of `limit_req` and `limit_conn`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bstr::{BStr, ByteSlice};
use http::StatusCode;
use parking_lot::Mutex;

use super::conf::{Current, DefinedZones, LimitZones};
use super::conn::{self, ConnGuard, ConnLimit, ConnVerdict};
use super::log;
use super::req::{self, ReqLimit, ReqVerdict};
use super::zone::Zone;
use super::zones::KeptZones;
use crate::http::exchange::{
    Check, Decision, Exchange, Lookup, PhaseCheck, RequestVariables, VariableLookup,
};
use crate::http::leaving::OnLeaving;
use crate::http::routes::Location;

/// The states of all zones, kept over reloads.
pub struct ZoneKeeper {
    latest: Mutex<LatestZones>,
    began: Instant,
}

/// The zones of the configuration that was asked for last.
#[derive(Default)]
struct LatestZones {
    defined: Option<Arc<LimitZones>>,
    kept: Arc<KeptZones>,
}

impl Default for ZoneKeeper {
    fn default() -> Self {
        ZoneKeeper { latest: Mutex::default(), began: Instant::now() }
    }
}

impl ZoneKeeper {
    /// The zones for these definitions.
    fn zones(&self, defined: &Arc<LimitZones>) -> Arc<KeptZones> {
        let mut latest = self.latest.lock();
        if !latest.defined.as_ref().is_some_and(|known| Arc::ptr_eq(known, defined)) {
            let conn = defined.conn.iter().map(Zone::identity);
            let (next, complaints) = latest.kept.next(defined.req.iter().map(Zone::identity), conn);
            complaints.iter().for_each(|sentence| log::zone_begins_anew(sentence.as_bstr()));
            *latest = LatestZones { defined: Some(defined.clone()), kept: Arc::new(next) };
        }
        latest.kept.clone()
    }
}

/// Value of `$limit_req_status`, kept for the request.
#[derive(Clone, Copy)]
struct ReqStatus(&'static str);

/// Value of `$limit_conn_status`, kept for the request.
#[derive(Clone, Copy)]
struct ConnStatus(&'static str);

/// Counted connections, kept until the request ends.
#[derive(Clone)]
struct Counted(#[allow(dead_code, reason = "it counts until it is dropped")] Arc<Vec<ConnGuard>>);

/// Checks `limit_req`.
pub struct LimitReqCheck(pub Arc<ZoneKeeper>);

impl PhaseCheck for LimitReqCheck {
    fn applies_to(&self, location: &Location) -> bool {
        !location.get::<Current>().limit_req.is_empty()
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        if exchange.is_subrequest() || exchange.kept.get::<ReqStatus>().is_some() {
            return Check::Now(Decision::Next);
        }
        let location = exchange.location.clone();
        let conf = location.get::<Current>();
        let defined = exchange.server.get::<DefinedZones>().0.clone();
        let zones = self.0.zones(&defined);
        let limits: Vec<(ReqLimit, Vec<u8>)> = conf
            .limit_req
            .iter()
            .filter_map(|limit| {
                let zone = defined.req.iter().find(|zone| zone.name == limit.zone)?;
                let states = zones.req(&limit.zone)?.clone();
                let key = exchange.expand(&zone.key);
                Some((ReqLimit { states, rate: zone.rate, burst: limit.burst, delay: limit.delay }, key))
            })
            .collect();
        let pairs: Vec<(&ReqLimit, &[u8])> = limits.iter().map(|(limit, key)| (limit, &key[..])).collect();
        let now = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        // A new zone's clock must not begin at zero.
        let verdict = req::decide(&pairs, now + 1);
        if let Some(status) = verdict.status(conf.limit_req_dry_run) {
            exchange.kept.insert(ReqStatus(status));
        }
        match verdict {
            ReqVerdict::Unlimited | ReqVerdict::Pass => Check::Now(Decision::Next),
            ReqVerdict::Reject { excess, by } => {
                log::limited(exchange, conf, excess, limits[by].0.states.zone.name.as_bstr());
                if conf.limit_req_dry_run {
                    return Check::Now(Decision::Next);
                }
                Check::Now(Decision::page(status(conf.limit_req_status.0)))
            }
            ReqVerdict::Delay { msec, excess, by } => {
                log::delayed(exchange, conf, excess, limits[by].0.states.zone.name.as_bstr());
                if conf.limit_req_dry_run {
                    return Check::Now(Decision::Next);
                }
                Check::Later(Box::pin(async move {
                    exchange.set_on_leaving(OnLeaving::Ends);
                    tokio::time::sleep(Duration::from_millis(msec)).await;
                    exchange.set_on_leaving(OnLeaving::default());
                    Decision::Next
                }))
            }
        }
    }
}

/// Checks `limit_conn`.
pub struct LimitConnCheck(pub Arc<ZoneKeeper>);

impl PhaseCheck for LimitConnCheck {
    fn applies_to(&self, location: &Location) -> bool {
        !location.get::<Current>().limit_conn.is_empty()
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        if exchange.is_subrequest() || exchange.kept.get::<ConnStatus>().is_some() {
            return Check::Now(Decision::Next);
        }
        let location = exchange.location.clone();
        let conf = location.get::<Current>();
        let defined = exchange.server.get::<DefinedZones>().0.clone();
        let zones = self.0.zones(&defined);
        let limits: Vec<(ConnLimit, Vec<u8>)> = conf
            .limit_conn
            .iter()
            .filter_map(|limit| {
                let zone = defined.conn.iter().find(|zone| zone.name == limit.zone)?;
                let states = zones.conn(&limit.zone)?.clone();
                Some((ConnLimit { states, most: limit.most }, exchange.expand(&zone.key)))
            })
            .collect();
        let pairs: Vec<(&ConnLimit, &[u8])> = limits.iter().map(|(limit, key)| (limit, &key[..])).collect();
        let verdict = conn::decide(&pairs);
        if let Some(status) = verdict.status(conf.limit_conn_dry_run) {
            exchange.kept.insert(ConnStatus(status));
        }
        Check::Now(match verdict {
            ConnVerdict::Pass(guards) => {
                exchange.kept.insert(Counted(Arc::new(guards)));
                Decision::Next
            }
            ConnVerdict::Reject { by, .. } => {
                log::crowded(exchange, conf, limits[by].0.states.zone.name.as_bstr());
                if conf.limit_conn_dry_run {
                    Decision::Next
                } else {
                    Decision::page(status(conf.limit_conn_status.0))
                }
            }
        })
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}

/// `$limit_req_status` and `$limit_conn_status`.
pub struct LimitVariables;

impl RequestVariables for LimitVariables {
    fn value(&self, exchange: &Exchange<'_>, name: &BStr, out: &mut Vec<u8>) -> VariableLookup {
        let status = match name.as_bytes() {
            b"limit_req_status" => exchange.kept.get::<ReqStatus>().map(|status| status.0),
            b"limit_conn_status" => exchange.kept.get::<ConnStatus>().map(|status| status.0),
            _ => return Ok(None),
        };
        out.extend_from_slice(status.unwrap_or_default().as_bytes());
        // A later phase may set it.
        Ok(Some(if status.is_some() { Lookup::Changing } else { Lookup::Absent }))
    }
}
