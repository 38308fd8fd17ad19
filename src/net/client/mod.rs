//! Outgoing connections: notifications and pulls.

pub mod conf;
