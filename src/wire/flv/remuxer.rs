//! Converts an MPEG transport stream that was recorded to the tags of one FLV file.

use bytes::{BufMut, BytesMut};

use super::{write_header, write_tag};
use crate::limits::MESSAGE_LENGTH;
use crate::wire::MediaKind;
use crate::wire::codec::{avc, hevc};
use crate::wire::mpegts::{Demuxer, ElementaryCodec, ElementaryUnit, PRESENTATION_DELAY, adts, mp3};

/// Remuxes parts of recordings in order. Timestamps begin with 0 and go on without a gap from part to part.
#[derive(Debug)]
pub struct Remuxer {
    demuxer: Demuxer,
    units: Vec<ElementaryUnit>,
    has_head: bool,
    /// The latest time as recorded, in ticks, beyond 33 bits.
    clock: Option<u64>,
    /// Time as recorded at which the latest run of parts began, in ticks.
    origin: u64,
    /// Its time in the file, in milliseconds.
    base_ms: u64,
    /// Newest time in the file, in milliseconds.
    newest_ms: u64,
    /// Newest times of audio and of video frames of the latest run in the file, in milliseconds.
    heard_ms: Option<u64>,
    seen_ms: Option<u64>,
    /// Decoder configurations that were written.
    video: Vec<u8>,
    audio: Vec<u8>,
    /// Parameter sets of the video.
    sets: ParameterSets,
}

#[derive(Debug, Default)]
struct ParameterSets {
    vps: Vec<u8>,
    sps: Vec<u8>,
    pps: Vec<u8>,
}

impl Remuxer {
    /// Creates a remuxer that leaves out frames above `max` bytes.
    pub fn new(max: usize) -> Self {
        Remuxer {
            demuxer: Demuxer::new(max.min(MESSAGE_LENGTH / 2)),
            units: Vec::new(),
            has_head: false,
            clock: None,
            origin: 0,
            base_ms: 0,
            newest_ms: 0,
            heard_ms: None,
            seen_ms: None,
            video: Vec::new(),
            audio: Vec::new(),
            sets: ParameterSets::default(),
        }
    }

    /// As [`new`](Self::new), for tags behind the header of a file.
    pub fn without_header(max: usize) -> Self {
        Remuxer { has_head: true, ..Remuxer::new(max) }
    }

    /// Converts the next bytes of the recording.
    pub fn push(&mut self, bytes: &[u8], out: &mut BytesMut) {
        let mut units = std::mem::take(&mut self.units);
        self.demuxer.push(bytes, &mut units);
        self.write(&mut units, out);
    }

    /// Ends a run of parts: what follows is not a continuation, or nothing follows.
    pub fn end_run(&mut self, out: &mut BytesMut) {
        self.flush(out);
        (self.heard_ms, self.seen_ms) = (None, None);
        if self.clock.take().is_some() {
            self.base_ms = self.newest_ms + RUN_STEP_MS;
        }
    }

    /// Converts the units that the bytes end with; the run goes on with the beginning of a unit.
    pub fn flush(&mut self, out: &mut BytesMut) {
        let mut units = std::mem::take(&mut self.units);
        self.demuxer.finish(&mut units);
        self.write(&mut units, out);
    }

    /// Newest time in the file, in milliseconds.
    pub fn newest_ms(&self) -> u64 {
        self.newest_ms
    }

    /// Newest time of an audio frame of the latest run in the file, in milliseconds; `None` if it has none.
    pub fn heard_ms(&self) -> Option<u64> {
        self.heard_ms
    }

    /// As [`heard_ms`](Self::heard_ms), of video.
    pub fn seen_ms(&self) -> Option<u64> {
        self.seen_ms
    }

    /// Time in the file of a decoding time of the latest run, in milliseconds, as packaged; `None` before its first unit.
    pub fn time_of(&self, dts_ms: u64) -> Option<u64> {
        let dts = (dts_ms * TICKS_PER_MS).wrapping_add(PRESENTATION_DELAY) % CLOCK;
        let now = extended(self.clock?, dts);
        Some((self.base_ms + now / TICKS_PER_MS).saturating_sub(self.origin / TICKS_PER_MS))
    }

    fn write(&mut self, units: &mut Vec<ElementaryUnit>, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.has_head, true) {
            write_header(out, true, true);
        }
        for unit in units.drain(..) {
            let at_ms = self.place(unit.dts);
            match unit.codec {
                ElementaryCodec::Avc | ElementaryCodec::Hevc => self.video(&unit, at_ms, out),
                ElementaryCodec::Aac => self.aac(&unit.data, at_ms, out),
                ElementaryCodec::Mp3 => self.mp3(&unit.data, at_ms, out),
            }
        }
        self.units = std::mem::take(units);
    }

    /// Time in the file of a decoding time as recorded.
    fn place(&mut self, dts: u64) -> u64 {
        let now = match self.clock {
            None => {
                // Room for a track that begins earlier. A whole number of milliseconds, as video has.
                self.origin = dts + CLOCK;
                self.origin -= self.origin % TICKS_PER_MS;
                dts + CLOCK
            }
            Some(last) => extended(last, dts),
        };
        self.clock = Some(now);
        let at_ms = self.base_ms + now.saturating_sub(self.origin) / TICKS_PER_MS;
        self.newest_ms = self.newest_ms.max(at_ms);
        at_ms
    }

    fn tag(&mut self, kind: MediaKind, at_ms: u64, payload: &[u8], out: &mut BytesMut) {
        self.newest_ms = self.newest_ms.max(at_ms);
        let newest = if kind == MediaKind::Audio { &mut self.heard_ms } else { &mut self.seen_ms };
        *newest = (*newest).max(Some(at_ms));
        if payload.len() <= MESSAGE_LENGTH {
            // Beyond 32 bits, after 49 days, FLV timestamps start again.
            write_tag(out, kind, at_ms as u32, payload);
        }
    }

    fn video(&mut self, unit: &ElementaryUnit, at_ms: u64, out: &mut BytesMut) {
        let is_avc = unit.codec == ElementaryCodec::Avc;
        let mut body = BytesMut::new();
        let mut is_key = unit.random_access;
        for nal in nal_units(&unit.data) {
            let Some(first) = nal.first() else { continue };
            let kind = if is_avc { first & 0x1F } else { first >> 1 & 0x3F };
            let set = match (is_avc, kind) {
                (true, avc::SPS) | (false, hevc::SPS) => &mut self.sets.sps,
                (true, avc::PPS) | (false, hevc::PPS) => &mut self.sets.pps,
                (false, hevc::VPS) => &mut self.sets.vps,
                (true, AVC_DELIMITER) | (false, HEVC_DELIMITER) => continue,
                _ => {
                    is_key |= if is_avc { kind == AVC_IDR } else { HEVC_KEYS.contains(&kind) };
                    body.put_u32(nal.len() as u32);
                    body.put_slice(nal);
                    continue;
                }
            };
            set.clear();
            set.extend_from_slice(nal);
        }
        let record = if is_avc { self.sets.avc_record() } else { self.sets.hevc_record() };
        let Some(record) = record else { return };
        let head = |is_key: bool, is_header: bool| -> Vec<u8> {
            let frame: u8 = if is_key { 1 } else { 2 };
            match is_avc {
                true => vec![frame << 4 | 7, u8::from(!is_header)],
                false => [&[0x80 | frame << 4 | u8::from(!is_header)], &b"hvc1"[..]].concat(),
            }
        };
        if record != self.video {
            // The composition time of a header is 0; an enhanced one has none.
            let none: &[u8] = if is_avc { &[0; 3] } else { &[] };
            let header = [&head(true, true)[..], none, &record].concat();
            self.tag(MediaKind::Video, at_ms, &header, out);
            self.video = record;
        }
        if !body.is_empty() {
            let cts = unit.pts.wrapping_sub(unit.dts) % CLOCK / TICKS_PER_MS;
            let [.., c2, c1, c0] =
                u32::try_from(cts).ok().filter(|cts| *cts < CTS_MAX).unwrap_or(0).to_be_bytes();
            let payload = [&head(is_key, false)[..], &[c2, c1, c0], &body].concat();
            self.tag(MediaKind::Video, at_ms, &payload, out);
        }
    }

    fn aac(&mut self, data: &[u8], at_ms: u64, out: &mut BytesMut) {
        let (mut rest, mut samples) = (data, 0_u64);
        while let Some(&[_, _, _, high, middle, low]) = rest.first_chunk() {
            let length = usize::from(high & 3) << 11 | usize::from(middle) << 3 | usize::from(low >> 5);
            let Some((config, raw)) = rest.get(..length).and_then(adts::AacConfig::split) else { return };
            let specific = config.specific_config();
            if self.audio != specific {
                self.tag(MediaKind::Audio, at_ms, &[&[0xAF, 0][..], &specific].concat(), out);
                self.audio = specific.to_vec();
            }
            let at_ms = at_ms + samples * 1000 / u64::from(config.frame_length.rate.max(1));
            self.tag(MediaKind::Audio, at_ms, &[&[0xAF, 1][..], raw].concat(), out);
            samples += u64::from(config.frame_length.samples);
            rest = &rest[length..];
        }
    }

    fn mp3(&mut self, data: &[u8], at_ms: u64, out: &mut BytesMut) {
        let (mut rest, mut samples) = (data, 0_u64);
        self.audio.clear();
        while let (Ok(length), Some(bytes)) = (mp3::frame_length(rest), mp3::frame_bytes(rest)) {
            let Some(frame) = rest.get(..bytes) else { return };
            let at_ms = at_ms + samples * 1000 / u64::from(length.rate.max(1));
            self.tag(MediaKind::Audio, at_ms, &[&[0x2F][..], frame].concat(), out);
            samples += u64::from(length.samples);
            rest = &rest[bytes..];
        }
    }
}

impl ParameterSets {
    /// AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1).
    fn avc_record(&self) -> Option<Vec<u8>> {
        let &[_, profile, compatibility, level] = self.sps.first_chunk()?;
        if self.pps.is_empty() {
            return None;
        }
        let mut out = vec![1, profile, compatibility, level, 0xFF, 0xE1];
        for (set, head) in [(&self.sps, &[][..]), (&self.pps, &[1])] {
            out.extend_from_slice(head);
            out.extend_from_slice(&u16::try_from(set.len()).ok()?.to_be_bytes());
            out.extend_from_slice(set);
        }
        Some(out)
    }

    /// HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 §8.3.3.1).
    fn hevc_record(&self) -> Option<Vec<u8>> {
        if self.vps.is_empty() || self.pps.is_empty() {
            return None;
        }
        let sps = hevc::unescape(self.sps.get(2..)?);
        // Profile, compatibility, constraints and level of the whole stream.
        let general = sps.get(1..13)?;
        let depth = u8::from(general[0] & 0x1F == MAIN_10) * 2;
        let mut out = [&[1], general].concat();
        out.extend_from_slice(&[0xF0, 0, 0xFC, 0xFC | 1, 0xF8 | depth, 0xF8 | depth, 0, 0, 0x0F, 3]);
        for (set, kind) in [(&self.vps, hevc::VPS), (&self.sps, hevc::SPS), (&self.pps, hevc::PPS)] {
            out.extend_from_slice(&[0x80 | kind, 0, 1]);
            out.extend_from_slice(&u16::try_from(set.len()).ok()?.to_be_bytes());
            out.extend_from_slice(set);
        }
        Some(out)
    }
}

/// A clock's time beyond 33 bits, near the latest one.
fn extended(last: u64, dts: u64) -> u64 {
    let ahead = dts.wrapping_sub(last) % CLOCK;
    let step = if ahead < CLOCK / 2 { ahead.cast_signed() } else { ahead.cast_signed() - CLOCK as i64 };
    last.saturating_add_signed(step)
}

/// NAL units between start codes.
fn nal_units(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let next = |bytes: &[u8]| bytes.windows(3).position(|window| window == [0, 0, 1]);
    bytes = next(bytes).map_or(&[], |at| &bytes[at + 3..]);
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let end = next(bytes);
        let nal = &bytes[..end.unwrap_or(bytes.len())];
        bytes = end.map_or(&[], |at| &bytes[at + 3..]);
        // A start code of four bytes begins with a zero, and a unit does not end with one.
        let length = nal.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Some(&nal[..length])
    })
}

const TICKS_PER_MS: u64 = 90;
/// Clocks have 33 bits.
const CLOCK: u64 = 1 << 33;
/// Distance between two runs.
const RUN_STEP_MS: u64 = 40;
/// Largest composition time that is written, in milliseconds.
const CTS_MAX: u32 = 1 << 23;
const AVC_IDR: u8 = 5;
const AVC_DELIMITER: u8 = 9;
const HEVC_DELIMITER: u8 = 35;
/// Pictures where decoding can begin.
const HEVC_KEYS: std::ops::RangeInclusive<u8> = 16..=21;
const MAIN_10: u8 = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_are_found_with_both_kinds_of_start_code() {
        let found: Vec<&[u8]> = nal_units(b"\0\0\0\x01\x09\xF0\0\0\x01\x67\x42\0\0\0\x01\x65abc").collect();
        assert_eq!(found, [&b"\x09\xF0"[..], b"\x67\x42", b"\x65abc"]);
        assert_eq!(nal_units(b"no start code").count(), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let mut remuxer = Remuxer::new(1 << 16);
            let mut out = BytesMut::new();
            for packet in bytes.chunks(187) {
                remuxer.push(&[0x47], &mut out);
                remuxer.push(packet, &mut out);
            }
            remuxer.end_run(&mut out);
            let unit = |codec| ElementaryUnit { codec, pts: 0, dts: 0, random_access: false, data: bytes.clone() };
            use ElementaryCodec::{Aac, Avc, Hevc, Mp3};
            let mut units = [Avc, Hevc, Aac, Mp3].map(unit).to_vec();
            remuxer.write(&mut units, &mut out);
        }
    }
}
