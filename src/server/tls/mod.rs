//! TLS: the encrypted form of a socket, and what both sides of it trust and show.

pub mod client;
pub mod server;
mod stream;

pub use stream::TlsStream;
