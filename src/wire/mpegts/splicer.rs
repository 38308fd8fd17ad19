//! Splicer: joins recorded parts of this server's transport streams to one that a client can read on.
//!
//! Packets stay as they are recorded. Where parts do not join, and where packets are missing, the next packet of each PID that
//! this concerns is preceded by one that says so (`discontinuity_indicator`, ISO 13818-1 §2.4.3.5).

use bytes::{BufMut, Bytes, BytesMut};

use super::{PACKET_SIZE, PID_AUDIO, PID_PAT, PID_VIDEO};

/// Joins parts in order; see the module's documentation.
#[derive(Debug, Default)]
pub struct Splicer {
    /// Bytes of an incomplete packet.
    rest: Vec<u8>,
    /// Whether the output has begun: it does with tables.
    has_begun: bool,
    /// PIDs of the output so far.
    pids: Vec<KnownPid>,
    /// The latest packet with which a unit of audio or video begins.
    unit: Option<UnitStart>,
}

#[derive(Clone, Copy, Debug)]
struct KnownPid {
    pid: u16,
    /// Continuity counter that the next packet has if it has payload; `None` if nothing continues.
    next: Option<u8>,
}

/// The packet with which an audio or video unit begins. It has the unit's timestamps and a continuity counter, which tell units of
/// a stream apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitStart([u8; PACKET_SIZE]);

impl UnitStart {
    /// Whether a piece of a feed, as a [`TsFrame`](super::TsFrame) has it, is the unit that begins with this packet. A piece may have
    /// tables in front and timed metadata behind.
    pub fn begins(&self, piece: &[u8]) -> bool {
        let mut packets = piece.chunks_exact(PACKET_SIZE);
        packets.find(|packet| is_unit_start(packet)).is_some_and(|packet| packet == self.0)
    }
}

impl Splicer {
    /// Appends the packets of the next bytes of a recording. What is no packet is left out.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut BytesMut) {
        out.reserve(bytes.len());
        if !self.rest.is_empty() {
            let lack = (PACKET_SIZE - self.rest.len()).min(bytes.len());
            self.rest.extend_from_slice(&bytes[..lack]);
            bytes = &bytes[lack..];
            if self.rest.len() < PACKET_SIZE {
                return;
            }
            let whole = std::mem::take(&mut self.rest);
            self.packet(&whole, out);
        }
        let mut packets = bytes.chunks_exact(PACKET_SIZE);
        for packet in packets.by_ref() {
            self.packet(packet, out);
        }
        self.rest = packets.remainder().to_vec();
    }

    /// Ends a run of parts: what follows does not continue it.
    pub fn end_run(&mut self) {
        self.rest.clear();
        self.pids.iter_mut().for_each(|known| known.next = None);
        self.unit = None;
    }

    /// The beginning of the latest unit of audio or video; `None` if the run has none.
    pub fn unit(&self) -> Option<UnitStart> {
        self.unit
    }

    fn packet(&mut self, packet: &[u8], out: &mut BytesMut) {
        let Some(pid) = pid(packet) else { return };
        self.has_begun |= pid == PID_PAT;
        if !self.has_begun {
            return;
        }
        let (before, next) = (counter_before(packet), packet[3].wrapping_add(1) & 0x0F);
        let count = self.pids.len();
        if let Some(known) = self.pids.iter_mut().find(|known| known.pid == pid) {
            if known.next != Some((before + 1) & 0x0F) {
                put_discontinuity(packet, out);
            }
            known.next = Some(next);
        } else if count < PIDS_MAX {
            self.pids.push(KnownPid { pid, next: Some(next) });
        }
        out.put_slice(packet);
        if is_unit_start(packet) {
            self.unit = packet.try_into().ok().map(UnitStart);
        }
    }
}

/// Packets, one for each PID of these pieces, that announce that the pieces do not continue what was sent before.
pub fn discontinuities(pieces: &[Bytes]) -> Bytes {
    let (mut out, mut seen) = (BytesMut::new(), Vec::new());
    for packet in pieces.iter().flat_map(|piece| piece.chunks_exact(PACKET_SIZE)) {
        let Some(pid) = pid(packet) else { continue };
        if seen.len() < PIDS_MAX && !seen.contains(&pid) {
            seen.push(pid);
            put_discontinuity(packet, &mut out);
        }
    }
    out.freeze()
}

fn pid(packet: &[u8]) -> Option<u16> {
    let &[SYNC, b1, b2, _, ..] = packet else { return None };
    Some(u16::from(b1 & 0x1F) << 8 | u16::from(b2))
}

fn is_unit_start(packet: &[u8]) -> bool {
    let of_media = pid(packet).is_some_and(|pid| pid == PID_VIDEO || pid == PID_AUDIO);
    of_media && packet[1] & UNIT_START != 0
}

/// Continuity counter of the packet before: only packets with payload count (§2.4.3.3).
fn counter_before(packet: &[u8]) -> u8 {
    let counter = packet[3] & 0x0F;
    if packet[3] & PAYLOAD != 0 { counter.wrapping_sub(1) & 0x0F } else { counter }
}

/// A packet without payload in front of `packet`, with the counter of the packet before.
fn put_discontinuity(packet: &[u8], out: &mut BytesMut) {
    out.put_slice(&[SYNC, packet[1] & 0x1F, packet[2], ADAPTATION | counter_before(packet)]);
    out.put_u8((PACKET_SIZE - 5) as u8);
    out.put_u8(DISCONTINUITY);
    out.put_bytes(0xFF, PACKET_SIZE - 6);
}

const SYNC: u8 = 0x47;
const UNIT_START: u8 = 0x40;
const PAYLOAD: u8 = 0x10;
const ADAPTATION: u8 = 0x20;
const DISCONTINUITY: u8 = 0x80;
/// PIDs whose continuity is known.
const PIDS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Packager, PackagerSettings, TsFrame};
    use super::*;
    use crate::wire::MediaKind;

    /// Pieces of a stream with a key picture each 400 ms.
    fn pieces(packager: &mut Packager, begin: u32) -> Vec<TsFrame> {
        let mut out = Vec::new();
        let mut put = |kind, at, payload: &[u8]| packager.handle_frame(kind, at, payload, &mut out).unwrap();
        put(MediaKind::Video, begin, b"\x17\0\0\0\0\x01\x42\xC0\x0D\xFF\xE1\0\x0A\x67\x42\xC0\x0D\xDA\x05\x07\xEC\x04\x40\x01\0\x04\x68\xCE\x3C\x80");
        put(MediaKind::Audio, begin, b"\xAF\0\x12\x10");
        for n in 0..30_u32 {
            let nal = [vec![if n % 10 == 0 { 0x65 } else { 0x41 }], vec![n as u8; 400]].concat();
            let head: [u8; 5] = [if n % 10 == 0 { 0x17 } else { 0x27 }, 1, 0, 0, 0];
            let body = [&head[..], &(nal.len() as u32).to_be_bytes(), &nal].concat();
            put(MediaKind::Video, begin + n * 40, &body);
            // Silence, which is the same each time.
            put(MediaKind::Audio, begin + n * 40, &[&[0xAF, 1][..], &[0; 50]].concat());
        }
        out
    }

    fn bytes(pieces: &[TsFrame]) -> Vec<u8> {
        pieces.iter().flat_map(|piece| piece.bytes.to_vec()).collect()
    }

    /// Checks continuity as a client does, and returns the number of announced breaks.
    fn check(stream: &[u8]) -> usize {
        let (mut before, mut breaks): (std::collections::HashMap<u16, u8>, _) = (Default::default(), 0);
        for packet in stream.chunks(PACKET_SIZE) {
            assert_eq!((packet[0], packet.len()), (SYNC, PACKET_SIZE));
            let pid = u16::from(packet[1] & 0x1F) << 8 | u16::from(packet[2]);
            let counter = packet[3] & 0x0F;
            let says_so = packet[3] & ADAPTATION != 0 && packet[4] > 0 && packet[5] & DISCONTINUITY != 0;
            breaks += usize::from(says_so);
            if let Some(before) = before.insert(pid, counter).filter(|_| !says_so) {
                let step = u8::from(packet[3] & PAYLOAD != 0);
                assert_eq!((before + step) & 0x0F, counter, "PID {pid}");
            }
        }
        breaks
    }

    #[test]
    fn parts_that_join_stay_as_they_are() {
        let recorded = bytes(&pieces(&mut Packager::new(PackagerSettings::default()), 0));
        for step in [1, 187, 188, 1000, recorded.len()] {
            let (mut splicer, mut out) = (Splicer::default(), BytesMut::new());
            recorded.chunks(step).for_each(|part| splicer.push(part, &mut out));
            assert_eq!(out, recorded);
        }
    }

    #[test]
    fn each_pid_says_where_parts_do_not_join() {
        let first = bytes(&pieces(&mut Packager::new(PackagerSettings::default()), 0));
        let second = bytes(&pieces(&mut Packager::new(PackagerSettings::default()), 77_000));
        let (mut splicer, mut out) = (Splicer::default(), BytesMut::new());
        // A damaged end, and a beginning behind the tables.
        splicer.push(&first[2 * PACKET_SIZE..first.len() - 100], &mut out);
        assert!(out.starts_with(&[SYNC, 0x40, 0x00]), "begins with a PAT");
        splicer.end_run();
        assert_eq!(splicer.unit(), None);
        splicer.push(&second, &mut out);
        // PAT, PMT, video and audio.
        assert_eq!(check(&out), 4);
        let said = discontinuities(&[Bytes::new(), Bytes::from(second.clone())]);
        assert_eq!(check(&[&first[..], &said, &second].concat()), 4);
    }

    #[test]
    fn missing_packets_are_said_and_the_rest_is_sent() {
        let recorded = bytes(&pieces(&mut Packager::new(PackagerSettings::default()), 0));
        let (mut splicer, mut out) = (Splicer::default(), BytesMut::new());
        splicer.push(&recorded[..50 * PACKET_SIZE], &mut out);
        // Damage that leaves no packet, and a packet that is not there.
        splicer.push(&[0; PACKET_SIZE], &mut out);
        splicer.push(&recorded[51 * PACKET_SIZE..], &mut out);
        assert_eq!((check(&out), out.len()), (1, recorded.len()));
    }

    #[test]
    fn a_piece_is_told_from_others_by_its_first_packet() {
        let pieces = pieces(&mut Packager::new(PackagerSettings::default()), 0);
        for (n, piece) in pieces.iter().enumerate() {
            let (mut splicer, mut out) = (Splicer::default(), BytesMut::new());
            splicer.push(&bytes(&pieces[..=n]), &mut out);
            let unit = splicer.unit().unwrap();
            let found: Vec<_> = pieces.iter().filter(|piece| unit.begins(&piece.bytes)).collect();
            assert!(found.len() == 1 && found[0].bytes == piece.bytes, "piece {n}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let (mut splicer, mut out) = (Splicer::default(), BytesMut::new());
            for packet in bytes.chunks(187) {
                splicer.push(&[0x47, 0x40, 0], &mut out);
                splicer.push(packet, &mut out);
                splicer.end_run();
            }
            prop_assert_eq!(out.len() % PACKET_SIZE, 0);
            discontinuities(&[Bytes::from(bytes.clone())]);
            if let Some(unit) = splicer.unit() {
                unit.begins(&bytes);
            }
        }
    }
}
