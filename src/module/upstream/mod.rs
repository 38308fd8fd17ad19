//! Groups of servers to forward to.

pub mod balance;
pub mod conf;
pub mod server;
