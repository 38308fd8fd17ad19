//! Bounds of recordings, of their playback and of the removal of old files.

use std::time::Duration;

/// Maximum number of packets queued for the recorders of one publish: minutes of a stream, to survive a stalled disk.
pub const RECORD_QUEUE_PACKETS: usize = 8192;

/// Maximum number of bytes queued for them, not counting the last packet.
pub const RECORD_QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// Interval at which recorders write collected packets.
pub const RECORD_WRITE_INTERVAL: Duration = Duration::from_millis(100);

/// Maximum number of control commands queued for the recorders of one publish, which process none while a disk stalls.
pub const RECORD_COMMANDS: usize = 64;

/// Delay of a recorder's first retry after a failure; each further failure doubles it.
pub const RECORD_RETRY: Duration = Duration::from_secs(10);

/// Maximum delay between two retries of a recorder: a full disk is rarely tried, and a recording resumes soon after
/// space is free.
pub const RECORD_RETRY_MAX: Duration = Duration::from_secs(5 * 60);

/// Time that a recorder waits for another one that is still completing the same file.
pub const RECORD_PLACE_WAIT: Duration = Duration::from_secs(1);

/// Media time in milliseconds that a recording buffers at its beginning until the other track has begun: half a second
/// covers the interleaving of encoders. A track that begins later shifts what follows (see [`crate::hub::origin`]).
pub const RECORD_HELD_MS: u32 = 500;

/// Maximum number of packets buffered for that: two tracks of up to some hundred packets a second.
pub const RECORD_HELD_PACKETS: usize = 256;

/// Maximum number of audio packets kept of the two seconds in which a recording waits for video; further ones are not in
/// the recording.
pub const RECORD_EARLY_PACKETS: usize = 1024;

/// Media time in milliseconds from which on a key frame begins another fragment of a recorded MP4.
pub const RECORD_FRAGMENT_MIN_MS: u64 = 500;

/// Media time in milliseconds after which a fragment of a recorded MP4 ends without a key frame: after a crash, the file
/// lacks at most this much, and [`RECORD_WRITE_INTERVAL`].
pub const RECORD_FRAGMENT_MAX_MS: u64 = 1_000;

/// Maximum number of bytes in a fragment of a recorded MP4, not counting the last frame.
pub const RECORD_FRAGMENT_BYTES: usize = 8 * 1024 * 1024;

/// Maximum number of frames in a fragment of a recorded MP4.
pub const RECORD_FRAGMENT_FRAMES: usize = 4096;

/// Maximum number of entries in the index of a recorded MP4; at the bound every second one is dropped, and so are further
/// ones, so that the index covers the whole file.
pub const RECORD_INDEX_ENTRIES: usize = 8192;

/// Maximum number of recorded files whose indexes one request for a recording reads: four weeks in files of ten minutes.
pub const VOD_FILES: usize = 4096;

/// Maximum number of parts in one playlist or response of a recording: two days in parts of eight seconds.
pub const VOD_PARTS: usize = 20_000;

/// Maximum number of bytes that are read of one index file.
pub const VOD_INDEX_BYTES: u64 = 8 * 1024 * 1024;

/// Number of bytes of a recording that are read and converted at a time.
pub const VOD_READ_BYTES: usize = 256 * 1024;

/// Maximum number of converted pieces that wait for the client.
pub const VOD_PIECES: usize = 4;

/// Maximum number of bytes collected for one frame of a recording; a larger one is left out.
pub const VOD_FRAME_BYTES: usize = 16 * 1024 * 1024 - 1024;

/// Interval at which playback that follows a recording looks for new parts.
pub const VOD_FOLLOW_INTERVAL: Duration = Duration::from_secs(1);

/// Largest distance in milliseconds of an audio frame's recorded time from its time in the cache: MPEG-TS smooths times by
/// `mpegts_sync`. Half a frame of the usual codecs.
pub const CONTINUED_AUDIO: u32 = 10;

/// Time, besides `live_record_max_fragment`, after which a player of the past that has been sent all that is recorded goes
/// on with the cache, even if that leaves a gap.
pub const PAST_PATIENCE: Duration = Duration::from_secs(5);

/// Interval at which a player of the past looks for new parts and tries to go on with the cache.
pub const PAST_INTERVAL: Duration = Duration::from_millis(200);

/// Number of bytes of the past that are written at a time; the timeout of players applies to each.
pub const PAST_WRITE_BYTES: usize = 16 * 1024;

/// Number of pieces of MPEG-TS behind a gap in which the PIDs are looked for whose packets do not continue those before: about a second,
/// in which each track has some.
pub const GAP_PIECES: usize = 64;

/// Maximum write buffer of a recording in bytes, whatever `live_record_buffer` is.
pub const RECORD_BUFFER: usize = 16 * 1024 * 1024;

/// Interval at which files that are too old or too many are looked for (`record_keep` and its siblings).
pub const KEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Time without a modification after which a file may be removed for being old. Another process may still be writing a
/// younger one.
pub const KEEP_QUIET: Duration = Duration::from_secs(10);

/// As [`KEEP_QUIET`] while the other process of an upgrade runs, which may write to the same directories.
pub const KEEP_QUIET_SHARED: Duration = Duration::from_secs(3600);

/// Maximum number of files of one directory that are looked at.
pub const KEEP_FILES: usize = 200_000;

/// Levels of directories below the application's one in which recordings are looked for. A stream name may have slashes.
pub const KEEP_DEPTH: usize = 16;
