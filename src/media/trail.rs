//! Detection of relay loops: a relay's connection carries a trail of the streams and servers through which it has come.
//!
//! Each stream of a server is one hop: a keyed hash that only its own server recognises, so that other servers learn
//! nothing from it. A session whose trail contains the hop of the very stream that it requests would feed a stream with
//! itself.
//!
//! Any client can claim any trail. A claim counts only against its own session and is not passed on: a relay sends only
//! proved hops ([`super::trail_proof`]), and of those only the ones common to all players it serves. Circles that
//! cannot be proved are detected by the path of the media ([`super::relay_messages::way`]), which the configured source
//! sends, not a client.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::hub::registry::StreamKey;
use crate::limits;

/// Member of connect's command object with a trail.
pub const CONNECT_MEMBER: &str = "pingosdTrail";
/// HTTP header with a trail.
pub const HEADER: &str = "x-pingosd-trail";

/// Length of a hop: eight bytes in hexadecimal.
const HOP: usize = 16;
/// Maximum length of a proof: a time, a hyphen, and 32 bytes in hexadecimal.
const PROOF: usize = 20 + 1 + 64;

/// Hop of a trail: a stream of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop(String);

impl Hop {
    /// Hop of a stream; `server` is a random number of this process.
    pub fn new(server: &[u8], stream: &StreamKey) -> Hop {
        let mut hash = Sha256::new_with_prefix(server);
        for part in [&stream.serverid, &stream.app, &stream.name] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Hop(HEXLOWER.encode(&hash.finalize()[..HOP / 2]))
    }
}

/// A trail as a peer claims it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    hops: Bytes,
    proof: Bytes,
    app: Bytes,
}

impl Claim {
    /// From a trail, its proof, and the application that the peer named; an invalid trail counts as empty.
    pub fn new(trail: &[u8], proof: &[u8], app: &[u8]) -> Claim {
        let hops = checked(trail);
        if hops.is_empty() {
            return Claim::default();
        }
        let copy = Bytes::copy_from_slice;
        let proof = if proof.len() <= PROOF { copy(proof) } else { Bytes::from_static(b"-") };
        Claim { hops, proof, app: copy(app) }
    }

    /// The trail.
    pub fn hops(&self) -> &Bytes {
        &self.hops
    }

    /// Its proof.
    pub fn proof(&self) -> &Bytes {
        &self.proof
    }

    /// The application that the peer named.
    pub fn app(&self) -> &Bytes {
        &self.app
    }
}

/// Trail of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    claimed: Bytes,
    proved: bool,
}

impl Trail {
    /// A claimed trail; `proved` if a trusted server has made it.
    pub fn new(claim: &Claim, proved: bool) -> Trail {
        Trail { claimed: claim.hops.clone(), proved: proved && !claim.hops.is_empty() }
    }

    /// Trail of one of this server's relays.
    pub fn ours(hops: Bytes) -> Trail {
        Trail { claimed: hops, proved: true }
    }

    /// The claimed trail, which counts against its own session only.
    pub fn claimed(&self) -> &Bytes {
        &self.claimed
    }

    /// The part that may be sent to other servers.
    pub fn proved(&self) -> &[u8] {
        if self.proved { &self.claimed } else { b"" }
    }

    /// Whether the session claims to be a relay.
    pub fn claims_relay(&self) -> bool {
        !self.claimed.is_empty()
    }
}

/// Trail of a relay that serves all of these sessions: the proved hops that they have in common. It leads back to a
/// stream only if each session's trail does.
pub fn common<'a>(mut trails: impl Iterator<Item = &'a Trail>) -> Bytes {
    let Some(first) = trails.next() else { return Bytes::new() };
    let mut left: Vec<&[u8]> = hops(first.proved()).collect();
    for trail in trails {
        left.retain(|hop| hops(trail.proved()).any(|other| other == *hop));
        if left.is_empty() {
            break;
        }
    }
    Bytes::from(left.join(&b','))
}

/// Source of a stream's media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaOrigin<'a> {
    /// There is no source.
    Missing,
    /// A publisher on this server.
    Here,
    /// A pull, with the path of the media as far as it is known.
    Way(&'a [u8]),
}

/// Whether a session with this trail would feed the stream `hop` with itself. A trail describes the moment at which it
/// was sent: if the stream's media does not come through the requesting server, which is the trail's last hop, the
/// circle no longer exists.
pub fn closes_circle(trail: &[u8], hop: &Hop, feed: MediaOrigin<'_>) -> bool {
    if !is_loop(trail, hop) || hops(trail).count() >= limits::RELAY_HOPS {
        return is_loop(trail, hop);
    }
    match feed {
        MediaOrigin::Missing => true,
        MediaOrigin::Here => false,
        MediaOrigin::Way(way) => hops(way).any(|step| Some(step) == hops(trail).last()),
    }
}

/// Whether a session with this trail must not use the stream `hop`: the trail contains it, or has too many hops.
pub fn is_loop(trail: &[u8], hop: &Hop) -> bool {
    hops(trail).enumerate().any(|(n, step)| step == hop.0.as_bytes() || n + 1 >= limits::RELAY_HOPS)
}

fn hops(trail: &[u8]) -> impl Iterator<Item = &[u8]> {
    trail.split(|b| *b == b',').filter(|step| !step.is_empty())
}

/// Trail of a relay from the stream `hop` for a session with `trail`.
pub fn extended(trail: &[u8], hop: &Hop) -> Bytes {
    if trail.is_empty() {
        return Bytes::from(hop.0.clone());
    }
    Bytes::from([trail, b",", hop.0.as_bytes()].concat())
}

/// The trail, if the text can be one; otherwise empty.
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
    fn a_trail_counts_for_as_long_as_it_is_true() {
        let (own, other) = (hop(1, "s"), hop(2, "s"));
        let trail = extended(&extended(b"", &own), &other);
        let through = |hop: &Hop| extended(b"", hop);
        for (feed, closes) in [
            (MediaOrigin::Missing, true),
            (MediaOrigin::Here, false),
            (MediaOrigin::Way(b""), false),
            (MediaOrigin::Way(&through(&other)), true),
            (MediaOrigin::Way(&through(&hop(3, "s"))), false),
        ] {
            assert_eq!(closes_circle(&trail, &own, feed), closes, "{feed:?}");
            assert!(!closes_circle(&trail, &hop(4, "s"), feed));
        }
        let long = Bytes::from(vec!["ab"; limits::RELAY_HOPS].join(","));
        assert!(closes_circle(&long, &own, MediaOrigin::Here));
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
    fn a_relay_tells_what_all_of_its_players_are_proved_to_share() {
        let trail = |hops: &'static str, proved| Trail::new(&Claim::new(hops.as_bytes(), b"", b""), proved);
        let (long, short) = (trail("aa,bb,cc", true), trail("cc,aa", true));
        assert_eq!(common([&long].into_iter()), "aa,bb,cc");
        assert_eq!(common([&long, &short].into_iter()), "aa,cc");
        for other in [Trail::default(), trail("aa", false), trail("dd", true)] {
            assert_eq!(common([&long, &other, &short].into_iter()), "", "{other:?}");
            assert_eq!(common([&other, &long].into_iter()), "", "{other:?}");
        }
        assert_eq!(common(std::iter::empty()), "");
    }

    #[test]
    fn a_trail_that_is_not_proved_goes_no_further_than_its_session() {
        let claim = Claim::new(b"aa,bb", b"1-00", b"live");
        let trail = Trail::new(&claim, false);
        assert!(trail.claims_relay() && trail.proved().is_empty());
        assert_eq!(trail.claimed(), "aa,bb");
        assert_eq!(Trail::new(&Claim::new(b"no trail", b"", b""), true), Trail::default());
        assert_eq!(Claim::new(b"aa", &[b'1'; 4096], b"").proof(), "-");
    }

    #[test]
    fn what_is_no_trail_counts_as_none() {
        assert_eq!(checked(b"ab\r\ncd"), Bytes::new());
        assert_eq!(checked(&[b'a'; 4096]), Bytes::new());
        assert!(!is_loop(b",,,", &hop(1, "s")));
    }
}
