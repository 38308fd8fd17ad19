//! Server groups for forwarding.

pub mod balance;
pub mod conf;
mod methods;
pub mod server;
