//! TLS.

pub mod cipher;
pub mod conf;
pub mod curve;
