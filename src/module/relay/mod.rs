//! Relays to and from other servers.

pub mod address;
pub mod backoff;
pub mod complaints;
pub mod conf;
pub mod control;
pub mod destination;
pub mod main_conf;
pub mod proof;
pub mod target;
pub mod trail;
