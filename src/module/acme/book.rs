//! What was tried, and when something is tried next.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::error::AcmeError;
use super::plan::{AcmePlan, Issuer, Order};
use super::problem::Fault;
use super::schedule;
use crate::limits;
use crate::net::tls::issued::{IssuedCertificates, Validity};
use crate::task::backoff::Backoff;

/// All orders and issuers of a plan.
#[derive(Default)]
pub(super) struct Book {
    orders: HashMap<String, Entry>,
    issuers: HashMap<String, Entry>,
}

/// What was tried of an order or with an issuer.
#[derive(Clone, Debug, Default)]
struct Entry {
    /// The issuer's settings, which a reload may change.
    issuer: Option<Arc<Issuer>>,
    /// When it is tried next, in seconds since 1970.
    next: i64,
    /// Number of failures without a success.
    failures: u32,
    /// Whether it is not tried again until the configuration changes.
    is_given_up: bool,
    /// Whether the issuer has asked for the pause, so that a reload does not end it.
    is_limited: bool,
    unreachable: Backoff,
    /// The failure that was logged last.
    told: Option<String>,
}

/// What follows from a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Consequence {
    /// Pause before the next attempt; `None` if there is none until the configuration changes.
    pub(super) pause: Option<Duration>,
    /// Whether the failure is another than the last one, so that it is logged.
    pub(super) is_new: bool,
}

impl Entry {
    fn is_due(&self, now: i64) -> bool {
        !self.is_given_up && self.next <= now
    }

    fn failed(&mut self, error: &AcmeError, now: i64, random: u64) -> Consequence {
        let text = error.to_string();
        let is_new = match error {
            // Its text names the pause.
            AcmeError::RateLimited(..) => !std::mem::replace(&mut self.is_limited, true),
            _ => self.told.as_ref() != Some(&text),
        };
        self.told = Some(text);
        let (first, most) = limits::ACME_UNREACHABLE;
        let pause = match error {
            AcmeError::RateLimited(_, pause) => *pause,
            AcmeError::Network(..) => self.unreachable.next(first, most, random),
            _ => schedule::pause(self.failures),
        };
        self.failures = self.failures.saturating_add(1);
        self.next = now.saturating_add_unsigned(pause.as_secs().max(1));
        self.is_given_up = error.fault() != Fault::Passing;
        Consequence { pause: (!self.is_given_up).then_some(pause), is_new }
    }
}

impl Book {
    /// Follows a configuration. Orders without a certificate are tried at once, as by nginx's module: the configuration may
    /// have been the reason of a failure. The pause that an issuer has asked for is kept.
    pub(super) fn follow(&mut self, plan: &AcmePlan, issued: &IssuedCertificates, random: u64) {
        self.orders.retain(|id, _| plan.orders.iter().any(|order| order.id == *id));
        self.issuers.retain(|name, _| plan.issuers.iter().any(|issuer| issuer.name == name.as_bytes()));
        for issuer in &plan.issuers {
            let entry = self.issuers.entry(issuer.name.to_string()).or_default();
            let is_other = entry.issuer.as_ref().is_some_and(|before| before.uri != issuer.uri);
            if is_other || !entry.is_limited {
                *entry = Entry { told: entry.told.take(), ..Entry::default() };
            }
            entry.issuer = Some(issuer.clone());
        }
        for order in &plan.orders {
            let entry = self.orders.entry(order.id.clone()).or_default();
            match issued.validity(&order.id) {
                Some(validity) if entry.failures == 0 => entry.next = schedule::renewal(validity, random),
                Some(_) if !entry.is_given_up => {}
                _ if entry.is_limited => {}
                _ => *entry = Entry { told: entry.told.take(), ..Entry::default() },
            }
        }
    }

    /// Whether an order is to be tried now.
    pub(super) fn is_due(&self, order: &Order, now: i64) -> bool {
        let due = |entry: Option<&Entry>| entry.is_none_or(|entry| entry.is_due(now));
        due(self.orders.get(&order.id)) && due(self.issuers.get(&order.issuer.name.to_string()))
    }

    /// When something is to be tried next; `None` if nothing is.
    pub(super) fn next(&self, plan: &AcmePlan) -> Option<i64> {
        let orders = plan.orders.iter().filter_map(|order| {
            let (entry, issuer) =
                (self.orders.get(&order.id)?, self.issuers.get(&order.issuer.name.to_string())?);
            (!entry.is_given_up && !issuer.is_given_up).then_some(entry.next.max(issuer.next))
        });
        orders.min()
    }

    /// An order has its certificate. Returns when it is renewed: at growing intervals where the issuer, or a wrong clock, gives
    /// certificates that are due for renewal at once.
    pub(super) fn done(&mut self, order: &Order, validity: Validity, now: i64, random: u64) -> i64 {
        let renewal = schedule::renewal(validity, random);
        let (pause, failures) = match renewal > now {
            true => (limits::ACME_LEAST_PAUSE, 0),
            false => {
                let before = self.orders.get(&order.id).map_or(0, |entry| entry.failures);
                (schedule::pause(before), before.saturating_add(1))
            }
        };
        let next = renewal.max(now.saturating_add_unsigned(pause.as_secs()));
        self.orders.insert(order.id.clone(), Entry { next, failures, ..Entry::default() });
        self.reached(&order.issuer);
        next
    }

    /// The account of an issuer can be used.
    pub(super) fn reached(&mut self, issuer: &Arc<Issuer>) {
        self.issuers
            .insert(issuer.name.to_string(), Entry { issuer: Some(issuer.clone()), ..Entry::default() });
    }

    /// An order has failed. What concerns the issuer, its silence and its limits, holds for all orders from it.
    pub(super) fn failed(&mut self, order: &Order, error: &AcmeError, now: i64, random: u64) -> Consequence {
        match error {
            AcmeError::Network(..) | AcmeError::RateLimited(..) => {
                self.issuer_failed(&order.issuer, error, now, random)
            }
            _ if error.fault() == Fault::Account => self.issuer_failed(&order.issuer, error, now, random),
            _ => self.orders.entry(order.id.clone()).or_default().failed(error, now, random),
        }
    }

    /// There is no account at an issuer.
    pub(super) fn issuer_failed(
        &mut self,
        issuer: &Arc<Issuer>,
        error: &AcmeError,
        now: i64,
        random: u64,
    ) -> Consequence {
        let entry = self.issuers.entry(issuer.name.to_string()).or_default();
        entry.issuer = Some(issuer.clone());
        entry.failed(error, now, random)
    }
}
