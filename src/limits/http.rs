//! Bounds of HTTP requests, responses and files, and of regular expressions.

use std::time::Duration;

/// Bytes of a discarded request body that are received before the response is sent. The rest is received afterwards.
pub const HTTP_DISCARD_BYTES: usize = 1024 * 1024;

/// Maximum number of attempts to find a free name for a temporary file, and to create its directories.
pub const HTTP_TEMP_NAMES: u32 = 1000;

/// Maximum number of bytes that are read from an HTTP client at once, and buffered while a response is made.
pub const HTTP_READ_BYTES: usize = 16 * 1024;

/// Parts of a request body that are passed on before the other tasks of the worker run.
pub const HTTP_BODY_TURNS: usize = 16;

/// Time that a response may take after its client has closed the connection, or its sending direction.
pub const HTTP_HALF_CLOSED: Duration = Duration::from_secs(1);

/// Maximum number of characters of the header lines that a line of the error log shows where they are refused or left out. What follows
/// them must have room in [`LOG_LINE`](super::LOG_LINE); nginx shows 1748 bytes.
pub const HTTP_LOGGED_HEADER: usize = 1200;

/// Maximum number of requests that are over whose memory a worker keeps for the next ones.
pub const HTTP_SPARES: usize = 32;

/// Maximum size of the buffer of a head that a worker keeps for the next request, in bytes.
pub const HTTP_SPARE_BYTES: usize = 16 * 1024;

/// Maximum number of headers for which a worker keeps room for the next request.
pub const HTTP_SPARE_HEADERS: usize = 100;

/// Interval at which an idle HTTP connection first checks its timeouts.
pub const HTTP_FIRST_WAIT: Duration = Duration::from_secs(75);

/// Largest chunk of a request body in bytes, as in nginx.
pub const HTTP_CHUNK_BYTES: u64 = i64::MAX as u64 / 16;

/// Bytes of a file that are sent by one system call, and brought into memory before.
pub const HTTP_SENDFILE_BYTES: u64 = 1024 * 1024;

/// Distance in bytes at which a part of a file is tested for being in memory before it is sent.
pub const HTTP_PRESENCE_STEP: usize = 256 * 1024;

/// Bytes that are read at once from a socket whose input is kept as it is.
pub const READ_BYTES: usize = 64 * 1024;
const _: () = assert!(HTTP_READ_BYTES <= READ_BYTES);

/// Bytes of a response that a filter changes at once.
pub const HTTP_FILTER_BYTES: usize = 32 * 1024;

/// Bytes of a response that a filter reads and writes before the other tasks of its worker run.
pub const HTTP_FILTER_TURN: usize = 128 * 1024;

/// Largest number of header lines that `max_headers` may allow: over HTTP/2 a line may take one byte, and each needs memory.
pub const HTTP_HEADERS: u64 = 50_000;

/// Longest body that is produced while it is sent, as by `charset`, of which ranges may be asked for in any order, in bytes: it is kept
/// in memory for them. Ranges of a longer one have to follow each other.
pub const HTTP_RANGES_IN_MEMORY: u64 = 64 * 1024;

/// Maximum number of files that `open_file_cache` keeps open, whatever `max=` is: descriptors must remain for connections.
pub const HTTP_CACHED_FILES: usize = 16_384;

/// Maximum length in bytes of a path in `open_file_cache`; the system opens no longer one.
pub const HTTP_CACHED_PATH: usize = 4096;

/// Maximum number of files in a directory that `autoindex` lists, and of those that `random_index` chooses from; beyond,
/// the request is refused with 500. nginx lists any number, and needs as much memory.
pub const HTTP_LISTED_FILES: usize = 100_000;

/// Number of files in a directory after which a listing is made and sent in parts.
pub const HTTP_LISTED_AT_ONCE: usize = 256;

/// Maximum number of log lines about files of a directory that could not be looked at.
pub const HTTP_LISTING_COMPLAINTS: usize = 10;

/// Maximum number of atoms of an MP4 file outside of its `moov` that are looked at; files have a dozen.
pub const MP4_ATOMS: usize = 10_000;

/// Longest time in milliseconds after which the rate of a response is looked at again.
pub const HTTP_RATE_WAIT: u64 = 60_000;

/// Latest second since 1970 that an HTTP date can represent: the year has four digits.
pub const HTTP_DATE_SECONDS: u64 = 253_402_300_799;

/// Largest password file in bytes.
pub const HTTP_USER_FILE_BYTES: usize = 8 * 1024 * 1024;

/// Maximum nesting of subrequests, as in nginx.
pub const HTTP_SUBREQUESTS: u32 = 50;

/// Number of internal redirects and rewrites after which a request is refused with 500, as in nginx (10 are followed).
pub const HTTP_PATH_CHANGES: u32 = 11;

/// Path changes that `post_action` may begin with where a request has used all of its own, as in nginx.
pub const HTTP_PATH_CHANGES_AGAIN: u32 = 15;

/// Maximum number of steps of one match attempt of a regular expression, as PCRE2 counts them (`match_limit`). nginx
/// leaves the library's default of ten million, which takes about a second.
pub const PATTERN_STEPS: u32 = 1_000_000;

/// Maximum memory in bytes of one match attempt (PCRE2's `heap_limit`).
pub const PATTERN_MEMORY: usize = 8 * 1024 * 1024;
