//! Groups of servers to forward to.

pub mod conf;
pub mod server;
