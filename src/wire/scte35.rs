//! SCTE-35 splice information (ANSI/SCTE 35 §9): what a playlist tells of a section, and sections for encoders that send
//! none.

use bytes::{BufMut, Bytes};

use super::mpegts::crc32;
use crate::limits;

/// A whole splice_info_section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpliceSection {
    bytes: Bytes,
    events: Vec<SpliceEvent>,
}

/// A splice or segmentation event of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpliceEvent {
    /// What happens.
    pub kind: SpliceKind,
    /// `splice_event_id` or `segmentation_event_id`; 0 for a command without one.
    pub id: u32,
    /// Announced duration in milliseconds.
    pub duration_ms: Option<u64>,
}

/// Kind of an event, which chooses the attribute of EXT-X-DATERANGE (RFC 8216 §4.3.2.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpliceKind {
    /// A break begins.
    Out,
    /// A break ends.
    In,
    /// Anything else.
    Command,
}

impl SpliceSection {
    /// Reads a section; `None` for bytes that are none, or whose checksum is wrong.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[TABLE_ID, length_hi, length_lo, ..] = bytes else { return None };
        let length = usize::from(length_hi & 0x0f) << 8 | usize::from(length_lo);
        let section = bytes.get(..3 + length)?;
        if length > limits::SCTE35_BYTES || crc32(section) != 0 {
            return None;
        }
        let body = section.get(3..section.len().checked_sub(CRC_SIZE)?)?;
        let events = read_events(body)?;
        Some(SpliceSection { bytes: Bytes::copy_from_slice(section), events })
    }

    /// A splice_insert for the moment at which it is sent. A break that begins may have a duration in milliseconds.
    pub fn insert(id: u32, is_out: bool, duration_ms: Option<u64>) -> Self {
        let duration_ms = duration_ms.filter(|_| is_out);
        let mut command = Vec::new();
        command.put_u32(id);
        // No cancellation.
        command.put_u8(0x7f);
        // Flags: out, whole program, duration, at once.
        command.put_u8(u8::from(is_out) << 7 | 0x5f | u8::from(duration_ms.is_some()) << 5);
        if let Some(duration_ms) = duration_ms {
            // The return is automatic.
            command.put_uint(0xfe << 32 | duration_ms.saturating_mul(TICKS_PER_MS) & CLOCK_MASK, CLOCK_SIZE);
        }
        // Program, avail number, avails expected.
        command.put_u32(0);
        let mut section = vec![TABLE_ID];
        section.put_u16(0x3000 | (HEAD + command.len() + 2 + CRC_SIZE) as u16);
        section.put_slice(&[0; 7]);
        section.put_uint(0x00ff_f000 | command.len() as u64, 3);
        section.put_u8(SPLICE_INSERT);
        section.put_slice(&command);
        section.put_u16(0);
        section.put_u32(crc32(&section));
        let kind = if is_out { SpliceKind::Out } else { SpliceKind::In };
        SpliceSection { bytes: section.into(), events: vec![SpliceEvent { kind, id, duration_ms }] }
    }

    /// The whole section.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its events, at most [`limits::SCTE35_EVENTS`]; none for a section that only keeps a connection alive.
    pub fn events(&self) -> &[SpliceEvent] {
        &self.events
    }
}

/// Reads what follows `section_length`, without the checksum.
fn read_events(body: &[u8]) -> Option<Vec<SpliceEvent>> {
    let (head, rest) = body.split_at_checked(HEAD)?;
    let is_encrypted = head[1] & 0x80 != 0;
    let command = SpliceEvent { kind: SpliceKind::Command, id: 0, duration_ms: None };
    if is_encrypted {
        return Some(vec![command]);
    }
    match head[HEAD - 1] {
        SPLICE_NULL | BANDWIDTH_RESERVATION => Some(Vec::new()),
        SPLICE_INSERT => Some(vec![splice_insert(&mut Reader(rest))?]),
        TIME_SIGNAL => {
            let mut reader = Reader(rest);
            reader.splice_time()?;
            let length = reader.uint(2)?;
            let mut descriptors = Reader(reader.take(usize::try_from(length).ok()?)?);
            let mut events = Vec::new();
            while events.len() < limits::SCTE35_EVENTS
                && let Some(tag) = descriptors.uint(1)
            {
                let length = descriptors.uint(1)?;
                let descriptor = descriptors.take(usize::try_from(length).ok()?)?;
                if tag == SEGMENTATION && descriptor.starts_with(b"CUEI") {
                    events.push(segmentation(&mut Reader(&descriptor[4..]))?);
                }
            }
            Some(if events.is_empty() { vec![command] } else { events })
        }
        _ => Some(vec![command]),
    }
}

/// splice_insert (§9.7.3).
fn splice_insert(reader: &mut Reader<'_>) -> Option<SpliceEvent> {
    let id = u32::try_from(reader.uint(4)?).ok()?;
    if reader.uint(1)? & 0x80 != 0 {
        return Some(SpliceEvent { kind: SpliceKind::Command, id, duration_ms: None });
    }
    let flags = reader.uint(1)?;
    let (is_out, is_program, lasts, is_now) =
        (flags & 0x80 != 0, flags & 0x40 != 0, flags & 0x20 != 0, flags & 0x10 != 0);
    if is_program && !is_now {
        reader.splice_time()?;
    }
    if !is_program {
        for _ in 0..reader.uint(1)? {
            reader.uint(1)?;
            if !is_now {
                reader.splice_time()?;
            }
        }
    }
    let duration_ms = if lasts { Some((reader.uint(CLOCK_SIZE)? & CLOCK_MASK) / TICKS_PER_MS) } else { None };
    Some(SpliceEvent { kind: if is_out { SpliceKind::Out } else { SpliceKind::In }, id, duration_ms })
}

/// segmentation_descriptor (§10.3.3), behind its identifier.
fn segmentation(reader: &mut Reader<'_>) -> Option<SpliceEvent> {
    let id = u32::try_from(reader.uint(4)?).ok()?;
    if reader.uint(1)? & 0x80 != 0 {
        return Some(SpliceEvent { kind: SpliceKind::Command, id, duration_ms: None });
    }
    let flags = reader.uint(1)?;
    if flags & 0x80 == 0 {
        // Components: a tag, and an offset of 33 bits.
        let count = usize::try_from(reader.uint(1)?).ok()?;
        reader.take(count * (1 + CLOCK_SIZE))?;
    }
    let duration_ms = if flags & 0x40 == 0 { None } else { Some(reader.uint(CLOCK_SIZE)? / TICKS_PER_MS) };
    let upid = {
        reader.uint(1)?;
        usize::try_from(reader.uint(1)?).ok()?
    };
    reader.take(upid)?;
    // Breaks, advertisements, placement opportunities and ad blocks (table 23): the end follows the start.
    let kind = match reader.uint(1)? {
        kind @ (0x22..=0x23 | 0x30..=0x3f | 0x44..=0x47) if kind % 2 == 0 => SpliceKind::Out,
        0x22..=0x23 | 0x30..=0x3f | 0x44..=0x47 => SpliceKind::In,
        _ => SpliceKind::Command,
    };
    Some(SpliceEvent { kind, id, duration_ms })
}

/// Reads fields of whole bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of up to eight bytes.
    fn uint(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Skips a splice_time (§9.8.1), which counts by the clock of the encoder's input.
    fn splice_time(&mut self) -> Option<()> {
        if self.uint(1)? & 0x80 != 0 {
            self.take(CLOCK_SIZE - 1)?;
        }
        Some(())
    }
}

const TABLE_ID: u8 = 0xfc;
const CRC_SIZE: usize = 4;
/// Number of bytes between `section_length` and the command: its type is the last one.
const HEAD: usize = 11;

const SPLICE_NULL: u8 = 0x00;
const SPLICE_INSERT: u8 = 0x05;
const TIME_SIGNAL: u8 = 0x06;
const BANDWIDTH_RESERVATION: u8 = 0x07;
/// Tag of a segmentation_descriptor.
const SEGMENTATION: u64 = 0x02;

/// Ticks per millisecond of durations.
const TICKS_PER_MS: u64 = 90;
/// Durations have 33 bits in 5 bytes.
const CLOCK_MASK: u64 = (1 << 33) - 1;
const CLOCK_SIZE: usize = 5;

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn events(base64: &str) -> Option<Vec<SpliceEvent>> {
        Some(SpliceSection::parse(&STANDARD.decode(base64).unwrap())?.events)
    }

    fn event(kind: SpliceKind, id: u32, duration_ms: impl Into<Option<u64>>) -> SpliceEvent {
        SpliceEvent { kind, id, duration_ms: duration_ms.into() }
    }

    #[test]
    fn the_samples_of_the_standard_are_read() {
        // SCTE 35 §14: time_signal with a placement opportunity, splice_insert, and the end of the opportunity.
        for (base64, wanted) in [
            (
                "/DA0AAAAAAAA///wBQb+cr0AUAAeAhxDVUVJSAAAjn/PAAGlmbAICAAAAAAsoKGKNAIAmsnRfg==",
                event(SpliceKind::Out, 0x4800_008e, 307_000),
            ),
            (
                "/DAvAAAAAAAA///wFAVIAACPf+/+c2nALv4AUsz1AAAAAAAKAAhDVUVJAAABNWLbowo=",
                event(SpliceKind::Out, 0x4800_008f, 60_293),
            ),
            (
                "/DAvAAAAAAAA///wBQb+dGKQoAAZAhdDVUVJSAAAjn+fCAgAAAAALKChijUCAKnMZ1g=",
                event(SpliceKind::In, 0x4800_008e, None),
            ),
        ] {
            assert_eq!(events(base64), Some(vec![wanted]), "{base64}");
        }
    }

    #[test]
    fn a_section_that_is_made_is_read_back() {
        for (is_out, duration_ms) in [(true, Some(30_000)), (true, None), (false, None)] {
            let made = SpliceSection::insert(77, is_out, duration_ms);
            assert_eq!(SpliceSection::parse(made.bytes()), Some(made.clone()));
            let kind = if is_out { SpliceKind::Out } else { SpliceKind::In };
            assert_eq!(made.events(), [event(kind, 77, duration_ms)]);
        }
    }

    #[test]
    fn heartbeats_say_nothing_and_what_is_damaged_is_none() {
        let mut section = vec![TABLE_ID, 0x30, 0x11, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xf0, 0, SPLICE_NULL, 0, 0];
        section.put_u32(crc32(&section));
        assert_eq!(SpliceSection::parse(&section).unwrap().events(), []);
        let whole = SpliceSection::insert(1, true, None).bytes().to_vec();
        for end in 0..whole.len() {
            assert_eq!(SpliceSection::parse(&whole[..end]), None, "{end}");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert_eq!(SpliceSection::parse(&damaged), None, "{at}");
        }
    }

    proptest! {
        #[test]
        fn any_command_with_a_right_checksum_is_read_or_refused(
            command in prop::sample::select(vec![SPLICE_INSERT, TIME_SIGNAL, 4, 0xff]),
            rest in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut section = vec![TABLE_ID, 0x30, (HEAD + rest.len() + CRC_SIZE) as u8];
            section.put_slice(&[0; HEAD - 1]);
            section.put_u8(command);
            section.put_slice(&rest);
            section.put_u32(crc32(&section));
            if let Some(section) = SpliceSection::parse(&section) {
                prop_assert!(section.events().len() <= limits::SCTE35_EVENTS);
            }
        }
    }
}
