//! Proofs of trails: a MAC that only servers with the same secret can make.
//!
//! It is an HMAC-SHA256 over the trail, the request (play or publish, application, name) and the time. It is therefore
//! valid for no other stream, and not for long: within [`limits::RELAY_PROOF_AGE`] an eavesdropper can only repeat the
//! same claim about the same stream.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::trail::Claim;
use crate::limits;
use crate::net::secret::Secret;

/// Member of connect's command object with a proof.
pub const CONNECT_MEMBER: &str = "pingosdTrailProof";
/// HTTP header with a proof.
pub const HEADER: &str = "x-pingosd-trail-proof";

/// Request to which a trail belongs, as both ends see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofPurpose<'a> {
    /// `play`, `publish` or `GET`.
    pub verb: &'static str,
    /// Application; empty over HTTP.
    pub app: &'a [u8],
    /// Stream name without query; over HTTP the request target.
    pub name: &'a [u8],
}

/// The secrets of `relay_secret`, and a secret of this process, with which it recognises its own relays without any
/// configured secret.
#[derive(Debug)]
pub struct ProofKeys {
    own: [u8; 32],
    shared: Vec<Secret>,
}

/// Result of checking a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofVerdict {
    /// There is no proof.
    Missing,
    /// Valid: made with a known secret, for this request, recently.
    Proved,
    /// Made with another secret, or for another request.
    Wrong,
    /// Possibly valid, but its time is too far from the current one.
    Stale,
}

impl ProofKeys {
    /// `own` is random. The first of `shared` makes proofs; all are accepted.
    pub fn new(own: [u8; 32], shared: Vec<Secret>) -> ProofKeys {
        ProofKeys { own, shared }
    }

    /// Whether there are secrets that other servers may share.
    pub fn are_shared(&self) -> bool {
        !self.shared.is_empty()
    }

    /// Makes the proof of a trail: the time in seconds, a hyphen, and the MAC in hexadecimal.
    pub fn proof(&self, trail: &[u8], purpose: ProofPurpose<'_>, now: u64) -> Bytes {
        let key = self.shared.first().map_or(&self.own[..], Secret::key);
        let tag = mac(key, trail, purpose, now).finalize().into_bytes();
        Bytes::from(format!("{now}-{}", HEXLOWER.encode(&tag)))
    }

    /// Checks the proof of a claim for this request.
    pub fn judge(&self, claim: &Claim, purpose: ProofPurpose<'_>, now: u64) -> ProofVerdict {
        if claim.hops().is_empty() || claim.proof().is_empty() {
            return ProofVerdict::Missing;
        }
        let Some((time, tag)) = parse(claim.proof()) else { return ProofVerdict::Wrong };
        let keys = self.shared.iter().map(Secret::key).chain([&self.own[..]]);
        let mut macs = keys.map(|key| mac(key, claim.hops(), purpose, time));
        // In constant time.
        if !macs.any(|mac| mac.verify_slice(&tag).is_ok()) {
            return ProofVerdict::Wrong;
        }
        if time.abs_diff(now) > limits::RELAY_PROOF_AGE.as_secs() {
            ProofVerdict::Stale
        } else {
            ProofVerdict::Proved
        }
    }
}

fn mac(key: &[u8], trail: &[u8], purpose: ProofPurpose<'_>, time: u64) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in [b"pingosd trail", purpose.verb.as_bytes(), purpose.app, purpose.name, trail] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.update(&time.to_be_bytes());
    mac
}

fn parse(proof: &[u8]) -> Option<(u64, [u8; 32])> {
    let (time, tag) = std::str::from_utf8(proof).ok()?.split_once('-')?;
    let mut bytes = [0; 32];
    if tag.len() != 2 * bytes.len() || !tag.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(tag.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some((time.parse().ok()?, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAIL: &[u8] = b"0123456789abcdef";
    const PLAY: ProofPurpose<'_> = ProofPurpose { verb: "play", app: b"live", name: b"s" };
    const NOW: u64 = 1_700_000_000;

    fn keys(own: u8, shared: &[&str]) -> ProofKeys {
        ProofKeys::new(
            [own; 32],
            shared.iter().map(|s| Secret::new(s.as_bytes().to_vec()).unwrap()).collect(),
        )
    }

    fn judged(keys: &ProofKeys, proof: &[u8], purpose: ProofPurpose<'_>, now: u64) -> ProofVerdict {
        keys.judge(&Claim::new(TRAIL, proof, b""), purpose, now)
    }

    #[test]
    fn a_proof_holds_for_one_trail_one_stream_and_a_while() {
        let (ours, theirs) = (keys(1, &["secret"]), keys(2, &["secret"]));
        let proof = theirs.proof(TRAIL, PLAY, NOW);
        assert_eq!(judged(&ours, &proof, PLAY, NOW), ProofVerdict::Proved);
        let age = limits::RELAY_PROOF_AGE.as_secs();
        assert_eq!(judged(&ours, &proof, PLAY, NOW + age), ProofVerdict::Proved);
        for now in [NOW + age + 1, NOW - age - 1] {
            assert_eq!(judged(&ours, &proof, PLAY, now), ProofVerdict::Stale);
        }
        for other in [
            ProofPurpose { name: b"t", ..PLAY },
            ProofPurpose { app: b"other", ..PLAY },
            ProofPurpose { verb: "publish", ..PLAY },
            ProofPurpose { app: b"lives", name: b"", ..PLAY },
        ] {
            assert_eq!(judged(&ours, &proof, other, NOW), ProofVerdict::Wrong, "{other:?}");
        }
        let longer = Claim::new(b"0123456789abcdef,0123456789abcdef", &proof, b"");
        assert_eq!(ours.judge(&longer, PLAY, NOW), ProofVerdict::Wrong);
    }

    #[test]
    fn secrets_are_changed_one_server_at_a_time() {
        let steps =
            [keys(1, &["old"]), keys(2, &["old", "new"]), keys(3, &["new", "old"]), keys(4, &["new"])];
        for (from, to) in steps.iter().zip(&steps[1..]).chain(steps[1..].iter().zip(&steps)) {
            assert_eq!(judged(to, &from.proof(TRAIL, PLAY, NOW), PLAY, NOW), ProofVerdict::Proved);
        }
        assert_eq!(judged(&steps[3], &steps[0].proof(TRAIL, PLAY, NOW), PLAY, NOW), ProofVerdict::Wrong);
    }

    #[test]
    fn without_a_secret_a_server_believes_itself_alone() {
        let (ours, theirs) = (keys(1, &[]), keys(2, &[]));
        assert_eq!(judged(&ours, &ours.proof(TRAIL, PLAY, NOW), PLAY, NOW), ProofVerdict::Proved);
        assert_eq!(judged(&ours, &theirs.proof(TRAIL, PLAY, NOW), PLAY, NOW), ProofVerdict::Wrong);
    }

    #[test]
    fn what_is_no_proof_proves_nothing() {
        let keys = keys(1, &["secret"]);
        let hex = "ab".repeat(32);
        for proof in ["-", "1-", "x-00", "1700000000", "99999999999999999999-00", "\u{e9}-\u{e9}", &hex] {
            assert_eq!(judged(&keys, proof.as_bytes(), PLAY, NOW), ProofVerdict::Wrong, "{proof}");
        }
        let odd = format!("1-{}", "é".repeat(32));
        assert_eq!(judged(&keys, odd.as_bytes(), PLAY, NOW), ProofVerdict::Wrong);
        assert_eq!(judged(&keys, b"", PLAY, NOW), ProofVerdict::Missing);
        assert_eq!(format!("{keys:?}").matches("secret").count(), 0);
    }
}
