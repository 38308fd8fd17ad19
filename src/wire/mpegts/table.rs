//! Program specific information (ISO 13818-1 §2.4.4): PAT and PMT sections.

/// `stream_type` of a PMT entry (ISO 13818-1 table 2-34).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum StreamType {
    /// MPEG-1 audio, which is also used for MP3.
    Mp3 = 0x03,
    Aac = 0x0f,
    /// Metadata in PES packets.
    Metadata = 0x15,
    Avc = 0x1b,
    Hevc = 0x24,
}

/// PAT section that maps the only program to the PID of its PMT.
pub(super) fn pat(pmt_pid: u16) -> Vec<u8> {
    let [hi, lo] = (0xe000 | pmt_pid).to_be_bytes();
    let [program_hi, program_lo] = PROGRAM_NUMBER.to_be_bytes();
    section(TABLE_PAT, TRANSPORT_STREAM_ID, 0, &[program_hi, program_lo, hi, lo])
}

/// PMT section: the PID of the clock, and the elementary streams. Metadata has the descriptors of "Timed Metadata for HTTP Live
/// Streaming" (ISO 13818-1 §2.6.58, §2.6.60).
pub(super) fn pmt(version: u8, pcr_pid: u16, streams: &[(StreamType, u16)]) -> Vec<u8> {
    let has_metadata = streams.iter().any(|(stream_type, _)| *stream_type == StreamType::Metadata);
    let pointer: &[u8] = if has_metadata { METADATA_POINTER } else { &[] };
    let [hi, lo] = (0xe000 | pcr_pid).to_be_bytes();
    let mut body = vec![hi, lo, 0xf0, pointer.len() as u8];
    body.extend_from_slice(pointer);
    for &(stream_type, pid) in streams {
        let [hi, lo] = (0xe000 | pid).to_be_bytes();
        let descriptor: &[u8] = if stream_type == StreamType::Metadata { METADATA } else { &[] };
        body.extend_from_slice(&[stream_type as u8, hi, lo, 0xf0, descriptor.len() as u8]);
        body.extend_from_slice(descriptor);
    }
    section(TABLE_PMT, PROGRAM_NUMBER, version, &body)
}

/// A section in long form, the only one of its table.
fn section(table_id: u8, id: u16, version: u8, body: &[u8]) -> Vec<u8> {
    let length = LONG_HEADER + body.len() + CRC_SIZE;
    let [length_hi, length_lo] = (0xb000 | length as u16).to_be_bytes();
    let [id_hi, id_lo] = id.to_be_bytes();
    let mut section = vec![table_id, length_hi, length_lo, id_hi, id_lo, 0xc1 | (version & 0x1f) << 1, 0, 0];
    section.extend_from_slice(body);
    section.extend_from_slice(&crc32(&section).to_be_bytes());
    section
}

/// CRC of annex A: polynomial 0x04c11db7, not reflected, not inverted. Computed bit by bit, since tables are a few
/// dozen bytes once a second.
pub(in crate::wire) fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            if crc & 0x8000_0000 == 0 { crc << 1 } else { crc << 1 ^ 0x04c1_1db7 }
        })
    })
}

const TABLE_PAT: u8 = 0x00;
const TABLE_PMT: u8 = 0x02;
const TRANSPORT_STREAM_ID: u16 = 1;
const PROGRAM_NUMBER: u16 = 1;

/// metadata_pointer_descriptor: ID3 tags of service 0 are in this program.
const METADATA_POINTER: &[u8] = b"\x25\x0f\xff\xffID3 \xffID3 \0\x1f\0\x01";
/// metadata_descriptor: ID3 tags of service 0, without a decoder configuration.
const METADATA: &[u8] = b"\x26\x0d\xff\xffID3 \xffID3 \0\x0f";

/// Number of bytes before the body that `section_length` counts.
const LONG_HEADER: usize = 5;
const CRC_SIZE: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_has_the_check_value_of_crc_32_mpeg_2() {
        assert_eq!(crc32(b"123456789"), 0x0376_e6e7);
    }

    #[test]
    fn sections_check_to_zero() {
        let streams = [(StreamType::Avc, 0x100), (StreamType::Aac, 0x101), (StreamType::Metadata, 0x102)];
        for section in [pat(0x1001), pmt(7, 0x100, &streams[..2]), pmt(7, 0x100, &streams)] {
            assert_eq!(crc32(&section), 0);
            assert_eq!(usize::from(section[2]) + 3, section.len());
            // Each table fits into one packet, with its header and pointer field.
            assert!(section.len() <= super::super::PACKET_SIZE - 5);
        }
    }

    #[test]
    fn metadata_has_its_descriptors() {
        let section = pmt(0, 0x100, &[(StreamType::Avc, 0x100), (StreamType::Metadata, 0x102)]);
        let pointer = [
            0xf0, 17, 0x25, 15, 0xff, 0xff, b'I', b'D', b'3', b' ', 0xff, b'I', b'D', b'3', b' ', 0, 0x1f, 0,
            1,
        ];
        assert_eq!(section[10..29], pointer);
        assert_eq!(section[29..34], [0x1b, 0xe1, 0, 0xf0, 0]);
        let own = [
            0x15, 0xe1, 2, 0xf0, 15, 0x26, 13, 0xff, 0xff, b'I', b'D', b'3', b' ', 0xff, b'I', b'D', b'3',
            b' ', 0, 0x0f,
        ];
        assert_eq!(section[34..54], own);
        assert_eq!(section.len(), 54 + CRC_SIZE);
    }
}
