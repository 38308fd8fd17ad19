//! Bounds of snapshots.

use std::time::Duration;

/// Maximum number of child processes that make snapshots.
pub const SNAPSHOT_CHILDREN: usize = 2;

/// Maximum number of requests that wait for a snapshot.
pub const SNAPSHOT_WAITING: usize = 64;

/// Maximum number of snapshots kept, one for each stream and format.
pub const SNAPSHOT_KEPT: usize = 64;

/// Number of key frames of a stream that are kept, each until the next one, after a snapshot was asked for.
pub const KEY_FRAMES_FOR_PICTURES: u32 = 16;

/// Time that a request for a snapshot waits for a key frame.
pub const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(6);

/// Interval at which a request for a snapshot looks for a key frame.
pub const SNAPSHOT_LOOK: Duration = Duration::from_millis(100);

/// Maximum size of a snapshot in bytes. It is at most 960 pixels wide.
pub const SNAPSHOT_BYTES: usize = 1 << 20;

/// Maximum size in bytes of a decoder's complaints that are read.
pub const SNAPSHOT_ERRORS: usize = 4096;

/// Time that a child process has for a snapshot.
pub const SNAPSHOT_TIME: Duration = Duration::from_secs(5);

/// Largest block of memory that a child process may allocate, in bytes.
pub const SNAPSHOT_ALLOCATION: &str = "134217728";

/// Largest picture that a child process decodes, in pixels: 8192 by 4320.
pub const SNAPSHOT_PIXELS: &str = "35389440";
