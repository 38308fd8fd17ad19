//! HTTP/2 (RFC 9113) below HTTP's semantics: the frames of a connection on its socket, and streams with the interface of a
//! socket. Framing is the crate h2's; heads of requests are decoded before it.

mod carrier;
mod client;
mod connection;
pub mod frames;
mod framing;
pub mod hpack;
pub mod huffman;
pub mod intake;
mod io;
#[cfg(test)]
mod memory_socket;
mod open_streams;
mod order;
mod output;
mod parked;
pub mod priority;
mod stream;
mod violation;

pub use self::carrier::Carrier;
pub use self::client::{Http2Backend, Http2Request, Http2RequestBody, Http2RequestError};
pub use self::connection::{Http2Connection, Offer, is_wrong_preface};
pub use self::io::{Fault, Traffic};
pub use self::stream::Http2Stream;
pub use self::violation::Violation;

/// First bytes of an HTTP/2 client.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Protocol of HTTP/2 in the TLS handshake.
pub const ALPN_HTTP2: &[u8] = b"h2";

/// Protocol of HTTP/1.1 in the TLS handshake.
pub const ALPN_HTTP1: &[u8] = b"http/1.1";
