//! Host name resolution for relays and notifications.

pub mod conf;
pub mod server;
