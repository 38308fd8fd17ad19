//! Forwarding of requests.

pub mod conf;
pub mod target;
