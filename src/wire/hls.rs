//! HLS playlists (RFC 8216): writer and parser.
//!
//! Tags, their order and their spelling are those of PingOS, on which players and scripts rely. Tags that PingOS lacks
//! are added only where the RFC requires them.

use std::fmt::{self, Write};

use jiff::Timestamp;

use crate::limits;

/// A media playlist (RFC 8216 §4.3.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaPlaylist {
    /// Number of the first segment.
    pub media_sequence: u64,
    /// Number of discontinuities that left the playlist; the tag is omitted if it is 0.
    pub discontinuity_sequence: u64,
    /// EXT-X-TARGETDURATION in seconds: upper bound of the rounded segment durations.
    pub target_duration: u64,
    /// Whether it is an event playlist, to which segments are only appended.
    pub event: bool,
    /// The segments, oldest first.
    pub segments: Vec<MediaSegment>,
    /// Partial segments and what belongs to them, if players may follow at low latency.
    pub low_latency: Option<LowLatency>,
}

/// A media segment with its tags (RFC 8216 §4.3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaSegment {
    /// Valid URI reference.
    pub uri: String,
    /// Duration in milliseconds.
    pub duration_ms: u64,
    /// Whether timestamps or codecs do not continue from the preceding segment.
    pub discontinuity: bool,
    /// Encryption key.
    pub key: Option<EncryptionKey>,
    /// URI of the initialisation segment that it needs (EXT-X-MAP); `None` for MPEG-TS. It is never encrypted.
    pub map: Option<String>,
    /// Its partial segments, if the playlist names them.
    pub parts: Vec<PartialSegment>,
    /// Values of EXT-X-DATERANGE tags before it.
    pub date_ranges: Vec<String>,
    /// Its begin in milliseconds since 1970, which stands before date ranges (RFC 8216 §4.3.2.6).
    pub date_ms: Option<u64>,
}

/// A partial segment (draft-pantos-hls-rfc8216bis §4.4.4.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialSegment {
    /// Valid URI reference.
    pub uri: String,
    /// Duration in milliseconds.
    pub duration_ms: u64,
    /// Whether it begins with a key frame.
    pub independent: bool,
}

/// What a playlist tells players that follow it at low latency (draft-pantos-hls-rfc8216bis §4.4.3.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LowLatency {
    /// Longest duration of a partial segment in milliseconds (EXT-X-PART-INF).
    pub part_target_ms: u64,
    /// The segment that is being made, whose URI is not used: its partial segments follow the last segment.
    pub open: Option<MediaSegment>,
    /// URI of the next partial segment (EXT-X-PRELOAD-HINT).
    pub hint: Option<String>,
    /// Number of segments that a delta update leaves out; `None` for a full playlist.
    pub skipped: Option<usize>,
}

impl LowLatency {
    /// Distance of the live edge in milliseconds, from which a player may ask for a delta update (CAN-SKIP-UNTIL), with this
    /// target duration in seconds.
    pub fn skip_until_ms(target_duration: u64) -> u64 {
        target_duration.saturating_mul(6 * 1_000)
    }
}

/// An AES-128 key (RFC 8216 §4.3.2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptionKey {
    /// Valid URI reference of the 16-byte key file.
    pub uri: String,
    /// Initialisation vector.
    pub iv: u128,
}

impl fmt::Display for MediaPlaylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "#EXTM3U\n#EXT-X-VERSION:{}", self.version())?;
        writeln!(f, "#EXT-X-MEDIA-SEQUENCE:{}", self.media_sequence)?;
        writeln!(f, "#EXT-X-TARGETDURATION:{}", self.target_duration)?;
        if self.discontinuity_sequence > 0 {
            writeln!(f, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", self.discontinuity_sequence)?;
        }
        if self.event {
            // The space after the colon is PingOS's.
            writeln!(f, "#EXT-X-PLAYLIST-TYPE: EVENT")?;
        }
        let mut skipped = 0;
        if let Some(low) = &self.low_latency {
            // A part that is late by two of its length does not stall a player that is three behind.
            let hold_back = seconds(low.part_target_ms.saturating_mul(3));
            let skip_until = seconds(LowLatency::skip_until_ms(self.target_duration));
            writeln!(
                f,
                "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={skip_until},PART-HOLD-BACK={hold_back}"
            )?;
            writeln!(f, "#EXT-X-PART-INF:PART-TARGET={}", seconds(low.part_target_ms))?;
            if let Some(count) = low.skipped {
                skipped = count.min(self.segments.len());
                writeln!(f, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")?;
            }
        }
        // A delta update leaves out segments, and no date ranges (rfc8216bis §4.4.5.2).
        for segment in self.segments.iter().take(skipped) {
            f.write_str(&segment.date_range_lines())?;
        }
        let mut before = skipped.checked_sub(1).and_then(|last| self.segments.get(last));
        for segment in self.segments.iter().skip(skipped) {
            f.write_str(&segment.lines_behind(before))?;
            before = Some(segment);
        }
        if let Some(low) = &self.low_latency {
            if let Some(open) = &low.open {
                f.write_str(&open.head_behind(before))?;
            }
            if let Some(hint) = &low.hint {
                writeln!(f, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{hint}\"")?;
            }
        }
        Ok(())
    }
}

impl MediaSegment {
    /// Lines of the segment in a playlist, after this segment.
    pub fn lines_behind(&self, before: Option<&MediaSegment>) -> String {
        self.head_behind(before) + &format!("#EXTINF:{},\n{}\n", seconds(self.duration_ms), self.uri)
    }

    /// Tags before EXTINF: discontinuity, initialisation segment, key and partial segments.
    fn head_behind(&self, before: Option<&MediaSegment>) -> String {
        let mut lines = String::new();
        if self.discontinuity {
            lines.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if let Some(date_ms) = self.date_ms {
            lines.push_str(&format!("#EXT-X-PROGRAM-DATE-TIME:{}\n", date(date_ms)));
        }
        lines.push_str(&self.date_range_lines());
        let mut key = before.and_then(|before| before.key.as_ref());
        if let Some(map) = &self.map
            && before.is_none_or(|before| before.map.as_ref() != Some(map))
        {
            // A key counts for the initialisation segments after it too (RFC 8216 §4.3.2.5).
            if key.take().is_some() {
                lines.push_str(NO_KEY);
            }
            lines.push_str(&format!("#EXT-X-MAP:URI=\"{map}\"\n"));
        }
        if self.key.as_ref() != key {
            lines.push_str(&match &self.key {
                Some(key) => format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{}\",IV=0x{:032X}\n", key.uri, key.iv),
                None => NO_KEY.to_owned(),
            });
        }
        for part in &self.parts {
            let independent = if part.independent { ",INDEPENDENT=YES" } else { "" };
            let duration = seconds(part.duration_ms);
            lines.push_str(&format!("#EXT-X-PART:DURATION={duration},URI=\"{}\"{independent}\n", part.uri));
        }
        lines
    }
}

impl MediaSegment {
    fn date_range_lines(&self) -> String {
        self.date_ranges.iter().map(|range| format!("{DATE_RANGE}{range}\n")).collect()
    }
}

/// Milliseconds since 1970 as a date (ISO 8601).
pub fn date(unix_ms: u64) -> String {
    let at = i64::try_from(unix_ms).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    format!("{:.3}", at.unwrap_or(Timestamp::UNIX_EPOCH))
}

/// Milliseconds as decimal seconds.
pub(crate) fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

const DATE_RANGE: &str = "#EXT-X-DATERANGE:";
const NO_KEY: &str = "#EXT-X-KEY:METHOD=NONE\n";

impl MediaPlaylist {
    /// EXT-X-VERSION: 3 for decimal durations, 7 for fragmented MP4, 9 for delta updates.
    fn version(&self) -> u8 {
        match &self.low_latency {
            Some(_) => 9,
            None if self.segments.iter().any(|segment| segment.map.is_some()) => 7,
            None => 3,
        }
    }

    /// Parses a playlist that a server continues. Unknown tags and malformed lines are skipped; `None` only if the text
    /// is not a playlist at all.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut lines = text.lines().map(str::trim_end);
        if lines.next() != Some("#EXTM3U") {
            return None;
        }
        let mut playlist = Self::default();
        let mut next = MediaSegment::default();
        for line in lines {
            if let Some(tag) = line.strip_prefix("#EXT") {
                playlist.read_tag(tag, &mut next);
            } else if !line.is_empty() && !line.starts_with('#') && playlist.segments.len() < SEGMENTS_MAX {
                let date_ranges = std::mem::take(&mut next.date_ranges);
                let date_ms = next.date_ms.take();
                let segment = MediaSegment { uri: line.to_owned(), date_ranges, date_ms, ..next.clone() };
                playlist.segments.push(segment);
                next.discontinuity = false;
            }
        }
        Some(playlist)
    }

    fn read_tag(&mut self, tag: &str, next: &mut MediaSegment) {
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        let value = value.trim_start();
        match name {
            "INF" => next.duration_ms = parse_seconds(value.split(',').next().unwrap_or(value)),
            "-X-MEDIA-SEQUENCE" => self.media_sequence = value.parse().unwrap_or(0),
            "-X-DISCONTINUITY-SEQUENCE" => self.discontinuity_sequence = value.parse().unwrap_or(0),
            "-X-TARGETDURATION" => self.target_duration = value.parse().unwrap_or(0),
            "-X-PLAYLIST-TYPE" => self.event = value == "EVENT",
            "-X-DISCONTINUITY" => next.discontinuity = true,
            "-X-KEY" => next.key = parse_key(value),
            "-X-MAP" => next.map = parse_uri(value),
            "-X-PROGRAM-DATE-TIME" => {
                let at = value.parse::<Timestamp>().ok();
                next.date_ms = at.and_then(|at| u64::try_from(at.as_millisecond()).ok());
            }
            "-X-DATERANGE" if next.date_ranges.len() < limits::DATE_RANGES => {
                next.date_ranges.push(value.to_owned());
            }
            _ => {}
        }
    }
}

/// A master playlist (RFC 8216 §4.3.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MasterPlaylist {
    /// Value of EXT-X-VERSION, if present.
    pub version: Option<u8>,
    /// The variant streams.
    pub variants: Vec<VariantStream>,
}

/// One variant stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantStream {
    /// Attributes, already formatted.
    pub attributes: Vec<String>,
    /// Valid URI reference of its media playlist.
    pub uri: String,
}

impl fmt::Display for MasterPlaylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "#EXTM3U")?;
        if let Some(version) = self.version {
            writeln!(f, "#EXT-X-VERSION:{version}")?;
        }
        for variant in &self.variants {
            writeln!(f, "#EXT-X-STREAM-INF:{}\n{}", variant.attributes.join(","), variant.uri)?;
        }
        Ok(())
    }
}

/// EXT-X-TARGETDURATION for segments of nominally `fragment_ms` and at most `longest_ms` milliseconds: no rounded
/// segment duration may exceed it (RFC 8216 §4.3.3.1).
///
/// It must not change either (§6.2.1), but it grows with the first segment that is longer. PingOS tells the nominal length
/// from the beginning, and players derive their distance from the live edge from it: the longest possible length, ten times as
/// long by default, would make them start that much later. An end at the nominal length without a key frame would leave
/// segments that cannot be decoded alone.
pub fn target_duration(fragment_ms: u64, longest_ms: u64) -> u64 {
    (fragment_ms / 1000).max(longest_ms.saturating_add(500) / 1000).max(1)
}

/// Appends one path segment of a URI reference, percent-encoded as RFC 3986 §3.3 requires. A colon is encoded too,
/// because in a relative reference it would end a scheme.
pub fn push_path_segment(bytes: &[u8], uri: &mut String) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=@".contains(&byte) {
            uri.push(byte.into());
        } else {
            write!(uri, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
}

/// Converts decimal seconds to milliseconds; invalid text gives 0.
fn parse_seconds(value: &str) -> u64 {
    let seconds = value.trim().parse::<f64>().unwrap_or(0.0);
    // `clamp` keeps NaN, which the cast turns into 0.
    (seconds.clamp(0.0, DURATION_MAX_SECONDS) * 1000.0).round() as u64
}

fn parse_key(attributes: &str) -> Option<EncryptionKey> {
    let uri = parse_uri(attributes)?;
    let iv = attributes.split_once("IV=0x")?.1.split(',').next()?;
    let iv = u128::from_str_radix(iv, 16).ok()?;
    attributes.starts_with("METHOD=AES-128").then_some(EncryptionKey { uri, iv })
}

fn parse_uri(attributes: &str) -> Option<String> {
    attributes.split_once("URI=\"")?.1.split('"').next().map(str::to_owned)
}

/// Maximum number of segments read from a playlist: the length of the longest event playlist.
pub const SEGMENTS_MAX: usize = 100_000;

/// Longest plausible duration of a segment in a playlist that is read.
const DURATION_MAX_SECONDS: f64 = 86_400.0;

#[cfg(test)]
mod tests;
