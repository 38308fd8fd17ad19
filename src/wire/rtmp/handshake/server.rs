//! Server side: receives C0 and C1, answers, receives C2.

use bytes::{BufMut, BytesMut};

use super::digest::{self, DIGEST, HandshakeSide, Scheme};
use super::{HandshakePacket, PACKET, PACKET_HEADER, VERSION, fill, gather, take_version};
use crate::wire::rtmp::RtmpError;

/// Version in an S1 with a digest: clients look for a digest if it is not zero.
const DIGEST_VERSION: [u8; 4] = [0x0D, 0x0E, 0x0A, 0x0D];

/// Server side of a handshake.
#[derive(Debug)]
pub struct ServerHandshake {
    state: ServerHandshakeState,
    seed: [u8; 32],
    scheme: Option<Scheme>,
}

/// `C0 -> C1 -> C2 -> Done`, driven by input alone.
#[derive(Debug)]
enum ServerHandshakeState {
    C0,
    C1(Vec<u8>),
    C2 { left: usize },
    Done,
}

impl ServerHandshake {
    /// Waits for C0. The seed should be random: it determines all meaningless bytes of S1 and S2.
    pub fn new(seed: [u8; 32]) -> Self {
        Self { state: ServerHandshakeState::C0, seed, scheme: None }
    }

    /// Consumes handshake bytes of `input` and appends the answer to `out`. Returns whether C2 is complete; the rest of
    /// `input` then belongs to the chunk stream.
    ///
    /// `time` is the server's time in milliseconds, of any epoch.
    ///
    /// # Errors
    ///
    /// The client's version is not supported.
    pub fn handle_input(
        &mut self,
        input: &mut &[u8],
        time: u32,
        out: &mut BytesMut,
    ) -> Result<bool, RtmpError> {
        loop {
            match &mut self.state {
                ServerHandshakeState::C0 => {
                    if !take_version(input)? {
                        return Ok(false);
                    }
                    self.state = ServerHandshakeState::C1(Vec::new());
                }
                ServerHandshakeState::C1(bytes) => {
                    if !gather(bytes, input) {
                        return Ok(false);
                    }
                    let c1 = <&HandshakePacket>::try_from(&bytes[..]).expect("gathered to this length");
                    self.scheme = answer(c1, time, &self.seed, out);
                    self.state = ServerHandshakeState::C2 { left: PACKET };
                }
                ServerHandshakeState::C2 { left } => {
                    let taken = input.len().min(*left);
                    *input = &input[taken..];
                    *left -= taken;
                    if *left > 0 {
                        return Ok(false);
                    }
                    self.state = ServerHandshakeState::Done;
                }
                ServerHandshakeState::Done => return Ok(true),
            }
        }
    }

    /// Digest scheme of the client; `None` for the plain handshake and before C1.
    pub fn scheme(&self) -> Option<Scheme> {
        self.scheme
    }
}

/// Appends S0, S1 and S2.
fn answer(c1: &HandshakePacket, time: u32, seed: &[u8; 32], out: &mut BytesMut) -> Option<Scheme> {
    let asks_for_digest = c1[4..PACKET_HEADER] != [0; 4];
    let found = asks_for_digest.then(|| digest::find(c1, HandshakeSide::Client)).flatten();

    let mut s1 = [0; PACKET];
    s1[..4].copy_from_slice(&time.to_be_bytes());
    fill(&mut s1[PACKET_HEADER..], seed, 1);
    let mut s2 = *c1;
    match &found {
        Some((scheme, client_digest)) => {
            s1[4..PACKET_HEADER].copy_from_slice(&DIGEST_VERSION);
            digest::sign(&mut s1, *scheme, HandshakeSide::Server);
            fill(&mut s2[..PACKET - DIGEST], seed, 2);
            digest::sign_answer(&mut s2, client_digest, HandshakeSide::Server);
        }
        None => s2[4..PACKET_HEADER].copy_from_slice(&time.to_be_bytes()),
    }

    out.reserve(1 + 2 * PACKET);
    out.put_u8(VERSION);
    out.put_slice(&s1);
    out.put_slice(&s2);
    found.map(|(scheme, _)| scheme)
}
