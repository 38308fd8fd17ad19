//! Client side: sends C0 and C1, receives S0, S1 and S2, answers with C2.

use bytes::{BufMut, BytesMut};

use super::digest::{self, DIGEST, HandshakeSide, Scheme};
use super::{HandshakePacket, PACKET, PACKET_HEADER, VERSION, fill, gather, take_version};
use crate::wire::rtmp::RtmpError;

/// Version in a C1 with a digest: that of a Flash Player known to servers.
const DIGEST_VERSION: [u8; 4] = [9, 0, 124, 2];

/// Client side of a handshake.
#[derive(Debug)]
pub struct ClientHandshake {
    state: ClientHandshakeState,
    seed: [u8; 32],
    digest: bool,
    verified: bool,
}

/// `S0 -> S1 -> S2 -> Done`, driven by input alone.
#[derive(Debug)]
enum ClientHandshakeState {
    S0,
    S1(Vec<u8>),
    S2 { left: usize },
    Done,
}

impl ClientHandshake {
    /// Appends C0 and C1 to `out`. With `digest`, the digest variant is requested.
    ///
    /// `time` is the client's time in milliseconds, of any epoch.
    pub fn new(seed: &[u8; 32], digest: bool, time: u32, out: &mut BytesMut) -> Self {
        let mut c1 = [0; PACKET];
        c1[..4].copy_from_slice(&time.to_be_bytes());
        fill(&mut c1[PACKET_HEADER..], seed, 1);
        if digest {
            c1[4..PACKET_HEADER].copy_from_slice(&DIGEST_VERSION);
            digest::sign(&mut c1, Scheme::One, HandshakeSide::Client);
        }
        out.put_u8(VERSION);
        out.put_slice(&c1);
        Self { state: ClientHandshakeState::S0, seed: *seed, digest, verified: false }
    }

    /// Consumes handshake bytes of `input` and appends C2 to `out`. Returns whether S2 is complete; the rest of `input`
    /// then belongs to the chunk stream.
    ///
    /// S2 is not verified: some servers answer a digest with a plain echo, and the reverse.
    ///
    /// # Errors
    ///
    /// The server's version is not supported.
    pub fn handle_input(
        &mut self,
        input: &mut &[u8],
        time: u32,
        out: &mut BytesMut,
    ) -> Result<bool, RtmpError> {
        loop {
            match &mut self.state {
                ClientHandshakeState::S0 => {
                    if !take_version(input)? {
                        return Ok(false);
                    }
                    self.state = ClientHandshakeState::S1(Vec::new());
                }
                ClientHandshakeState::S1(bytes) => {
                    if !gather(bytes, input) {
                        return Ok(false);
                    }
                    let s1 = <&HandshakePacket>::try_from(&bytes[..]).expect("gathered to this length");
                    let found = self.digest.then(|| digest::find(s1, HandshakeSide::Server)).flatten();
                    let mut c2 = *s1;
                    match &found {
                        Some((_, server_digest)) => {
                            fill(&mut c2[..PACKET - DIGEST], &self.seed, 2);
                            digest::sign_answer(&mut c2, server_digest, HandshakeSide::Client);
                        }
                        None => c2[4..PACKET_HEADER].copy_from_slice(&time.to_be_bytes()),
                    }
                    out.put_slice(&c2);
                    self.verified = found.is_some();
                    self.state = ClientHandshakeState::S2 { left: PACKET };
                }
                ClientHandshakeState::S2 { left } => {
                    let taken = input.len().min(*left);
                    *input = &input[taken..];
                    *left -= taken;
                    if *left > 0 {
                        return Ok(false);
                    }
                    self.state = ClientHandshakeState::Done;
                }
                ClientHandshakeState::Done => return Ok(true),
            }
        }
    }

    /// Whether S1 contained a valid digest after one was requested.
    pub fn verified(&self) -> bool {
        self.verified
    }
}
