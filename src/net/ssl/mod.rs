//! TLS.

pub mod cipher;
pub mod command;
pub mod conf;
pub mod curve;
pub mod protocols;
pub mod session_cache;
pub mod source;
