//! Attributes of a stream in a master playlist.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::hub::info::MediaInfo;

/// Number of segments over which the bandwidth is measured: the usual length of a playlist.
pub const MEASURED: usize = 16;

/// Attributes that are measured, and attributes from the codec headers (RFC 8216 §4.3.4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presentation {
    /// BANDWIDTH: bit rate of the largest segment in bit/s.
    bandwidth: u64,
    /// AVERAGE-BANDWIDTH: bit rate of all segments in bit/s.
    average: u64,
    /// CODECS: the tracks in the transport stream.
    codecs: String,
    /// RESOLUTION: width and height in pixels.
    resolution: Option<(u32, u32)>,
}

impl Presentation {
    /// Measures the latest segments, given as bytes and milliseconds. `None` if there are none.
    pub fn measure(segments: impl Iterator<Item = (u64, u64)> + Clone, info: &MediaInfo) -> Option<Self> {
        let known = segments.filter(|(bytes, ms)| *bytes > 0 && *ms > 0);
        let longest = known.clone().map(|(_, ms)| ms).max()?;
        // Segments of less than half the maximum duration do not count for the peak (RFC 8216 §4.1).
        let long = known.clone().filter(|(_, ms)| *ms >= longest / 2);
        let (bytes, ms) = known.fold((0u64, 0u64), |(bytes, ms), (b, m)| (bytes.saturating_add(b), ms + m));
        let average = rate(bytes, ms);
        let tracks = [&info.video_codecs, &info.audio_codecs].into_iter().filter(|name| !name.is_empty());
        Some(Presentation {
            bandwidth: long.map(|(bytes, ms)| rate(bytes, ms)).max()?.max(average),
            average,
            codecs: tracks.map(String::as_str).collect::<Vec<_>>().join(","),
            resolution: (info.width > 0 && info.height > 0 && !info.video_codecs.is_empty())
                .then_some((info.width, info.height)),
        })
    }

    /// The attributes, without those already in `written`.
    pub fn attributes_beside(&self, written: &[String]) -> Vec<String> {
        let has = |name: &str| {
            written.iter().any(|one| one.split('=').next().is_some_and(|is| is.eq_ignore_ascii_case(name)))
        };
        let mut attributes = Vec::new();
        if !has("BANDWIDTH") {
            attributes.push(format!("BANDWIDTH={}", self.bandwidth));
            if !has("AVERAGE-BANDWIDTH") {
                attributes.push(format!("AVERAGE-BANDWIDTH={}", self.average));
            }
        }
        if !has("CODECS") && !self.codecs.is_empty() {
            attributes.push(format!("CODECS=\"{}\"", self.codecs));
        }
        if let Some((width, height)) = self.resolution.filter(|_| !has("RESOLUTION")) {
            attributes.push(format!("RESOLUTION={width}x{height}"));
        }
        attributes
    }
}

fn rate(bytes: u64, ms: u64) -> u64 {
    bytes.saturating_mul(8_000) / ms.max(1)
}

/// Attributes of the streams being written, by playlist file. The variants of a stream read those of one another.
#[derive(Debug, Default)]
pub struct Presentations(Mutex<HashMap<PathBuf, Presentation>>);

impl Presentations {
    pub(crate) fn set(&self, playlist: &Path, presentation: Option<Presentation>) {
        let mut known = self.0.lock();
        match presentation {
            Some(presentation) => known.insert(playlist.to_owned(), presentation),
            None => known.remove(playlist),
        };
    }

    pub(crate) fn get(&self, playlist: &Path) -> Option<Presentation> {
        self.0.lock().get(playlist).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_stands_beside_what_is_written() {
        let info = MediaInfo {
            width: 640,
            height: 360,
            video_codecs: "avc1.64001F".into(),
            audio_codecs: "mp4a.40.2".into(),
            ..MediaInfo::default()
        };
        // The last segment is too short for a peak.
        let segments = [(100_000, 1_000), (150_000, 1_000), (50_000, 100)];
        let known = Presentation::measure(segments.into_iter(), &info).unwrap();
        assert_eq!(
            known.attributes_beside(&[]),
            [
                "BANDWIDTH=1200000",
                "AVERAGE-BANDWIDTH=1142857",
                "CODECS=\"avc1.64001F,mp4a.40.2\"",
                "RESOLUTION=640x360"
            ]
        );
        let written = ["BANDWIDTH=5".to_owned(), "CODECS=\"x\"".to_owned()];
        assert_eq!(known.attributes_beside(&written), ["RESOLUTION=640x360"]);
        assert_eq!(Presentation::measure([(0, 0)].into_iter(), &info), None);
    }
}
