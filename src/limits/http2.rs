//! Bounds of HTTP/2 connections.

use std::time::Duration;

/// Streams of an HTTP/2 connection whose requests were not taken yet, and the lengths of whose heads are known; those of further
/// ones count as 0.
pub const HTTP2_HEADS: usize = 512;

/// Bytes that the frames of an HTTP/2 connection may have beyond those that carry requests and bodies, as in nginx.
pub const HTTP2_FLOOD_BYTES: u64 = 1024 * 1024;

/// Share of all bytes of an HTTP/2 connection that must carry requests and bodies, as in nginx: one of so many.
pub const HTTP2_FLOOD_SHARE: u64 = 8;

/// Bytes of a stream of HTTP/2 that wait for the connection: a longer response waits in its own place.
pub const HTTP2_SEND_BUFFER: usize = 64 * 1024;

/// Streams of an HTTP/2 connection that its client has reset before their requests were taken. One more ends the connection.
pub const HTTP2_PENDING_RESETS: usize = 100;

/// Streams of an HTTP/2 connection that the server has reset because of errors of the client, in its life. One more ends the connection.
pub const HTTP2_ERROR_RESETS: usize = 1024;

/// Streams of an HTTP/2 connection that the server has reset, and of which late frames are still accepted.
pub const HTTP2_LOCAL_RESETS: usize = 128;

/// Requests of an HTTP/2 connection that its client has reset before their responses, beyond twice those that it has not. One more
/// ends the connection.
pub const HTTP2_RESETS: u64 = 1000;

/// Turns that the connection of a stream gets before the stream is reset, in which it writes what there is of the response.
pub const HTTP2_TURNS_BEFORE_RESET: usize = 8;

/// Time in which an HTTP/2 connection that ends sends what it still has to say.
pub const HTTP2_LAST_WORDS: Duration = Duration::from_secs(5);

/// Largest head of a request over HTTP/2, as RFC 9113 §6.5.2 counts it, whatever large_client_header_buffers says.
pub const HTTP2_HEAD_BYTES: u32 = 1024 * 1024;

/// Largest window of HTTP/2 (RFC 9113 §6.9.1), in bytes.
pub const HTTP2_WINDOW: u64 = i32::MAX as u64;

/// Largest DATA frame that every client accepts (RFC 9113 §4.2), in bytes.
pub const HTTP2_FRAME: u64 = 16 * 1024;
