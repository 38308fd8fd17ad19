//! Sockets, listeners, TLS and host names.

pub mod address_text;
pub mod client;
pub mod connections;
pub mod dns;
pub mod file;
pub mod http2;
pub mod links;
pub mod listener;
pub mod log;
pub mod memory;
pub mod moderation;
mod plain;
pub mod proxy_protocol;
pub mod read_pause;
pub mod resolver;
pub mod secret;
pub mod socket;
pub mod speaks;
pub mod ssl;
pub mod tls;
pub mod unix;
