//! OCSP (RFC 6960): responses that are stapled to handshakes, and the status of certificates of clients.
//!
//! Requests and checks are those of nginx 1.22 with OpenSSL, and so are the sentences of the log. Responders are asked on the
//! process's runtime, never on one that moves media.

pub mod asker;
pub(super) mod client;
pub(super) mod issued_staple;
mod message;
pub(super) mod staple;
pub(super) mod status_cache;
mod verify;

pub use client::ClientStatus;
