//! Sockets and requests of individual worker processes.

pub mod conf;
pub mod zone;
