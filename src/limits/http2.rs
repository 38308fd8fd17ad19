//! Bounds of HTTP/2 connections.

use std::time::Duration;

use super::HTTP_HEADERS;

/// Maximum number of requests of an HTTP/2 connection whose heads wait to be taken; when there are more, the oldest is dropped, whose
/// stream was refused.
pub const HTTP2_HEADS: usize = 512;

/// Maximum number of bytes of these heads together.
pub const HTTP2_HEADS_BYTES: usize = 1024 * 1024;

/// Maximum number of fields of a head over HTTP/2 besides the header lines that `max_headers` allows: pseudo-headers, cookies one by one,
/// and further lines, so that too many of them have an answer.
pub const HTTP2_FIELDS: usize = 1000;

// A head with as many fields as may be can wait to be taken.
const _: () = assert!((HTTP_HEADERS + HTTP2_FIELDS as u64) * 16 < HTTP2_HEADS_BYTES as u64);

/// Largest frame of HTTP/2 (RFC 9113 §4.2), in bytes. As in nginx, clients may send it: nothing is kept of its payload but heads, which have
/// bounds of their own.
pub const HTTP2_LARGEST_FRAME: u32 = (1 << 24) - 1;

/// Maximum number of bytes of an HTTP/2 connection in frames that carry neither requests nor bodies, as in nginx.
pub const HTTP2_FLOOD_BYTES: u64 = 1024 * 1024;

/// Minimum share of requests and bodies in the bytes of an HTTP/2 connection, as in nginx: one byte in this many.
pub const HTTP2_FLOOD_SHARE: u64 = 8;

/// Maximum number of bytes of bodies that are buffered for an HTTP/2 connection, of one stream or of several; the rest of the responses
/// is made later. What is more urgent and comes later is sent behind them.
pub const HTTP2_SEND_BUFFER: usize = 64 * 1024;

/// Maximum number of bytes of an HTTP/2 connection that are gathered to be written together.
pub const HTTP2_GATHERED: usize = 32 * 1024;

/// Longest piece of output of an HTTP/2 connection that is gathered with others; longer ones are written without a copy.
pub const HTTP2_GATHERED_WRITE: usize = 8 * 1024;

/// Maximum number of streams that a client has reset before the server has taken their requests. One more ends the connection.
pub const HTTP2_PENDING_RESETS: usize = 100;

/// Maximum number of streams of an HTTP/2 connection that the server has reset because of errors of the client. One more ends the
/// connection.
pub const HTTP2_ERROR_RESETS: usize = 1024;

/// Maximum number of streams of an HTTP/2 connection that the server has reset and whose late frames it still accepts, and of those
/// that the client has reset and whose reasons are still to be logged.
pub const HTTP2_LOCAL_RESETS: usize = 128;

/// Maximum number of requests of an HTTP/2 connection that the client has reset before their responses, in excess of twice the
/// number of the others. One more ends the connection.
pub const HTTP2_RESETS: u64 = 1000;

/// Number of streams of an HTTP/2 connection that are refused because too many are open; more if more may be open at a time. One more
/// ends the connection, as in nginx.
pub const HTTP2_REFUSED: u64 = 100;

/// Number of times that a connection may write before a stream is reset, so that the available part of the response is sent.
pub const HTTP2_TURNS_BEFORE_RESET: usize = 8;

/// Time that an HTTP/2 connection has had nothing to do before it is parked: what the crate h2 holds for it is made anew with the
/// client's next frame, which takes about as long as a short request.
pub const HTTP2_PARKED_AFTER: Duration = Duration::from_millis(500);

/// Time for which an HTTP/2 connection ignores late frames of a stream that the server has reset. It is not parked before.
pub const HTTP2_RESET_MEMORY: Duration = Duration::from_secs(1);

/// Time that an ending HTTP/2 connection has to send its remaining frames.
pub const HTTP2_LAST_WORDS: Duration = Duration::from_secs(5);

/// Bytes behind a wrong preface that are read before the connection is closed.
pub const HTTP2_REFUSED_BYTES: usize = 4 * 1024;

/// Largest window of HTTP/2 (RFC 9113 §6.9.1), in bytes.
pub const HTTP2_WINDOW: u64 = i32::MAX as u64;

/// Largest DATA frame that every client accepts (RFC 9113 §4.2), in bytes.
pub const HTTP2_FRAME: u64 = 16 * 1024;

/// Maximum number of bytes that a stream of HTTP/2 sends at a time while others wait with which it takes turns.
pub const HTTP2_TURN: usize = 16 * 1024;

/// Number of turns of an HTTP/2 connection in which a stream that was woken may come and send. Later it is one that does not wait.
pub const HTTP2_CALLS: u8 = 4;

/// Maximum number of streams of an HTTP/2 connection whose priorities came before their heads, as in nginx. One more replaces the oldest.
pub const HTTP2_EARLY_PRIORITIES: usize = 32;

/// Longest priority in a frame of its own (`PRIORITY_UPDATE`) that is read, in bytes.
pub const HTTP2_PRIORITY_BYTES: usize = 1024;
