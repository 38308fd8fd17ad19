//! Sockets and requests of individual worker processes.

mod broadcast;
pub mod conf;
pub mod listen;
mod log;
mod prefix;
pub mod zone;

pub use broadcast::BroadcastFilter;
