//! Bounds of backends, tunnels and the cache of responses.

use std::time::Duration;

/// Maximum number of points on the ring of a consistent hash.
pub const UPSTREAM_POINTS: usize = 1 << 20;

/// Number of groups of servers above which groups without requests are dropped.
pub const UPSTREAM_GROUPS: usize = 1024;

/// Interval at which answers for the names of a group are asked for again if they have ended.
pub const UPSTREAM_REFRESH: Duration = Duration::from_secs(1);

/// Maximum number of bytes of trailers behind a backend's last chunk.
pub const PROXY_TRAILER_BYTES: usize = 16 * 1024;

/// Maximum number of interim responses of a backend before its final one.
pub const PROXY_INTERIM: usize = 100;

/// Maximum number of `resolver` lines of locations whose answers are cached.
pub const PROXY_RESOLVERS: usize = 64;

/// Maximum number of TLS settings for backends that are kept.
pub const PROXY_TLS_SETTINGS: usize = 256;

/// Steps of each direction of a tunnel before the other tasks of its worker run.
pub const PROXY_TUNNEL_TURNS: usize = 32;

/// Maximum length in bytes of the `Vary` header of a cached response, as in nginx.
pub const PROXY_CACHE_VARY: usize = 128;

/// Bytes that stand before the body in the file of a cached response: its key and its head.
pub const PROXY_CACHE_HEAD: usize = 256 * 1024;

/// Maximum number of files of cached responses that a zone keeps open.
pub const PROXY_CACHE_OPEN: usize = 512;

/// The part of the process's descriptors that all zones together keep open so: one of this many.
pub const PROXY_CACHE_OPEN_PART: usize = 8;

/// Maximum length in bytes of a response that is cached.
pub const PROXY_CACHE_FILE: u64 = 1 << 40;

/// Bytes of a response that are written to the cache at once.
pub const PROXY_CACHE_WRITE: usize = 256 * 1024;

/// Maximum time between two looks at what has to be removed from caches, as in nginx.
pub const PROXY_CACHE_PAUSE: Duration = Duration::from_secs(10);

/// Age at which a temporary file in the directory of a cache counts as left behind by another process.
pub const PROXY_CACHE_TEMPORARY_AGE: Duration = Duration::from_secs(3600);

/// Depth of directories below that of a cache that are read: the three of `levels`.
pub const PROXY_CACHE_DEPTH: usize = 3;

/// Background updates that run in a worker at a time; beyond it, stale responses are replaced when they are next asked for.
pub const PROXY_CACHE_UPDATES: usize = 256;

/// Bytes of each direction of a tunnel that are kept until the other side takes them.
pub const PROXY_TUNNEL_BYTES: usize = 32 * 1024;

/// Bytes of a response over HTTP/2 that a backend may send before they are read, for the stream and for its connection.
pub const PROXY_HTTP2_WINDOW: u32 = 256 * 1024;

/// Largest frame that a backend may send over HTTP/2, in bytes: the least that RFC 9113 §4.2 allows.
pub const PROXY_HTTP2_FRAME: u32 = 16 * 1024;

/// Largest head of a backend's response over HTTP/2, as RFC 9113 §6.5.2 counts it, for any `proxy_buffer_size`.
pub const PROXY_HTTP2_HEAD: u32 = 1024 * 1024;
