//! Sockets and requests of individual worker processes.

mod broadcast;
pub mod conf;
mod log;
mod prefix;
pub mod zone;

pub use broadcast::BroadcastFilter;
