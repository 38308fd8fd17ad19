//! Relays to and from other servers.

pub mod address;
pub mod backoff;
#[cfg(test)]
mod circles;
pub mod complaints;
pub mod conf;
pub mod control;
pub mod demand;
pub mod destination;
pub mod main_conf;
pub mod proof;
pub mod target;
pub mod trail;
