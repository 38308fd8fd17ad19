//! Transport stream packets (ISO 13818-1 §2.4.3): headers, adaptation fields, stuffing.

use bytes::{BufMut, BytesMut};

use super::PACKET_SIZE;

/// 4-bit continuity counter of one PID.
#[derive(Debug, Default)]
pub(super) struct Continuity(u8);

impl Continuity {
    fn next(&mut self) -> u8 {
        let value = self.0;
        self.0 = (value + 1) & 0x0f;
        value
    }
}

/// Contents of the adaptation field in the first packet of a PES packet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Adaptation {
    /// Program clock reference in 90 kHz ticks, before wrapping.
    pub pcr: Option<u64>,
    pub random_access: bool,
    pub discontinuity: bool,
}

impl Adaptation {
    /// Length of the field, including its length byte; 0 if it is empty.
    fn len(self) -> usize {
        match self.pcr {
            Some(_) => 2 + PCR_SIZE,
            None if self.random_access || self.discontinuity => 2,
            None => 0,
        }
    }

    fn flags(self) -> u8 {
        u8::from(self.discontinuity) << 7
            | u8::from(self.random_access) << 6
            | u8::from(self.pcr.is_some()) << 4
    }
}

/// Splits one PES packet into transport stream packets and pads the last one.
pub(super) fn write_pes(
    pid: u16,
    continuity: &mut Continuity,
    adaptation: Adaptation,
    pes: &[u8],
    out: &mut BytesMut,
) {
    out.reserve((pes.len() / ROOM + 2) * PACKET_SIZE);
    let mut rest = pes;
    let mut adaptation = Some(adaptation);
    while !rest.is_empty() {
        let first = adaptation.is_some();
        let said = adaptation.take().unwrap_or_default();
        let field = field_len(said.len(), rest.len());
        let (payload, tail) = rest.split_at(rest.len().min(ROOM - field));
        rest = tail;

        write_header(pid, first, field > 0, continuity.next(), out);
        write_adaptation(said, field, out);
        out.put_slice(payload);
    }
}

/// Writes a packet with one section, which must fit into it together with the pointer field.
pub(super) fn write_section(pid: u16, continuity: &mut Continuity, section: &[u8], out: &mut BytesMut) {
    debug_assert!(section.len() < ROOM);
    write_header(pid, true, false, continuity.next(), out);
    out.put_u8(0);
    out.put_slice(section);
    // The rest of the packet after a section is 0xff (§2.4.4).
    out.put_bytes(0xff, ROOM - 1 - section.len());
}

fn write_header(pid: u16, unit_start: bool, adaptation: bool, continuity: u8, out: &mut BytesMut) {
    out.put_u8(0x47);
    out.put_u16(u16::from(unit_start) << 14 | pid & 0x1fff);
    out.put_u8(0x10 | u8::from(adaptation) << 5 | continuity);
}

/// Length of the adaptation field: its contents, and stuffing for a payload of `rest` bytes. A field of a single
/// stuffing byte has no flags byte, so `said + stuffing` is always right.
fn field_len(said: usize, rest: usize) -> usize {
    said + (ROOM - said).saturating_sub(rest)
}

fn write_adaptation(said: Adaptation, field: usize, out: &mut BytesMut) {
    let Some(length) = field.checked_sub(1) else { return };
    out.put_u8(u8::try_from(length).expect("an adaptation field is shorter than a packet"));
    if length == 0 {
        return;
    }
    out.put_u8(said.flags());
    let mut written = 2;
    if let Some(pcr) = said.pcr {
        write_pcr(pcr, out);
        written += PCR_SIZE;
    }
    out.put_bytes(0xff, field - written);
}

/// 33 bits of base, 6 reserved, 9 of extension (§2.4.3.5). The extension counts 27 MHz ticks, which millisecond
/// timestamps never need.
fn write_pcr(pcr: u64, out: &mut BytesMut) {
    out.put_uint((pcr & CLOCK_MASK) << 15 | 0x7e00, PCR_SIZE);
}

/// Length of a packet after its header.
const ROOM: usize = PACKET_SIZE - 4;
const PCR_SIZE: usize = 6;

/// Clock values have 33 bits and wrap after 26.5 hours.
pub(super) const CLOCK_MASK: u64 = (1 << 33) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_payload_length_fills_whole_packets() {
        let choices = [
            Adaptation::default(),
            Adaptation { random_access: true, ..Adaptation::default() },
            Adaptation { pcr: Some(1), random_access: true, discontinuity: true },
        ];
        for adaptation in choices {
            for len in 1..600usize {
                let pes: Vec<u8> = (0..len).map(|i| i as u8).collect();
                let mut out = BytesMut::new();
                let mut continuity = Continuity::default();
                write_pes(PID, &mut continuity, adaptation, &pes, &mut out);
                assert_eq!(out.len() % PACKET_SIZE, 0);

                let mut payload = Vec::new();
                for (i, packet) in out.chunks(PACKET_SIZE).enumerate() {
                    assert_eq!(packet[0], 0x47);
                    assert_eq!(packet[1] & 0x40 != 0, i == 0, "unit start only in the first packet");
                    assert_eq!(packet[3] & 0x0f, i as u8 & 0x0f);
                    let skip = if packet[3] & 0x20 != 0 { 1 + usize::from(packet[4]) } else { 0 };
                    payload.extend_from_slice(&packet[4 + skip..]);
                }
                assert_eq!(payload, pes);
            }
        }
    }

    #[test]
    fn clock_reference_wraps_at_33_bits() {
        let mut out = BytesMut::new();
        write_pcr((1 << 33) + 3, &mut out);
        assert_eq!(&out[..], [0x00, 0x00, 0x00, 0x01, 0xfe, 0x00]);
    }

    const PID: u16 = 0x100;
}
