//! Loops of relays: a connection of ours tells through which streams of which servers it has come.
//!
//! Each server and stream is one hop, a keyed hash that only its own server recognises, so nothing is told to
//! others. A session whose trail holds the hop of the very stream it asks for would feed a stream with itself.
//!
//! Any client can claim to have any trail. What it claims counts against its own session, and goes no further: a relay of
//! ours tells only what is proved ([`super::trail_proof`]), and of that what holds for all players that it is for. Circles
//! that nobody can prove are found by the way that media comes ([`super::relay_messages::way`]), which is told by the server that
//! was chosen as the source, and not by a client.

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
/// Longest proof: a time, a hyphen, and 32 bytes in hexadecimal.
const PROOF: usize = 20 + 1 + 64;

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

/// What a peer says of its way here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    hops: Bytes,
    proof: Bytes,
    app: Bytes,
}

impl Claim {
    /// From a trail, its proof, and the application that it was told with; what cannot be a trail is none.
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

    /// The application as the peer has named it.
    pub fn app(&self) -> &Bytes {
        &self.app
    }
}

/// Where a session has come through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    claimed: Bytes,
    proved: bool,
}

impl Trail {
    /// As claimed; `proved`: by a server that we trust.
    pub fn new(claim: &Claim, proved: bool) -> Trail {
        Trail { claimed: claim.hops.clone(), proved: proved && !claim.hops.is_empty() }
    }

    /// Of a relay of our own.
    pub fn ours(hops: Bytes) -> Trail {
        Trail { claimed: hops, proved: true }
    }

    /// What the session says. It counts against nobody else.
    pub fn claimed(&self) -> &Bytes {
        &self.claimed
    }

    /// What others may be told.
    pub fn proved(&self) -> &[u8] {
        if self.proved { &self.claimed } else { b"" }
    }

    /// Whether the session says that it is a relay of ours.
    pub fn claims_relay(&self) -> bool {
        !self.claimed.is_empty()
    }
}

/// What a relay that is for all of these sessions may tell of where it has come through: the hops that all of them are
/// proved to have in common. It leads back to a stream only if it does so for each of them.
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

/// Where the media of a stream comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed<'a> {
    /// Nobody brings any.
    Nobody,
    /// It is published here.
    Here,
    /// It is pulled; by this way, as far as that is known.
    Way(&'a [u8]),
}

/// Whether the stream `hop` would be fed with itself if a session with this trail had it. A trail tells of the moment at
/// which it was told: where the stream's media does not come by way of who asks, which is the trail's last hop, it is no
/// circle any more.
pub fn closes_circle(trail: &[u8], hop: &Hop, feed: Feed<'_>) -> bool {
    if !is_loop(trail, hop) || hops(trail).count() >= limits::RELAY_HOPS {
        return is_loop(trail, hop);
    }
    match feed {
        Feed::Nobody => true,
        Feed::Here => false,
        Feed::Way(way) => hops(way).any(|step| Some(step) == hops(trail).last()),
    }
}

/// Whether a session with this trail must not have the stream `hop`: it has been there, or it has come too far.
pub fn is_loop(trail: &[u8], hop: &Hop) -> bool {
    hops(trail).enumerate().any(|(n, step)| step == hop.0.as_bytes() || n + 1 >= limits::RELAY_HOPS)
}

fn hops(trail: &[u8]) -> impl Iterator<Item = &[u8]> {
    trail.split(|b| *b == b',').filter(|step| !step.is_empty())
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
    fn a_trail_counts_for_as_long_as_it_is_true() {
        let (own, other) = (hop(1, "s"), hop(2, "s"));
        let trail = extended(&extended(b"", &own), &other);
        let through = |hop: &Hop| extended(b"", hop);
        for (feed, closes) in [
            (Feed::Nobody, true),
            (Feed::Here, false),
            (Feed::Way(b""), false),
            (Feed::Way(&through(&other)), true),
            (Feed::Way(&through(&hop(3, "s"))), false),
        ] {
            assert_eq!(closes_circle(&trail, &own, feed), closes, "{feed:?}");
            assert!(!closes_circle(&trail, &hop(4, "s"), feed));
        }
        let long = Bytes::from(vec!["ab"; limits::RELAY_HOPS].join(","));
        assert!(closes_circle(&long, &own, Feed::Here));
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
