//! Relays to and from other servers.

pub mod conf;
pub mod target;
