//! Bounds of relays (`push`, `pull`).

use std::time::Duration;

/// Maximum length in bytes of a `Location` that a relay follows.
pub const RELAY_ADDRESS_BYTES: usize = 4096;

/// Maximum number of servers that a stream may pass through by relays. Clusters have two or three levels.
pub const RELAY_HOPS: usize = 16;

/// Maximum clock difference to another server whose proof is checked. An intercepted proof is valid for this long;
/// clocks that are not synchronised are off by a minute or two.
pub const RELAY_PROOF_AGE: Duration = Duration::from_secs(300);

/// Time that another server has from the connection to `Play.Start` or `Publish.Start`. Its callbacks may take the
/// usual three seconds each.
pub const RELAY_SETUP: Duration = Duration::from_secs(10);

/// Idle time after which a relay's connection is probed.
pub const RELAY_KEEPALIVE: Duration = Duration::from_secs(15);

/// Time that an ending relay waits for its last bytes to be sent.
pub const RELAY_LINGER: Duration = Duration::from_millis(500);

/// Time without media after which a relay yields to a publisher on standby. Streams carry several messages a second,
/// and a publisher that replaces a lost one should not wait long. An upstream pingosd that lost its publisher reports
/// that, and the relay yields at once.
pub const RELAY_SILENCE: Duration = Duration::from_secs(3);

/// Time that a relay waiting for media delays the HTTP response head: an origin's refusal, which becomes a status code,
/// has usually arrived by then.
pub const RELAY_HEAD: Duration = Duration::from_secs(1);

/// Minimum time that a relay must have worked for an immediate retry. A relay that ends sooner counts as failed, so
/// that a broken origin is not contacted in a tight loop.
pub const RELAY_WORKED: Duration = Duration::from_millis(300);
