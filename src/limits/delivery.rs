//! Bounds of an RTMP connection and of delivery to players.

use std::time::Duration;

use super::TRACKS;

/// Size in bytes of the socket read buffer, of which each worker has one: large enough to read a key frame at once,
/// small enough for the second-level cache.
pub const READ_BUFFER: usize = 64 * 1024;

/// Maximum number of consecutive reads from one connection before other connections of the worker are served.
pub const READS_PER_TURN: usize = 4;

/// Minimum interval between two polls of a worker's sockets when single packets wake it thousands of times a second,
/// and so the longest additional wait of a packet. Kernel timers are hardly finer.
pub const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Longest time for which a publisher's socket is not read while all of its players wait for a delivery time of
/// `send_delay`.
pub const READ_REST: Duration = Duration::from_millis(100);

/// Delivery times of `send_delay` that are closer together than this do not suspend reading from a publisher: two
/// messages would rarely be read together.
pub const LEAST_READ_REST: Duration = Duration::from_millis(20);

/// Bytes in the socket that end such a pause: half of what a publisher may send before the first of it is read.
pub const READ_REST_BYTES: usize = 32 * 1024;

/// Maximum number of slices in one vectored write. More than some dozens gain nothing; the system's limit is 1,024.
pub const WRITE_SLICES: usize = 64;

/// Payload bytes after which a batch of `send_delay` is sent at any age. Larger batches do not make sends cheaper, and
/// a player's socket buffer would have to hold them.
pub const BATCH_BYTES: usize = 64 * 1024;

/// Interval at which a worker sums the backlog of its blocked players; each of them is visited.
pub const TOTAL_BACKLOG_LOOK: Duration = Duration::from_millis(250);

/// Maximum `send_delay`. More than some hundred milliseconds gain nothing.
pub const SEND_DELAY: Duration = Duration::from_secs(10);

/// Maximum number of slices in a player's first write: reply, headers and the cached GOP leave together.
pub const START_SLICES: usize = 192;

/// Maximum number of players served before other tasks of the worker run.
pub const PLAYERS_PER_TURN: usize = 128;

/// Number of players with a `send_delay` that join a worker one after another and are sent media at the same times. Their batches together
/// are about what one key frame is that is sent at once to as many.
pub const PHASE_PLAYERS: usize = 512;

/// Time that a player being disconnected has for the data that is already queued.
pub const LEAVE_GRACE: Duration = Duration::from_secs(1);

/// Maximum number of byte strings queued for a player at a message boundary: headers and a burst of control messages. A
/// peer that causes more replies than that without reading is disconnected.
pub const PLAYER_PENDING_SLICES: usize = 384;

/// Maximum sum of those queued control messages, in bytes.
pub const PLAYER_CONTROL_BYTES: usize = 1024 * 1024;

/// Maximum number of media bytes that a player takes from its stream for the next writes. With the packet that exceeds
/// it, they stay in memory while the socket is full.
pub const PLAYER_PENDING_BYTES: usize = 1024 * 1024;

/// Maximum lag of a player in milliseconds of media, in addition to `out_queue` and `cache_time`. Older media is
/// useless for live viewing.
pub const PLAYER_LAG_MS: u32 = 15_000;

// Data that waits because of `send_delay` must not count as lag.
const _: () = assert!(SEND_DELAY.as_millis() < PLAYER_LAG_MS as u128);
const _: () = assert!(WRITE_SLICES <= START_SLICES);
// Metadata, then for audio and video each the codec headers and their extras, two slices each.
const _: () = assert!(START_SLICES + 2 * (1 + 4 * TRACKS) + 32 <= PLAYER_PENDING_SLICES);

/// Time that a connection stays open after a refusal, so that the peer can read the reason.
pub const LINGER: Duration = Duration::from_secs(1);

/// Send timeout where the configuration sets none (`timeout 0`).
pub const DEFAULT_SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// Maximum number of status messages queued for a publisher's connection.
pub const SESSION_STATUSES: usize = 16;
