//! Chunk streams: messages cut into chunks and put together again (RTMP 1.0 §5.3).
//!
//! This layer knows two messages, Set Chunk Size and Abort, because they are about itself; no command is
//! named here. Where encoders differ from the specification, [`Reader`] says what it does.

mod header;
mod reader;
mod writer;

pub use reader::{Limits, Reader};
pub use writer::{DELTA_HEADER, delta_header, write_absolute, write_absolute_header, write_delta};

/// Chunk size of both directions until Set Chunk Size changes it (RTMP 1.0 §5.4.1).
pub const DEFAULT_CHUNK_SIZE: u32 = 128;

/// A timestamp field of this value announces an extended timestamp (RTMP 1.0 §5.3.1.3).
const EXTENDED: u32 = 0xFF_FFFF;

/// Longest chunk header: basic header 3, message header 11, extended timestamp 4.
const MAX_HEADER: usize = 18;
