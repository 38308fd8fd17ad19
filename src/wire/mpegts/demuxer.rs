//! Demuxer: takes the access units out of a transport stream that this server has recorded.
//!
//! It follows PAT and PMT, so that any stream with one program is read; what is malformed is left out.

use super::PACKET_SIZE;

/// Codec of an elementary stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementaryCodec {
    /// H.264.
    Avc,
    /// HEVC.
    Hevc,
    /// AAC with ADTS headers.
    Aac,
    /// MPEG audio.
    Mp3,
}

/// Contents of a PES packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementaryUnit {
    /// Its codec.
    pub codec: ElementaryCodec,
    /// Presentation time in ticks of 90 kHz, modulo 2^33.
    pub pts: u64,
    /// Decoding time in ticks of 90 kHz, modulo 2^33.
    pub dts: u64,
    /// Whether decoding may begin here.
    pub random_access: bool,
    /// One picture, or one or several frames of audio.
    pub data: Vec<u8>,
}

/// Demultiplexes packets in order.
#[derive(Debug)]
pub struct Demuxer {
    /// Maximum length of a PES packet; a longer one is left out.
    max: usize,
    pmt_pid: Option<u16>,
    streams: Vec<ElementaryStream>,
    /// Bytes of an incomplete packet.
    rest: Vec<u8>,
}

#[derive(Debug)]
struct ElementaryStream {
    pid: u16,
    codec: ElementaryCodec,
    pes: Vec<u8>,
    random_access: bool,
    /// Whether the PES packet in `pes` is complete up to here.
    whole: bool,
    continuity: Option<u8>,
}

impl Demuxer {
    /// Creates a demuxer that collects at most `max` bytes for one access unit.
    pub fn new(max: usize) -> Self {
        Demuxer { max, pmt_pid: None, streams: Vec::new(), rest: Vec::new() }
    }

    /// Processes the next bytes and appends completed units.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<ElementaryUnit>) {
        let mut rest = std::mem::take(&mut self.rest);
        let mut bytes = bytes;
        if !rest.is_empty() {
            let lack = (PACKET_SIZE - rest.len()).min(bytes.len());
            rest.extend_from_slice(&bytes[..lack]);
            bytes = &bytes[lack..];
            if rest.len() < PACKET_SIZE {
                self.rest = rest;
                return;
            }
            self.packet(&rest, out);
        }
        let mut packets = bytes.chunks_exact(PACKET_SIZE);
        for packet in packets.by_ref() {
            self.packet(packet, out);
        }
        self.rest = packets.remainder().to_vec();
    }

    /// Appends the units that end with the stream, or before a gap in it.
    pub fn finish(&mut self, out: &mut Vec<ElementaryUnit>) {
        self.rest.clear();
        for stream in &mut self.streams {
            out.extend(stream.take());
            stream.continuity = None;
        }
    }

    fn packet(&mut self, packet: &[u8], out: &mut Vec<ElementaryUnit>) {
        let &[SYNC, b1, b2, b3, ..] = packet else { return };
        let (is_broken, starts) = (b1 & 0x80 != 0, b1 & 0x40 != 0);
        let pid = u16::from(b1 & 0x1F) << 8 | u16::from(b2);
        if is_broken || b3 & 0x10 == 0 {
            return;
        }
        let mut payload = &packet[4..];
        let mut random_access = false;
        if b3 & 0x20 != 0 {
            let Some((&length, field)) = payload.split_first() else { return };
            let Some(after) = field.get(usize::from(length)..) else { return };
            random_access = length > 0 && field.first().is_some_and(|flags| flags & 0x40 != 0);
            payload = after;
        }
        if pid == super::PID_PAT {
            if let Some(pid) = starts.then(|| pmt_pid(payload)).flatten() {
                self.pmt_pid = Some(pid);
            }
        } else if Some(pid) == self.pmt_pid {
            if starts {
                self.read_pmt(payload, out);
            }
        } else if let Some(stream) = self.streams.iter_mut().find(|stream| stream.pid == pid) {
            stream.packet(payload, starts, random_access, b3 & 0x0F, self.max, out);
        }
    }

    fn read_pmt(&mut self, payload: &[u8], out: &mut Vec<ElementaryUnit>) {
        let Some(section) = section(payload, 2) else { return };
        let Some(&[_, _, i1, i0]) = section.first_chunk() else { return };
        let info = usize::from(i1 & 0x0F) << 8 | usize::from(i0);
        let mut entries = section.get(4 + info..).unwrap_or_default();
        let mut listed = Vec::new();
        while let Some((&[kind, p1, p0, l1, l0], after)) = entries.split_first_chunk() {
            let pid = u16::from(p1 & 0x1F) << 8 | u16::from(p0);
            let codec = match kind {
                0x03 | 0x04 => Some(ElementaryCodec::Mp3),
                0x0F => Some(ElementaryCodec::Aac),
                0x1B => Some(ElementaryCodec::Avc),
                0x24 => Some(ElementaryCodec::Hevc),
                _ => None,
            };
            listed.extend(codec.map(|codec| (pid, codec)));
            let length = usize::from(l1 & 0x0F) << 8 | usize::from(l0);
            entries = after.get(length..).unwrap_or_default();
        }
        if listed.iter().copied().eq(self.streams.iter().map(|stream| (stream.pid, stream.codec))) {
            return;
        }
        let mut before = std::mem::take(&mut self.streams);
        for (pid, codec) in listed.into_iter().take(STREAMS_MAX) {
            let known = before.iter().position(|stream| (stream.pid, stream.codec) == (pid, codec));
            self.streams.push(known.map(|at| before.swap_remove(at)).unwrap_or(ElementaryStream {
                pid,
                codec,
                pes: Vec::new(),
                random_access: false,
                whole: false,
                continuity: None,
            }));
        }
        before.iter_mut().for_each(|stream| out.extend(stream.take()));
    }
}

impl ElementaryStream {
    fn packet(
        &mut self,
        payload: &[u8],
        starts: bool,
        random_access: bool,
        counter: u8,
        max: usize,
        out: &mut Vec<ElementaryUnit>,
    ) {
        let before = self.continuity.replace(counter);
        if before.is_some_and(|before| before == counter) {
            // A duplicate.
            return;
        }
        let is_next = before.is_none_or(|before| (before + 1) & 0x0F == counter);
        if starts {
            // Without a length, a unit may have lost its last packets.
            self.whole &= is_next;
            out.extend(self.take());
            (self.whole, self.random_access) = (true, random_access);
        } else if !is_next {
            self.whole = false;
        }
        if self.whole && self.pes.len() + payload.len() <= max {
            self.pes.extend_from_slice(payload);
        } else {
            self.whole = false;
        }
    }

    fn take(&mut self) -> Option<ElementaryUnit> {
        let pes = std::mem::take(&mut self.pes);
        if !std::mem::take(&mut self.whole) {
            return None;
        }
        let &[0, 0, 1, _, l1, l0, _, flags, header] = pes.first_chunk()? else { return None };
        let clocks = pes.get(9..9 + usize::from(header))?;
        let pts = clock(clocks.first_chunk().filter(|_| flags & 0x80 != 0)?);
        let dts = match clocks.get(5..).and_then(|rest| rest.first_chunk()) {
            Some(dts) if flags & 0x40 != 0 => clock(dts),
            _ => pts,
        };
        let begin = 9 + usize::from(header);
        let end = match usize::from(l1) << 8 | usize::from(l0) {
            0 => pes.len(),
            length => (6 + length).min(pes.len()),
        };
        let data = pes.get(begin..end)?.to_vec();
        Some(ElementaryUnit { codec: self.codec, pts, dts, random_access: self.random_access, data })
    }
}

/// A 33-bit clock value.
fn clock(&[a, b, c, d, e]: &[u8; 5]) -> u64 {
    u64::from(a >> 1 & 7) << 30
        | u64::from(b) << 22
        | u64::from(c >> 1) << 15
        | u64::from(d) << 7
        | u64::from(e >> 1)
}

/// The PID of the first program's PMT.
fn pmt_pid(payload: &[u8]) -> Option<u16> {
    let programs = section(payload, 0)?.chunks_exact(4);
    let mut pids = programs.filter(|entry| entry[..2] != [0, 0]);
    pids.next().map(|entry| u16::from(entry[2] & 0x1F) << 8 | u16::from(entry[3]))
}

/// Body of a section that fits into one packet.
fn section(payload: &[u8], table: u8) -> Option<&[u8]> {
    let section = payload.get(1 + usize::from(*payload.first()?)..)?;
    let &[id, l1, l0] = section.first_chunk()?;
    let length = usize::from(l1 & 0x0F) << 8 | usize::from(l0);
    // Behind the long header and before the CRC.
    if id == table { section.get(8..(3 + length).checked_sub(4)?) } else { None }
}

const SYNC: u8 = 0x47;
/// Elementary streams of a program that are read.
const STREAMS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Packager, PackagerSettings};
    use super::*;
    use crate::wire::MediaKind;

    fn recorded() -> Vec<u8> {
        let mut packager = Packager::new(PackagerSettings::default());
        let mut out = Vec::new();
        let mut put = |kind, at, payload: &[u8]| packager.handle_frame(kind, at, payload, &mut out).unwrap();
        put(MediaKind::Video, 0, b"\x17\0\0\0\0\x01\x42\xC0\x0D\xFF\xE1\0\x0A\x67\x42\xC0\x0D\xDA\x05\x07\xEC\x04\x40\x01\0\x04\x68\xCE\x3C\x80");
        put(MediaKind::Audio, 0, b"\xAF\0\x12\x10");
        for n in 0..20_u32 {
            let nal = [vec![if n % 10 == 0 { 0x65 } else { 0x41 }], vec![n as u8; 400]].concat();
            let head: [u8; 5] = [if n % 10 == 0 { 0x17 } else { 0x27 }, 1, 0, 0, 80];
            let body = [&head[..], &(nal.len() as u32).to_be_bytes(), &nal].concat();
            put(MediaKind::Video, n * 40, &body);
            put(MediaKind::Audio, n * 40, &[&[0xAF, 1][..], &[n as u8; 50]].concat());
        }
        packager.finish(&mut out);
        out.iter().flat_map(|piece| piece.bytes.to_vec()).collect()
    }

    #[test]
    fn what_was_packaged_comes_out_again() {
        let bytes = recorded();
        for step in [1, 187, 188, 1000, bytes.len()] {
            let mut demuxer = Demuxer::new(1 << 20);
            let mut units = Vec::new();
            bytes.chunks(step).for_each(|part| demuxer.push(part, &mut units));
            demuxer.finish(&mut units);
            let video: Vec<_> = units.iter().filter(|unit| unit.codec == ElementaryCodec::Avc).collect();
            assert_eq!(video.len(), 20);
            for (n, unit) in (0..).zip(&video) {
                assert_eq!((unit.dts / 90 - video[0].dts / 90, unit.pts - unit.dts), (n * 40, 80 * 90));
                assert_eq!(unit.random_access, n % 10 == 0);
                assert!(unit.data.ends_with(&[n as u8; 400]));
            }
            let audio = units.iter().filter(|unit| unit.codec == ElementaryCodec::Aac);
            assert_eq!(audio.map(|unit| unit.data.len()).sum::<usize>(), 20 * 57);
        }
    }

    #[test]
    fn a_unit_with_a_missing_packet_or_beyond_the_bound_is_left_out() {
        let bytes = recorded();
        let count = |bytes: &[u8], max| {
            let (mut demuxer, mut units) = (Demuxer::new(max), Vec::new());
            demuxer.push(bytes, &mut units);
            demuxer.finish(&mut units);
            units.iter().filter(|unit| unit.codec == ElementaryCodec::Avc).count()
        };
        // The second packet of a picture: no start, on the video's PID.
        let is_inner = |packet: &[u8]| packet[1] & 0x40 == 0 && packet[1] & 0x1F == 1 && packet[2] == 0;
        let at = bytes.chunks(PACKET_SIZE).position(is_inner).unwrap() * PACKET_SIZE;
        assert_eq!(count(&[&bytes[..at], &bytes[at + PACKET_SIZE..]].concat(), 1 << 20), 19);
        assert_eq!(count(&bytes, 300), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..60)) {
            let mut bytes = recorded();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let mut units = Vec::new();
            let mut demuxer = Demuxer::new(1 << 12);
            demuxer.push(&bytes, &mut units);
            demuxer.finish(&mut units);
            prop_assert!(units.iter().all(|unit| unit.data.len() <= 1 << 12));
        }
    }
}
