//! TLS.

mod check;
pub mod cipher;
pub mod conf;
