//! Relays to and from other servers.

pub mod address;
pub mod attempt;
#[cfg(test)]
mod circles;
pub mod complaints;
pub mod conf;
pub mod connect;
pub mod demand;
pub mod destination;
mod error;
pub mod http;
pub mod lines;
pub mod log;
pub mod pull;
pub mod push;
pub mod relays;
pub mod rtmp;
pub mod static_pulls;
