//! Digests in handshake packets.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use strum::VariantArray;

use super::{HandshakePacket, PACKET};

/// Length of a digest in bytes.
pub(super) const DIGEST: usize = 32;

/// Keys of both sides: a name, with which C1 and S1 are signed; and the name followed by the same 32 bytes, with which
/// C2 and S2 are signed.
const CLIENT_NAME: &[u8] = b"Genuine Adobe Flash Player 001";
const SERVER_NAME: &[u8] = b"Genuine Adobe Flash Media Server 001";
const KEY_TAIL: &[u8; 32] = &[
    0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E, 0x57, 0x6E,
    0xEC, 0x5D, 0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB, 0x31, 0xAE,
];

/// The signing side.
#[derive(Clone, Copy)]
pub(super) enum HandshakeSide {
    Client,
    Server,
}

/// Position of the digest in C1 and S1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum Scheme {
    /// In the second half. A received packet is tried in this order.
    One,
    /// In the first half, after time and version.
    Zero,
}

impl Scheme {
    /// Offset of the digest; it is computed from the sum of the four bytes at the start of the scheme's half.
    fn digest_offset(self, packet: &HandshakePacket) -> usize {
        let base = match self {
            Self::Zero => 8,
            Self::One => 772,
        };
        let sum: usize = packet[base..base + 4].iter().map(|&byte| usize::from(byte)).sum();
        base + 4 + sum % 728
    }
}

/// Scheme and digest of a C1 or S1, if `side` signed it.
pub(super) fn find(packet: &HandshakePacket, side: HandshakeSide) -> Option<(Scheme, [u8; DIGEST])> {
    Scheme::VARIANTS.iter().copied().find_map(|scheme| {
        let offset = scheme.digest_offset(packet);
        let digest = packet_digest(packet, offset, side);
        (packet[offset..offset + DIGEST] == digest).then_some((scheme, digest))
    })
}

/// Signs a C1 or S1 and returns the digest.
pub(super) fn sign(packet: &mut HandshakePacket, scheme: Scheme, side: HandshakeSide) -> [u8; DIGEST] {
    let offset = scheme.digest_offset(packet);
    let digest = packet_digest(packet, offset, side);
    packet[offset..offset + DIGEST].copy_from_slice(&digest);
    digest
}

/// Signs a C2 or S2: its last 32 bytes prove that the sender received `their_digest`.
pub(super) fn sign_answer(packet: &mut HandshakePacket, their_digest: &[u8; DIGEST], side: HandshakeSide) {
    let key = hmac(&[side.name(), KEY_TAIL].concat(), &[their_digest]);
    let (signed, signature) = packet.split_at_mut(PACKET - DIGEST);
    signature.copy_from_slice(&hmac(&key, &[signed]));
}

/// Digest of everything except the digest itself.
fn packet_digest(packet: &HandshakePacket, offset: usize, side: HandshakeSide) -> [u8; DIGEST] {
    hmac(side.name(), &[&packet[..offset], &packet[offset + DIGEST..]])
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; DIGEST] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

impl HandshakeSide {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Client => CLIENT_NAME,
            Self::Server => SERVER_NAME,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_schemes_are_found_again() {
        for &scheme in Scheme::VARIANTS {
            for byte in [0, 1, 0x7F, 0xFF] {
                let mut packet = [byte; PACKET];
                let digest = sign(&mut packet, scheme, HandshakeSide::Client);
                assert_eq!(find(&packet, HandshakeSide::Client), Some((scheme, digest)));
                assert_eq!(find(&packet, HandshakeSide::Server), None);
            }
        }
    }

    #[test]
    fn changed_packet_has_no_digest() {
        let mut packet = [3; PACKET];
        sign(&mut packet, Scheme::One, HandshakeSide::Server);
        packet[PACKET - 1] ^= 1;
        assert_eq!(find(&packet, HandshakeSide::Server), None);
    }
}
