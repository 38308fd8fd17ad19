//! Contexts of the language: the kinds of block in which a statement may stand.
//!
//! A set of contexts is a bit mask, so that a directive's row can be a constant.

/// A set of contexts.
pub type Contexts = u32;

/// Outside every block.
pub const MAIN: Contexts = 1;
/// `events { }`
pub const EVENTS: Contexts = 1 << 1;
/// `rtmp { }`
pub const RTMP: Contexts = 1 << 2;
/// `server { }` in `rtmp { }`
pub const RTMP_SERVER: Contexts = 1 << 3;
/// `application NAME { }`
pub const APPLICATION: Contexts = 1 << 4;
/// `recorder NAME { }`
pub const RECORDER: Contexts = 1 << 5;
/// `http { }`
pub const HTTP: Contexts = 1 << 6;
/// `server { }` in `http { }`
pub const HTTP_SERVER: Contexts = 1 << 7;
/// `location URI { }`
pub const LOCATION: Contexts = 1 << 8;
/// `if (...) { }` in a server
pub const SERVER_IF: Contexts = 1 << 9;
/// `if (...) { }` in a location
pub const LOCATION_IF: Contexts = 1 << 10;
/// `limit_except METHOD... { }`
pub const LIMIT_EXCEPT: Contexts = 1 << 11;
/// `upstream NAME { }`
pub const UPSTREAM: Contexts = 1 << 12;
/// `cluster NAME { }`
pub const CLUSTER: Contexts = 1 << 13;
/// `acme_issuer NAME { }`
pub const ACME_ISSUER: Contexts = 1 << 14;

/// The rtmp contexts, which inherit from one another.
pub const RTMP_ALL: Contexts = RTMP | RTMP_SERVER | APPLICATION;
/// The http contexts, which inherit from one another.
pub const HTTP_ALL: Contexts = HTTP | HTTP_SERVER | LOCATION;

/// Context names as the manual writes them, in bit order.
const NAMES: [&str; 15] = [
    "main",
    "events",
    "rtmp",
    "rtmp server",
    "application",
    "recorder",
    "http",
    "http server",
    "location",
    "if in server",
    "if in location",
    "limit_except",
    "upstream",
    "cluster",
    "acme_issuer",
];

/// Names of the contexts in a set.
pub fn names(contexts: Contexts) -> impl Iterator<Item = &'static str> {
    NAMES.iter().enumerate().filter(move |(bit, _)| contexts & (1 << bit) != 0).map(|(_, name)| *name)
}
