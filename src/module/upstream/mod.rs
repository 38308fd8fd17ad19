//! Server groups for forwarding.

pub mod balance;
pub mod conf;
pub mod server;
