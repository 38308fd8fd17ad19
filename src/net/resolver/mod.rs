//! Looking up of host names for relays and notifications.

pub mod conf;
pub mod server;
