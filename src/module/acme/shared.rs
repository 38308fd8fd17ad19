//! What the tasks that order certificates share.

use std::sync::Arc;

use parking_lot::Mutex;

use super::answers::Answers;
use super::overview::OrderStates;
use crate::config::store::Store;
use crate::net::dns::Dns;
use crate::net::tls::issued::IssuedCertificates;
use crate::task::lifetime::Lifetime;

/// What orders certificates.
pub struct Acme {
    /// The configuration in force.
    pub store: Arc<Store>,
    /// Host names.
    pub dns: Dns,
    /// Where certificates go.
    pub issued: Arc<IssuedCertificates>,
    /// Where answers to challenges go.
    pub answers: Arc<Answers>,
    /// Shutdown of the process.
    pub lifetime: Lifetime,
    /// Keys of accounts that were made (PEM), by issuer: without `state_path` they are nowhere else.
    pub keys: Mutex<Vec<(Arc<str>, Vec<u8>)>>,
    /// What is told of the orders.
    pub overview: Arc<OrderStates>,
}
