//! TLS.

pub mod conf;
