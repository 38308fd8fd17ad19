//! TLS.

pub mod cipher;
pub mod conf;
