//! The handshake (RTMP 1.0 §5.2) and the digest variant that Flash Player 9 added to it.
//!
//! ```text
//!   client                      server
//!     | --- C0 C1 ---------------> |   version; time, zero or product version, random
//!     | <-------------- S0 S1 S2 - |   all at once, as soon as C1 is complete
//!     | --- C2 ------------------> |   counted, not compared: encoders get it wrong
//! ```
//!
//! Both variants have the same lengths. In the plain variant, S2 repeats C1 and C2 repeats S1. In the digest variant,
//! C1 and S1 contain a keyed digest of themselves at one of two positions ([`Scheme`]), and C2 and S2 end with a digest
//! that depends on the other side's. A client with an invalid digest gets a plain answer, as from PingOS.
//!
//! The encrypted variant (version 6) is refused.

mod client;
mod digest;
mod server;

pub use client::ClientHandshake;
pub use digest::Scheme;
pub use server::ServerHandshake;

use sha2::{Digest, Sha256};

use super::RtmpError;

/// The only protocol version in use.
const VERSION: u8 = 3;

/// Length of C1, C2, S1 and S2.
const PACKET: usize = 1536;

/// Length of time and version at the start of C1 and S1.
const PACKET_HEADER: usize = 8;

type HandshakePacket = [u8; PACKET];

/// Fills a packet with bytes derived from a seed.
///
/// Handshake bytes need only differ between sessions and protect nothing, so 32 random bytes suffice instead of 3 KiB.
fn fill(packet: &mut [u8], seed: &[u8; 32], label: u8) {
    for (counter, block) in (0u32..).zip(packet.chunks_mut(32)) {
        let noise = Sha256::new()
            .chain_update(seed)
            .chain_update([label])
            .chain_update(counter.to_be_bytes())
            .finalize();
        block.copy_from_slice(&noise[..block.len()]);
    }
}

/// Takes the version, C0 or S0, from `input`. Returns whether it was there.
fn take_version(input: &mut &[u8]) -> Result<bool, RtmpError> {
    let Some((&version, rest)) = input.split_first() else { return Ok(false) };
    if version != VERSION {
        return Err(RtmpError::UnsupportedVersion(version));
    }
    *input = rest;
    Ok(true)
}

/// Moves bytes from `input` to `packet` until it has `PACKET` bytes. Returns whether it has.
fn gather(packet: &mut Vec<u8>, input: &mut &[u8]) -> bool {
    let (taken, rest) = input.split_at((PACKET - packet.len()).min(input.len()));
    packet.extend_from_slice(taken);
    *input = rest;
    packet.len() == PACKET
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    const SEED: [u8; 32] = [7; 32];

    /// Runs both sides, `step` bytes at a time, with `tail` directly after C2; returns the bytes that the server left.
    fn shake(digest: bool, step: usize, tail: &[u8]) -> Vec<u8> {
        let mut to_server = BytesMut::new();
        let mut to_client = BytesMut::new();
        let mut client = ClientHandshake::new(&[9; 32], digest, 1, &mut to_server);
        let mut server = ServerHandshake::new(SEED);
        let mut rest = Vec::new();
        let mut server_done = false;
        let mut client_done = false;
        while !(server_done && client_done) {
            for bytes in std::mem::take(&mut to_server).chunks(step) {
                let mut input = bytes;
                if !server_done {
                    server_done =
                        server.handle_input(&mut input, 2, &mut to_client).expect("client speaks version 3");
                }
                rest.extend_from_slice(input);
            }
            for bytes in std::mem::take(&mut to_client).chunks(step) {
                let mut input = bytes;
                if !client_done {
                    client_done =
                        client.handle_input(&mut input, 3, &mut to_server).expect("server speaks version 3");
                    if client_done {
                        to_server.extend_from_slice(tail);
                    }
                }
                assert!(input.is_empty());
            }
        }
        assert_eq!(client.verified(), digest);
        assert_eq!(server.scheme().is_some(), digest);
        rest
    }

    #[test]
    fn both_variants_complete_and_leave_what_follows() {
        for digest in [false, true] {
            for step in [1, 7, 1536, 1537, 4096] {
                assert_eq!(shake(digest, step, b"next"), b"next");
            }
        }
    }

    #[test]
    fn server_answers_as_soon_as_c1_is_complete() {
        let mut out = BytesMut::new();
        let mut server = ServerHandshake::new(SEED);
        let mut input = &[3; 1][..];
        assert_eq!(server.handle_input(&mut input, 0, &mut out), Ok(false));
        let mut input = &[0; PACKET - 1][..];
        assert_eq!(server.handle_input(&mut input, 0, &mut out), Ok(false));
        assert!(out.is_empty());
        let mut input = &[0; 1][..];
        assert_eq!(server.handle_input(&mut input, 0, &mut out), Ok(false));
        assert_eq!(out.len(), 1 + 2 * PACKET);
        assert_eq!(out[0], VERSION);
    }

    #[test]
    fn plain_s2_repeats_c1() {
        let mut c1 = [0xA5; PACKET];
        c1[4..8].fill(0);
        let mut out = BytesMut::new();
        let mut server = ServerHandshake::new(SEED);
        server.handle_input(&mut &[3][..], 0, &mut out).unwrap();
        server.handle_input(&mut &c1[..], 0x0102_0304, &mut out).unwrap();
        let (s1, s2) = out[1..].split_at(PACKET);
        assert_eq!(&s1[4..8], [0; 4]);
        assert_eq!(&s2[..4], &c1[..4]);
        assert_eq!(&s2[4..8], [1, 2, 3, 4]);
        assert_eq!(&s2[8..], &c1[8..]);
    }

    #[test]
    fn wrong_digest_is_answered_plainly() {
        let mut c1 = [0x5A; PACKET];
        c1[4..8].copy_from_slice(&[9, 0, 124, 2]);
        let mut out = BytesMut::new();
        let mut server = ServerHandshake::new(SEED);
        server.handle_input(&mut &[3][..], 0, &mut out).unwrap();
        server.handle_input(&mut &c1[..], 0, &mut out).unwrap();
        assert_eq!(server.scheme(), None);
        assert_eq!(&out[1 + PACKET + 8..], &c1[8..]);
    }

    #[test]
    fn other_versions_are_refused_at_the_first_byte() {
        for version in (0..=255).filter(|&version| version != VERSION) {
            let mut out = BytesMut::new();
            assert_eq!(
                ServerHandshake::new(SEED).handle_input(&mut &[version][..], 0, &mut out),
                Err(RtmpError::UnsupportedVersion(version))
            );
            assert!(out.is_empty());
            let mut client = ClientHandshake::new(&SEED, false, 0, &mut out);
            assert_eq!(
                client.handle_input(&mut &[version][..], 0, &mut out),
                Err(RtmpError::UnsupportedVersion(version))
            );
        }
    }

    #[test]
    fn different_seeds_give_different_bytes() {
        let answer = |seed| {
            let mut out = BytesMut::new();
            let mut server = ServerHandshake::new([seed; 32]);
            server.handle_input(&mut &[3][..], 0, &mut out).unwrap();
            server.handle_input(&mut &[0; PACKET][..], 0, &mut out).unwrap();
            out
        };
        assert_ne!(answer(1), answer(2));
        assert_eq!(answer(1), answer(1));
    }
}
