//! Bounds of listening sockets, the PROXY protocol and DNS.

use std::time::Duration;

/// Default accept queue length of a listening socket, as in nginx.
pub const LISTEN_BACKLOG: i32 = 511;

/// Maximum length of a header of the PROXY protocol's version 1, in bytes: the longest line that the specification
/// allows, with its line end.
pub const PROXY_HEADER_V1: usize = 107;

/// Maximum length of a header of the PROXY protocol's version 2, in bytes, as in nginx. With the longest addresses, those
/// of Unix sockets, it has 232; the rest is for additional data, such as a client certificate's name.
pub const PROXY_HEADER_V2: usize = 4096;

/// Maximum time for a PROXY header where the configuration sets none (`client_header_timeout 0`, `timeout 0`).
pub const PROXY_HEADER_WAIT: Duration = Duration::from_secs(60);

/// Maximum number of host names in the cache. Callback servers may name any host.
pub const DNS_NAMES: usize = 4096;

/// Maximum number of addresses used per name.
pub const DNS_ADDRESSES: usize = 16;

/// Maximum number of name servers used of a `resolver` line.
pub const DNS_SERVERS: usize = 8;

/// Maximum number of names, each of which stands for the next, between a name and its addresses, as in nginx.
pub const DNS_ALIASES: usize = 50;

/// Maximum length of an answer over UDP, in bytes, as in nginx.
pub const DNS_DATAGRAM: usize = 4096;

/// Maximum number of concurrent DNS queries; further ones queue.
pub const DNS_QUESTIONS: usize = 32;

/// Minimum lifetime of a DNS answer, so that a TTL of 0 does not cause a query per connection.
pub const DNS_TTL_LEAST: Duration = Duration::from_secs(1);

/// Maximum lifetime of a DNS answer, whatever its TTL.
pub const DNS_TTL_MOST: Duration = Duration::from_secs(3600);

/// Timeout of a DNS query before it is repeated or sent to another server.
pub const DNS_ANSWER: Duration = Duration::from_secs(2);

/// Time that a name with an address of one family waits for the other family.
pub const DNS_OTHER_FAMILY: Duration = Duration::from_millis(200);

/// Minimum interval between queries for a name after a failure.
pub const DNS_RETRY: Duration = Duration::from_secs(1);

/// Time that a connection waits for an answer when an expired one exists.
pub const DNS_PATIENCE: Duration = Duration::from_millis(500);

/// Interval at which the system's resolver settings are checked when answers are not cached.
pub const DNS_REFRESH: Duration = Duration::from_secs(5);

/// Names not requested for this long are not refreshed ahead of time.
pub const DNS_IN_USE: Duration = Duration::from_secs(600);
