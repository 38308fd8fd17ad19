//! MPEG-TS: finds the pictures in a body and their stamps, without the code of the server.

use std::collections::VecDeque;

use crate::Result;
use crate::stamp::{self, Stamp};

/// Bytes of a packet (ISO/IEC 13818-1, 2.4.3.2).
const PACKET: usize = 188;

const SYNC: u8 = 0x47;

/// Start code and the upper four bits of a video stream id of a PES packet (2.4.3.7).
const PREFIX: [u8; 3] = [0, 0, 1];
const VIDEO: u8 = 0xe0;

/// Bytes of a picture that are looked at: in front of the stamp stand the PES header, an access unit delimiter and
/// parameter sets.
const LOOKED_AT: usize = 1024;

/// A picture that was read as a whole.
pub struct Picture {
    pub stamp: Option<Stamp>,
    /// When its last packet was read. The container tells its end only by the beginning of the next one.
    pub read_ns: u64,
}

/// Takes bytes in any pieces, gives pictures.
#[derive(Default)]
pub struct Reader {
    /// The beginning of a packet.
    rest: Vec<u8>,
    open: Option<Open>,
    pictures: VecDeque<Picture>,
}

/// The picture whose packets are coming.
struct Open {
    pid: u16,
    head: Vec<u8>,
    read_ns: u64,
}

impl Reader {
    pub fn push(&mut self, data: &[u8]) -> Result<()> {
        let now_ns = stamp::now_ns();
        self.rest.extend_from_slice(data);
        let whole = self.rest.len() / PACKET * PACKET;
        let rest = self.rest.split_off(whole);
        let packets = std::mem::replace(&mut self.rest, rest);
        for packet in packets.chunks_exact(PACKET) {
            self.push_packet(packet, now_ns)?;
        }
        Ok(())
    }

    pub fn poll_picture(&mut self) -> Option<Picture> {
        self.pictures.pop_front()
    }

    fn push_packet(&mut self, packet: &[u8], now_ns: u64) -> Result<()> {
        if packet[0] != SYNC {
            return Err("no MPEG-TS packet where one is due".into());
        }
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        let begins = packet[1] & 0x40 != 0;
        // Adaptation field: none, alone, or in front of the payload.
        let at = match packet[3] >> 4 & 3 {
            1 => 4,
            3 => 5 + usize::from(packet[4]),
            _ => return Ok(()),
        };
        let payload = packet.get(at..).ok_or("an adaptation field longer than its packet")?;
        if begins && payload.len() > 3 && payload[..3] == PREFIX && payload[3] & 0xf0 == VIDEO {
            if let Some(done) = self.open.take() {
                self.pictures.push_back(Picture { stamp: Stamp::find(&done.head), read_ns: done.read_ns });
            }
            self.open = Some(Open { pid, head: Vec::new(), read_ns: now_ns });
        }
        if let Some(open) = self.open.as_mut().filter(|open| open.pid == pid) {
            open.read_ns = now_ns;
            let room = LOOKED_AT.saturating_sub(open.head.len()).min(payload.len());
            open.head.extend_from_slice(&payload[..room]);
        }
        Ok(())
    }
}
