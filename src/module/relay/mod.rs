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
mod extension;
pub mod http;
pub mod lines;
pub mod log;
mod outcome;
pub mod pull;
mod pulled;
pub mod push;
mod push_line;
pub mod relays;
pub mod rtmp;
pub mod static_pulls;
