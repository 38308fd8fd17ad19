//! Sockets and requests of single worker processes.

pub mod conf;
pub mod zone;
