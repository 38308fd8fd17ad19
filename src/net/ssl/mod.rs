//! TLS.

pub mod certificate_cache;
pub mod cipher;
pub mod command;
pub mod conf;
pub mod curve;
pub mod ocsp_cache;
pub mod ordered;
pub mod protocols;
pub mod responder;
pub mod session_cache;
pub mod source;
