//! What is told of the certificates that are ordered (`pingosd status`).

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::book::OrderBook;
use super::plan::AcmePlan;
use crate::net::tls::issued::IssuedCertificates;

/// Orders, as they stand.
#[derive(Debug, Default)]
pub struct OrderStates(Mutex<BTreeMap<String, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    issuer: String,
    names: Vec<String>,
    next: Option<i64>,
    failure: Option<String>,
}

/// A certificate that is ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderedRow {
    /// Issuer, first name and a hash, as in the log.
    pub id: String,
    /// Name of the issuer.
    pub issuer: String,
    /// Host names and addresses.
    pub names: Vec<String>,
    /// Last second in which it is valid, in seconds since 1970; `None` if it was not issued yet.
    pub end: Option<i64>,
    /// When it is ordered or renewed next, in seconds since 1970; `None` if it is not until the configuration changes.
    pub next: Option<i64>,
    /// Why the last attempt has failed; `None` if it has not.
    pub failure: Option<String>,
}

impl OrderStates {
    /// Follows a configuration.
    pub(super) fn follow(&self, plan: &AcmePlan) {
        let mut entries = self.0.lock();
        entries.retain(|id, _| plan.orders.iter().any(|order| order.id == *id));
        for order in &plan.orders {
            let entry = entries.entry(order.id.clone()).or_default();
            (entry.issuer, entry.names) = (order.issuer.name.to_string(), order.names());
        }
    }

    /// Takes over when what is done next.
    pub(super) fn note(&self, part: &AcmePlan, book: &OrderBook) {
        let mut entries = self.0.lock();
        for order in &part.orders {
            if let Some(entry) = entries.get_mut(&order.id) {
                entry.next = book.next_of(order);
            }
        }
    }

    /// An attempt has failed.
    pub(super) fn failed(&self, id: &str, why: &str) {
        if let Some(entry) = self.0.lock().get_mut(id) {
            entry.failure = Some(why.to_owned());
        }
    }

    /// A certificate was issued.
    pub(super) fn succeeded(&self, id: &str) {
        if let Some(entry) = self.0.lock().get_mut(id) {
            entry.failure = None;
        }
    }

    /// All certificates by id, each as long as it is ordered.
    pub fn rows(&self, issued: &IssuedCertificates) -> Vec<OrderedRow> {
        let row = |(id, entry): (&String, &Entry)| OrderedRow {
            id: id.clone(),
            issuer: entry.issuer.clone(),
            names: entry.names.clone(),
            end: issued.validity(id).map(|validity| validity.end),
            next: entry.next,
            failure: entry.failure.clone(),
        };
        self.0.lock().iter().map(row).collect()
    }
}
