//! Loops of relays: a connection of ours tells through which streams of which servers it has come.
//!
//! Each server and stream is one hop, a keyed hash that only its own server recognises, so nothing is told to
//! others. A session whose trail holds the hop of the very stream it asks for would feed a stream with itself.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::hub::registry::StreamKey;
use crate::limits;

/// Member of connect's command object that carries a trail.
pub const CONNECT_MEMBER: &str = "pingosdTrail";
/// HTTP header that carries a trail.
pub const HEADER: &str = "x-pingosd-trail";

/// Letters of a hop: eight bytes in hexadecimal.
const HOP: usize = 16;

/// A stream of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop(String);

impl Hop {
    /// `server` is a random number of this process.
    pub fn new(server: &[u8], stream: &StreamKey) -> Hop {
        let mut hash = Sha256::new_with_prefix(server);
        for part in [&stream.serverid, &stream.app, &stream.name] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Hop(hash.finalize().iter().take(HOP / 2).map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Whether a session with this trail must not have the stream `hop`: it has been there, or it has come too far.
pub fn is_loop(trail: &[u8], hop: &Hop) -> bool {
    let mut hops = 0;
    for step in trail.split(|b| *b == b',').filter(|step| !step.is_empty()) {
        hops += 1;
        if step == hop.0.as_bytes() || hops >= limits::RELAY_HOPS {
            return true;
        }
    }
    false
}

/// The trail of a relay for a session with `trail`, from the stream `hop`.
pub fn extended(trail: &[u8], hop: &Hop) -> Bytes {
    if trail.is_empty() {
        return Bytes::from(hop.0.clone());
    }
    Bytes::from([trail, b",", hop.0.as_bytes()].concat())
}

/// What a peer calls a trail, if it can be one.
pub fn checked(text: &[u8]) -> Bytes {
    let plausible = text.len() <= limits::RELAY_HOPS * (HOP + 1)
        && text.iter().all(|b| b.is_ascii_hexdigit() || *b == b',');
    if plausible { Bytes::copy_from_slice(text) } else { Bytes::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(server: u8, name: &'static str) -> Hop {
        Hop::new(&[server; 16], &StreamKey::new("default", "live", name))
    }

    #[test]
    fn a_stream_recognises_itself_only() {
        let trail = extended(&extended(b"", &hop(1, "s")), &hop(2, "s"));
        assert!(is_loop(&trail, &hop(1, "s")));
        assert!(is_loop(&trail, &hop(2, "s")));
        assert!(!is_loop(&trail, &hop(1, "t")));
        assert!(!is_loop(&trail, &hop(3, "s")));
        assert!(!is_loop(b"", &hop(1, "s")));
        assert_eq!(checked(&trail), trail);
    }

    #[test]
    fn a_trail_ends_after_so_many_hops() {
        let mut trail = Bytes::new();
        for server in 0..limits::RELAY_HOPS - 1 {
            assert!(!is_loop(&trail, &hop(200, "s")));
            trail = extended(&trail, &hop(server as u8, "s"));
        }
        assert!(!is_loop(&trail, &hop(200, "s")));
        assert!(is_loop(&extended(&trail, &hop(100, "s")), &hop(200, "s")));
    }

    #[test]
    fn what_is_no_trail_counts_as_none() {
        assert_eq!(checked(b"ab\r\ncd"), Bytes::new());
        assert_eq!(checked(&[b'a'; 4096]), Bytes::new());
        assert!(!is_loop(b",,,", &hop(1, "s")));
    }
}
