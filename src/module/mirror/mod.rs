//! Mirroring of requests.

pub mod conf;
