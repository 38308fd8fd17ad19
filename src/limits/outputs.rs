//! Bounds of HLS and DASH, and of the queues before tasks that write files.

use std::time::Duration;

/// Maximum number of hls2 players. Any client can name a session, and each lasts for the timeout of its application.
pub const HLS2_SESSIONS: usize = 65_536;

/// Maximum number of HLS sessions of one address whose stream is not published and that have got nothing yet. Behind a proxy
/// many players may have the same address.
pub const HLS2_ABSENT_VIEWERS: usize = HLS2_SESSIONS / 32;

/// Time that such a session lasts after its last request.
pub const HLS2_ABSENT: Duration = Duration::from_secs(5);

/// Maximum number of bytes of a data message that becomes timed metadata, and of all those in one fragment.
pub const TIMED_METADATA_BYTES: usize = 64 * 1024;

/// Maximum number of bytes of an SCTE-35 section behind its length (ANSI/SCTE 35 §9.6.1).
pub const SCTE35_BYTES: usize = 4093;

/// Maximum number of events that are read of one SCTE-35 section.
pub const SCTE35_EVENTS: usize = 8;

/// Maximum number of members of a data message in which an SCTE-35 section is looked for.
pub const SCTE35_FIELDS: usize = 64;

/// Maximum number of EXT-X-DATERANGE tags kept of one stream, and of their bytes: a day with forty breaks an hour. At either
/// bound further markers are left out of playlists until old ones have left them.
pub const DATE_RANGES: usize = 2048;
/// See [`DATE_RANGES`].
pub const DATE_RANGE_BYTES: usize = 512 * 1024;

/// Number of target durations for which a request for a playlist or a part may wait (rfc8216bis §6.2.5.2: a server answers
/// 503 after three).
pub const HLS2_WAIT_TARGETS: u64 = 3;

/// Maximum number of waiting requests of one HLS session. A player has two: for a playlist and for the next part.
pub const HLS2_WAITING: usize = 16;

/// Number of parts of a segment that a request may be ahead of the last one (rfc8216bis §6.2.5.2).
pub const HLS2_PARTS_AHEAD: u64 = 3;

/// Number of segments that a request may be ahead of the last one (rfc8216bis §6.2.5.2).
pub const HLS2_SEGMENTS_AHEAD: u64 = 2;

/// Maximum number of frames queued for HLS files: minutes of a stream, to survive a stalled disk.
pub const HLS_QUEUE_FRAMES: usize = 8192;

/// Maximum number of bytes queued for HLS files, not counting the last frame.
pub const HLS_QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// Time that a publish waits until the files of the preceding one are complete.
pub const HLS_PLACE_WAIT: Duration = Duration::from_secs(10);

/// Maximum size in bytes of a playlist that is continued; the playlist of a one-day event is smaller.
pub const HLS_PLAYLIST_BYTES: u64 = 16 * 1024 * 1024;

/// Maximum number of packets of a publish queued for a task that writes files: minutes of a stream, to survive a stalled
/// disk.
pub const PUBLISH_QUEUE_PACKETS: usize = 8192;

/// Maximum number of bytes of a publish queued for a task that writes files, not counting the last batch.
pub const PUBLISH_QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// Maximum size in bytes of a DASH segment of one track, apart from its last frame.
pub const DASH_SEGMENT_BYTES: usize = 256 * 1024 * 1024;

/// Maximum number of frames of a DASH track that wait for the next segment, because their codec has changed.
pub const DASH_WAITING_FRAMES: usize = 4096;

/// Maximum number of segments of a track in a DASH manifest.
pub const DASH_SEGMENTS: usize = 100_000;

/// Difference between the media and the time of day at which DASH corrects the time line: the media has paused, or the
/// publisher's clock is slow or fast. It exceeds the jitter of networks and encoders.
pub const DASH_DRIFT: Duration = Duration::from_secs(5);

/// By how much DASH may slow the time line of a publisher whose clock is fast, in millionths. Clocks are wrong by less.
pub const DASH_SLOWER: i64 = 50_000;

/// Maximum number of files visited in one pass over a directory of HLS files.
pub const HLS_SWEPT_FILES: usize = 1_000_000;

/// Age at which an incomplete playlist counts as left behind by a killed server; writing one takes milliseconds. A disk
/// that stalls for longer loses that playlist, and the next one is written.
pub const HLS_TEMPORARY_AGE: Duration = Duration::from_secs(60);

/// Maximum depth of directories below `hls_path` that are cleaned: a stream name may create eight.
pub const HLS_SWEPT_DEPTH: usize = 9;
