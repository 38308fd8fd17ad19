//! Bounds of callbacks and of the ledger.

use std::time::Duration;

/// Maximum number of concurrent callbacks per server whose answers decide about sessions. Further ones queue.
pub const CALLBACK_VERDICTS: usize = 512;

/// Maximum number of concurrent notifications per callback server (`update` and `done`), whose answers decide nothing.
pub const CALLBACK_NEWS: usize = 128;

/// Maximum number of `done` callbacks queued for a callback server that is unreachable. Further ones are dropped and
/// logged.
pub const DONE_WAITING: usize = 20_000;

/// First delay before a failed `done` is repeated; it doubles up to [`DONE_RETRY_MOST`].
pub const DONE_RETRY_FIRST: Duration = Duration::from_millis(200);

/// Maximum delay before a failed `done` is repeated.
pub const DONE_RETRY_MOST: Duration = Duration::from_secs(5);

/// Maximum number of callback lines in the ledger, including lines of former configurations.
pub const LEDGER_LINES: usize = 256;

/// Maximum number of calls kept per line.
pub const LEDGER_CALLS: usize = 32;

/// Maximum number of idle connections kept to one callback server.
pub const CALLBACK_IDLE_CONNECTIONS: usize = 64;

/// Maximum length of a trace id that a request brings, as in PingOS; new ones have this length.
pub const TRACE_ID_BYTES: usize = 32;

/// Maximum callback timeout, where `timeout=` is larger than the clock can represent.
pub const CALLBACK_LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Maximum number of bytes of a response body read to keep its connection reusable; a longer body closes the
/// connection.
pub const CALLBACK_BODY_BYTES: usize = 64 * 1024;

/// Time that a session event waits for the stream event that precedes it.
pub const CALLBACK_ORDER_GRACE: Duration = Duration::from_millis(20);

/// Time that a stop waits for `done` callbacks in progress.
pub const STOP_CALLBACK_GRACE: Duration = Duration::from_secs(3);
