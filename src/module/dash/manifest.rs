//! Media presentation descriptions (ISO/IEC 23009-1 §5.3).

use std::fmt::{self, Write};
use std::sync::Arc;

use jiff::Timestamp;

use crate::wire::fmp4::TrackConfig;

/// Smallest number of segments that a player should be behind the live edge.
const DELAY_SEGMENTS: u64 = 3;

/// A manifest. Times are in milliseconds since 1970, durations in milliseconds.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// URI of the manifest, from whose response players may take the time of day.
    pub uri: String,
    /// Time of its making.
    pub published_ms: u64,
    /// Nominal length of a segment.
    pub fragment_ms: u64,
    /// How far players can go back.
    pub window_ms: u64,
    /// How much earlier segments are there than their times say, because the publisher's clock is fast.
    pub ahead_ms: u64,
    /// The periods, oldest first.
    pub periods: Vec<ManifestPeriod>,
}

/// A period: media with the same tracks and configurations.
#[derive(Clone, Debug)]
pub struct ManifestPeriod {
    /// Start of its first segment.
    pub start_ms: u64,
    /// Its tracks.
    pub tracks: Vec<ManifestTrack>,
}

/// A track of a period.
#[derive(Clone, Debug)]
pub struct ManifestTrack {
    /// Configuration.
    pub config: Arc<TrackConfig>,
    /// Largest bit rate of a segment in bit/s.
    pub bandwidth: u64,
    /// Pictures per second as a number or a fraction; empty if unknown.
    pub frame_rate: String,
    /// Template of the URI of the initialisation segment.
    pub init: String,
    /// Template of the URIs of segments.
    pub media: String,
    /// Start and duration of each segment.
    pub segments: Vec<(u64, u64)>,
}

impl Manifest {
    fn segments(&self) -> impl Iterator<Item = &(u64, u64)> {
        self.periods.iter().flat_map(|period| &period.tracks).flat_map(|track| &track.segments)
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let published = i64::try_from(self.published_ms).ok();
        let published = published.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let published = published.unwrap_or(Timestamp::UNIX_EPOCH);
        let longest_ms = self.segments().map(|(_, duration)| *duration).max().unwrap_or(self.fragment_ms);
        writeln!(f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(f, "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\"")?;
        writeln!(f, "    profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" type=\"dynamic\"")?;
        write!(f, "    availabilityStartTime=\"1970-01-01T00:00:00Z\"")?;
        writeln!(f, " publishTime=\"{published:.3}\"")?;
        writeln!(f, "    minimumUpdatePeriod=\"{}\"", Seconds(self.fragment_ms))?;
        write!(f, "    minBufferTime=\"{}\"", Seconds(self.fragment_ms))?;
        write!(f, " timeShiftBufferDepth=\"{}\"", Seconds(self.window_ms))?;
        writeln!(f, " maxSegmentDuration=\"{}\"", Seconds(longest_ms))?;
        // Behind the time of day, which segments of a fast clock are ahead of.
        let delay_ms =
            longest_ms.saturating_mul(DELAY_SEGMENTS).saturating_sub(self.ahead_ms).max(longest_ms);
        writeln!(f, "    suggestedPresentationDelay=\"{}\">", Seconds(delay_ms.min(self.window_ms)))?;
        for (n, period) in self.periods.iter().enumerate() {
            write!(f, "  <Period id=\"{0}\" start=\"{1}\"", period.start_ms, Seconds(period.start_ms))?;
            if let Some(next) = self.periods.get(n + 1) {
                write!(f, " duration=\"{}\"", Seconds(next.start_ms.saturating_sub(period.start_ms)))?;
            }
            writeln!(f, ">")?;
            period.tracks.iter().try_for_each(|track| self.write_track(period, track, f))?;
            writeln!(f, "  </Period>")?;
        }
        // It is as old as the file, but needs nothing: `Date`, which is exact, can be read by a page of another origin only if the
        // server exposes it, and then some players do not look for the next source.
        let scheme = "urn:mpeg:dash:utc:direct:2014";
        writeln!(f, "  <UTCTiming schemeIdUri=\"{scheme}\" value=\"{published:.3}\"/>")?;
        let scheme = "urn:mpeg:dash:utc:http-head:2014";
        writeln!(f, "  <UTCTiming schemeIdUri=\"{scheme}\" value=\"{}\"/>", Escaped(&self.uri))?;
        writeln!(f, "</MPD>")
    }
}

impl Manifest {
    fn write_track(
        &self,
        period: &ManifestPeriod,
        track: &ManifestTrack,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        let config = &track.config;
        let kind = if config.is_video() { "video" } else { "audio" };
        let id = if config.is_video() { 1 } else { 2 };
        write!(f, "    <AdaptationSet id=\"{id}\" contentType=\"{kind}\" mimeType=\"{kind}/mp4\"")?;
        writeln!(f, " segmentAlignment=\"true\" startWithSAP=\"1\">")?;
        write!(
            f,
            "      <SegmentTemplate timescale=\"1000\" presentationTimeOffset=\"{}\"",
            period.start_ms
        )?;
        if self.ahead_ms > 0 {
            let (seconds, millis) = (self.ahead_ms / 1_000, self.ahead_ms % 1_000);
            write!(f, " availabilityTimeOffset=\"{seconds}.{millis:03}\"")?;
        }
        writeln!(
            f,
            "\n          initialization=\"{}\" media=\"{}\">",
            Escaped(&track.init),
            Escaped(&track.media)
        )?;
        writeln!(f, "        <SegmentTimeline>")?;
        for (start, duration) in &track.segments {
            writeln!(f, "          <S t=\"{start}\" d=\"{duration}\"/>")?;
        }
        writeln!(f, "        </SegmentTimeline>\n      </SegmentTemplate>")?;
        write!(f, "      <Representation id=\"{kind}\" codecs=\"{}\"", Escaped(&config.codecs))?;
        write!(f, " bandwidth=\"{}\"", track.bandwidth.max(1))?;
        if config.width > 0 && config.height > 0 {
            write!(f, " width=\"{}\" height=\"{}\"", config.width, config.height)?;
        }
        if config.is_video() {
            if !track.frame_rate.is_empty() {
                write!(f, " frameRate=\"{}\"", track.frame_rate)?;
            }
            writeln!(f, "/>")?;
        } else {
            let scheme = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011";
            writeln!(f, " audioSamplingRate=\"{}\">", config.timescale)?;
            write!(f, "        <AudioChannelConfiguration schemeIdUri=\"{scheme}\"")?;
            writeln!(f, " value=\"{}\"/>\n      </Representation>", config.channels)?;
        }
        writeln!(f, "    </AdaptationSet>")
    }
}

/// Milliseconds as a duration of XML schema.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 1_000, self.0 % 1_000) {
            (seconds, 0) => write!(f, "PT{seconds}S"),
            (seconds, millis) => write!(f, "PT{seconds}.{millis:03}S"),
        }
    }
}

/// Text as the value of an attribute.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '"' => f.write_str("&quot;")?,
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

/// Pictures per second of `count` pictures that last `ticks` of `timescale` together: a usual rate that is close, or a
/// whole number; empty if unknown.
pub(super) fn frame_rate(count: usize, ticks: u64, timescale: u32) -> String {
    const USUAL: [(u32, u32); 9] = [
        (24_000, 1001),
        (24, 1),
        (25, 1),
        (30_000, 1001),
        (30, 1),
        (48, 1),
        (50, 1),
        (60_000, 1001),
        (60, 1),
    ];
    if count == 0 || ticks == 0 {
        return String::new();
    }
    let rate = count as f64 * f64::from(timescale) / ticks as f64;
    let distance = |(number, divisor): (u32, u32)| (f64::from(number) / f64::from(divisor) - rate).abs();
    let nearest = USUAL.into_iter().min_by(|one, other| distance(*one).total_cmp(&distance(*other)));
    match nearest {
        Some((number, 1)) if distance((number, 1)) < NEAR => number.to_string(),
        Some((number, divisor)) if distance((number, divisor)) < NEAR => format!("{number}/{divisor}"),
        _ => (rate.round().max(1.0) as u64).to_string(),
    }
}

/// Timestamps in milliseconds blur a measured rate by about this much.
const NEAR: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_rates_are_the_usual_ones() {
        assert_eq!(frame_rate(50, 180_000, 90_000), "25");
        assert_eq!(frame_rate(60, 180_180, 90_000), "30000/1001");
        // Milliseconds instead of thirds of them.
        assert_eq!(frame_rate(151, 5_033 * 90, 90_000), "30");
        assert_eq!(frame_rate(30, 180_000, 90_000), "15");
        assert_eq!(frame_rate(1, 10 * 90_000, 90_000), "1");
        assert_eq!(frame_rate(0, 0, 90_000), "");
    }

    #[test]
    fn names_cannot_leave_their_attribute() {
        assert_eq!(Escaped("a&b\"<c>'").to_string(), "a&amp;b&quot;&lt;c>'");
    }
}
