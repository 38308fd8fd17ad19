//! X.509 certificates: their names, and verification of chains as OpenSSL does it.

pub mod certificate;
pub mod chain;
pub mod der;
mod link;
pub(super) mod name;
pub(super) mod signature;
pub mod trust;
mod verdict;
