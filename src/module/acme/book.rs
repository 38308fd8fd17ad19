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
pub(super) struct OrderBook {
    orders: HashMap<String, Entry>,
    issuers: HashMap<String, Entry>,
    advice: HashMap<String, RenewalAdvice>,
}

/// What an issuer suggests about the renewal of a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct RenewalAdvice {
    /// When the issuer is asked next, in seconds since 1970.
    ask: i64,
    /// The moment chosen from its window; `None` if it suggests none.
    renewal: Option<i64>,
    /// Number of certificates in a row that it wanted replaced as soon as they were there.
    rushes: u32,
    /// When the certificate came, if this process ordered it.
    since: Option<i64>,
}

/// What is to be done next.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A certificate is ordered.
    Order(Arc<Order>),
    /// The issuer is asked when a certificate should be renewed.
    Ask(Arc<Order>),
}

impl Step {
    pub(super) fn order(&self) -> &Arc<Order> {
        match self {
            Step::Order(order) | Step::Ask(order) => order,
        }
    }
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
    told: Option<LoggedFailure>,
}

/// A failure that was logged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct LoggedFailure {
    /// What equal failures have in common.
    failure: String,
    /// When it was logged, in seconds since 1970.
    at: i64,
    /// Equal failures since, which were not logged.
    repeated: u32,
}

/// What follows from a certificate that was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Success {
    /// When it is renewed, in seconds since 1970.
    pub(super) next: i64,
    /// Failures before it that were not logged.
    pub(super) repeated: u32,
}

/// What follows from a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Consequence {
    /// Pause before the next attempt; `None` if there is none until the configuration changes.
    pub(super) pause: Option<Duration>,
    /// Whether it is logged: the first of equal failures, and one after each [`limits::ACME_REMINDER`]. With the number of those
    /// before it that were not.
    pub(super) told: Option<u32>,
}

impl Entry {
    fn is_due(&self, now: i64) -> bool {
        !self.is_given_up && self.next <= now
    }

    fn failed(&mut self, error: &AcmeError, now: i64, random: u64) -> Consequence {
        self.is_limited |= matches!(error, AcmeError::RateLimited(..));
        let failure = error.kind();
        let told = match &mut self.told {
            Some(told) if told.failure == failure && now - told.at < reminder() => {
                told.repeated = told.repeated.saturating_add(1);
                None
            }
            told => {
                let before = told.replace(LoggedFailure { failure, at: now, repeated: 0 });
                Some(before.map_or(0, |before| before.repeated))
            }
        };
        let (first, most) = limits::ACME_UNREACHABLE;
        let pause = match error {
            AcmeError::RateLimited(_, pause) => *pause,
            AcmeError::Network(..) => self.unreachable.next(first, most, random),
            _ => schedule::pause(self.failures),
        };
        self.failures = self.failures.saturating_add(1);
        self.next = now.saturating_add_unsigned(pause.as_secs().max(1));
        self.is_given_up = error.fault() != Fault::Passing;
        Consequence { pause: (!self.is_given_up).then_some(pause), told }
    }

    /// Failures that were not logged.
    fn repeated(&self) -> u32 {
        self.told.as_ref().map_or(0, |told| told.repeated)
    }
}

fn reminder() -> i64 {
    i64::try_from(limits::ACME_REMINDER.as_secs()).unwrap_or(i64::MAX)
}

impl OrderBook {
    /// Follows a configuration. Orders without a certificate are tried at once, as by nginx's module: the configuration may
    /// have been the reason of a failure. The pause that an issuer has asked for is kept.
    pub(super) fn follow(&mut self, plan: &AcmePlan, issued: &IssuedCertificates, random: u64) {
        self.orders.retain(|id, _| plan.orders.iter().any(|order| order.id == *id));
        self.advice.retain(|id, _| plan.orders.iter().any(|order| order.id == *id));
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
                Some(validity) if entry.failures == 0 => {
                    let advised = self.advice.get(&order.id).and_then(|advice| advice.renewal);
                    entry.next = advised.unwrap_or_else(|| schedule::renewal(validity, random));
                }
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

    /// What is to be done now. The issuer is asked about a certificate before it is renewed.
    pub(super) fn step(&self, plan: &AcmePlan, issued: &IssuedCertificates, now: i64) -> Option<Step> {
        let asked = plan.orders.iter().find(|order| self.is_to_be_asked(order, issued, now));
        let due = || plan.orders.iter().find(|order| self.is_due(order, now));
        asked.cloned().map(Step::Ask).or_else(|| due().cloned().map(Step::Order))
    }

    /// Whether the issuer is to be asked now when a certificate should be renewed.
    fn is_to_be_asked(&self, order: &Order, issued: &IssuedCertificates, now: i64) -> bool {
        let is_time = self.advice.get(&order.id).is_none_or(|advice| advice.ask <= now);
        let issuer = self.issuers.get(&order.issuer.name.to_string());
        is_time && issuer.is_none_or(|issuer| issuer.is_due(now)) && issued.validity(&order.id).is_some()
    }

    /// When something is to be done next; `None` if nothing is.
    pub(super) fn next(&self, plan: &AcmePlan, issued: &IssuedCertificates) -> Option<i64> {
        let moments = plan.orders.iter().filter_map(|order| {
            let issuer = self.issuers.get(&order.issuer.name.to_string())?;
            let entry = self.orders.get(&order.id)?;
            let tried = (!entry.is_given_up).then_some(entry.next);
            let asked = issued.validity(&order.id).is_some().then(|| self.advice.get(&order.id));
            let asked = asked.map(|advice| advice.map_or(0, |advice| advice.ask));
            let first = tried.into_iter().chain(asked).min()?;
            (!issuer.is_given_up).then_some(first.max(issuer.next))
        });
        moments.min()
    }

    /// When an order is tried next, in seconds since 1970; `None` if it is not until the configuration changes.
    pub(super) fn next_of(&self, order: &Order) -> Option<i64> {
        let entry = self.orders.get(&order.id)?;
        let issuer = self.issuers.get(&order.issuer.name.to_string())?;
        (!entry.is_given_up && !issuer.is_given_up).then_some(entry.next.max(issuer.next))
    }

    /// What an issuer has said about a certificate: a moment for its renewal, or nothing. It is asked again at `ask`. Returns when
    /// the certificate is renewed: at growing intervals where the issuer wants each new one to be replaced at once.
    pub(super) fn advised(&mut self, order: &Order, renewal: Option<i64>, ask: i64, now: i64) -> Option<i64> {
        let advice = self.advice.entry(order.id.clone()).or_default();
        advice.ask = ask;
        let Some(renewal) = renewal else { return self.next_of(order) };
        advice.renewal = Some(renewal);
        let mut next = renewal;
        match advice.since.take() {
            Some(since) if renewal <= now => {
                next = since.saturating_add_unsigned(schedule::pause(advice.rushes).as_secs());
                advice.rushes = advice.rushes.saturating_add(1);
            }
            Some(_) => advice.rushes = 0,
            None => {}
        }
        let entry = self.orders.entry(order.id.clone()).or_default();
        // What has failed is tried again after its pause.
        if entry.failures == 0 {
            entry.next = next;
        }
        self.next_of(order)
    }

    /// An order has its certificate. Returns when it is renewed: at growing intervals where the issuer, or a wrong clock, gives
    /// certificates that are due for renewal at once.
    pub(super) fn done(&mut self, order: &Order, validity: Validity, now: i64, random: u64) -> Success {
        let renewal = schedule::renewal(validity, random);
        let (pause, failures) = match renewal > now {
            true => (limits::ACME_LEAST_PAUSE, 0),
            false => {
                let before = self.orders.get(&order.id).map_or(0, |entry| entry.failures);
                (schedule::pause(before), before.saturating_add(1))
            }
        };
        let next = renewal.max(now.saturating_add_unsigned(pause.as_secs()));
        let before = self.orders.insert(order.id.clone(), Entry { next, failures, ..Entry::default() });
        // The issuer says more about the new certificate as soon as it is asked.
        let rushes = self.advice.get(&order.id).map_or(0, |advice| advice.rushes);
        let advice = RenewalAdvice { rushes, since: Some(now), ..RenewalAdvice::default() };
        self.advice.insert(order.id.clone(), advice);
        let reached = Entry { issuer: Some(order.issuer.clone()), ..Entry::default() };
        let issuer = self.issuers.insert(order.issuer.name.to_string(), reached);
        let repeated = |entry: Option<Entry>| entry.map_or(0, |entry| entry.repeated());
        Success { next, repeated: repeated(before).saturating_add(repeated(issuer)) }
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

#[cfg(test)]
mod tests {
    use super::super::identifier::Identifier;
    use super::super::problem::Problem;
    use super::super::setting::{AccountKey, ChallengeKind, IssuerUri, KeyKind};
    use super::*;

    fn order(name: &str) -> Arc<Order> {
        let issuer = Issuer {
            name: "i".into(),
            uri: IssuerUri("https://a.example/".into()),
            account_key: AccountKey::Made(KeyKind::EcdsaP256),
            challenge: ChallengeKind::Http01,
            contacts: Vec::new(),
            external: None,
            profile: None,
            trusted: None,
            verify: true,
            state: None,
            accepts_terms: false,
        };
        let identifiers = Identifier::parse(name.as_bytes()).unwrap();
        Arc::new(Order {
            id: format!("i/{name}"),
            issuer: Arc::new(issuer),
            identifiers,
            key: KeyKind::EcdsaP256,
        })
    }

    fn plan(orders: &[&Arc<Order>]) -> AcmePlan {
        let issuers = orders.iter().take(1).map(|order| order.issuer.clone()).collect();
        AcmePlan { issuers, orders: orders.iter().map(|order| (*order).clone()).collect() }
    }

    #[test]
    fn equal_failures_are_logged_once_then_daily_and_counted_at_the_end() {
        let (order, mut book) = (order("a.example"), OrderBook::default());
        let refused = |detail: &str| {
            let text = format!(r#"{{"type":"urn:ietf:params:acme:error:connection","detail":"{detail}"}}"#);
            AcmeError::Refused(Problem::read(400, text.as_bytes()))
        };
        let mut told = |detail: &str, now: i64| book.failed(&order, &refused(detail), now, 0).told;
        assert_eq!(told("from port 1", 0), Some(0));
        assert_eq!(told("from port 2", 60), None, "only the kind of failure counts");
        assert_eq!(told("from port 3", 600), None);
        assert_eq!(told("from port 3", reminder()), Some(2));
        assert_eq!(told("from port 4", reminder() + 1), None);
        assert_eq!(book.failed(&order, &AcmeError::TooLarge, reminder() + 2, 0).told, Some(1));
        assert_eq!(book.failed(&order, &AcmeError::TooLarge, reminder() + 3, 0).told, None);
        let validity = Validity { begin: 0, end: 90 * 86_400 };
        assert_eq!(book.done(&order, validity, 5, 0).repeated, 1);
        assert_eq!(book.done(&order, validity, 6, 0).repeated, 0);
    }

    #[test]
    fn an_issuer_is_asked_about_certificates_and_its_advice_is_followed() {
        let (order, mut book) = (order("a.example"), OrderBook::default());
        let (plan, issued) = (plan(&[&order]), IssuedCertificates::default());
        book.follow(&plan, &issued, 0);
        assert!(
            matches!(book.step(&plan, &issued, 1000), Some(Step::Order(_))),
            "there is none to ask about"
        );
        let pair = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
        let names = ["a.example".to_owned()];
        let (chain, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
        issued.put(&order.id, &names, chain.as_bytes(), key.as_bytes()).unwrap();
        let usual = book.done(&order, Validity { begin: 0, end: 90 * 86_400 }, 1000, 0).next;
        assert_eq!(usual, 60 * 86_400);
        assert!(matches!(book.step(&plan, &issued, 1000), Some(Step::Ask(_))));
        assert_eq!(book.next(&plan, &issued), Some(0));
        // No advice leaves what there is.
        assert_eq!(book.advised(&order, None, 2000, 1000), Some(usual));
        assert!(book.step(&plan, &issued, 1999).is_none());
        assert_eq!(book.next(&plan, &issued), Some(2000));
        assert_eq!(book.advised(&order, Some(5000), 9000, 2000), Some(5000));
        assert!(matches!(book.step(&plan, &issued, 5000), Some(Step::Order(_))));
        // A reload keeps it.
        book.follow(&plan, &issued, 0);
        assert_eq!(book.next_of(&order), Some(5000));
        // After a failure the pause counts.
        book.failed(&order, &AcmeError::TooLarge, 5000, 0);
        assert_eq!(book.advised(&order, Some(1), 9000, 5000), Some(5060));
    }

    #[test]
    fn an_issuer_that_wants_each_certificate_replaced_at_once_is_asked_for_new_ones_ever_less() {
        let (order, mut book) = (order("a.example"), OrderBook::default());
        book.follow(&plan(&[&order]), &IssuedCertificates::default(), 0);
        let mut now = 1000;
        for pause in [60, 600, 6000, 86_400, 86_400] {
            book.done(&order, Validity { begin: 0, end: 90 * 86_400 }, now, 0);
            let next = book.advised(&order, Some(1), now + 5, now).unwrap();
            assert_eq!(next, now + pause);
            now = next;
        }
        book.done(&order, Validity { begin: 0, end: 90 * 86_400 }, now, 0);
        assert_eq!(book.advised(&order, Some(now + 50), now + 5, now), Some(now + 50));
        book.done(&order, Validity { begin: 0, end: 90 * 86_400 }, now, 0);
        assert_eq!(book.advised(&order, Some(1), now + 5, now), Some(now + 60));
    }
}
