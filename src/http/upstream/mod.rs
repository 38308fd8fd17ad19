//! Groups of servers that requests are forwarded to: their peers, the choice between them, and idle connections.
//!
//! `module/upstream` reads the configuration and has the balancing methods; `module/proxy` forwards requests.

pub mod affinity;
pub mod group;
pub mod idle;
pub mod peers;
pub mod server;
mod server_name;
pub mod times;
