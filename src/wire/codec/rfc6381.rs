//! Codec strings for playlists (RFC 6381, and the annexes of the file formats that it refers to).

use std::fmt::Write;

use super::avc::AvcConfig;
use super::hevc::HevcConfig;

/// H.264: profile, constraint flags and level (ISO/IEC 14496-15 annex E).
pub fn avc(config: &AvcConfig<'_>) -> String {
    format!("avc1.{:02X}{:02X}{:02X}", config.profile, config.compatibility, config.level)
}

/// H.265, from its decoder configuration record (ISO/IEC 14496-15 annex E.3); `None` if it is truncated.
pub fn hevc(config: &HevcConfig<'_>) -> String {
    let space = ["", "A", "B", "C"][usize::from(config.profile_space & 3)];
    let tier = if config.high_tier { 'H' } else { 'L' };
    let (profile, level) = (config.profile, config.level);
    let mut name = format!("hvc1.{space}{profile}.{:X}.{tier}{level}", config.compatibility.reverse_bits());
    let last = config.constraints.iter().rposition(|byte| *byte != 0);
    for byte in &config.constraints[..last.map_or(0, |last| last + 1)] {
        write!(name, ".{byte:X}").expect("writing to a string cannot fail");
    }
    name
}

/// MPEG-4 audio with this object type.
pub fn mp4a(object_type: u8) -> String {
    format!("mp4a.40.{object_type}")
}

/// MPEG-4 audio object type of MP3 (MPEG-1 layer 3).
pub const MP3: u8 = 34;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_others_write_them() {
        let record = b"\x01\x64\x00\x1F\xFF\xE1\x00\x04\x67\x64\x00\x1F\x01\x00\x01\x68";
        assert_eq!(avc(&AvcConfig::parse(record).unwrap()), "avc1.64001F");
        // Main, level 3.1, as x265 writes it.
        let named = |head: &[u8; 13]| {
            let record = [&head[..], &[0; 10]].concat();
            hevc(&HevcConfig::parse(&record).unwrap())
        };
        assert_eq!(named(b"\x01\x01\x60\x00\x00\x00\x90\x00\x00\x00\x00\x00\x5D"), "hvc1.1.6.L93.90");
        assert_eq!(named(b"\x01\xA2\x20\x00\x00\x00\xB0\x00\x23\x00\x00\x00\x78"), "hvc1.B2.4.H120.B0.0.23");
        assert_eq!(mp4a(2), "mp4a.40.2");
    }
}
