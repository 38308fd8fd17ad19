//! Chunk streams: splitting messages into chunks and reassembling them (RTMP 1.0 §5.3).
//!
//! This layer handles two messages, Set Chunk Size and Abort, because they concern the layer itself; it knows no
//! command. [`ChunkReader`] lists the deviations of encoders from the specification.

mod header;
mod reader;
mod writer;

pub use reader::{ChunkReader, Limits};
pub use writer::{DELTA_HEADER, delta_header, write_absolute, write_absolute_header, write_delta};

/// Chunk size of both directions until Set Chunk Size changes it (RTMP 1.0 §5.4.1).
pub const DEFAULT_CHUNK_SIZE: u32 = 128;

/// A timestamp field of this value announces an extended timestamp (RTMP 1.0 §5.3.1.3).
const EXTENDED: u32 = 0xFF_FFFF;

/// Longest chunk header: basic header 3, message header 11, extended timestamp 4.
const MAX_HEADER: usize = 18;
