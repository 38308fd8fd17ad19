//! Server groups for forwarding.

pub mod balance;
pub mod conf;
mod log;
mod methods;
pub mod server;
pub mod sticky;
