//! What the manifest lists: periods, their tracks and segments.

use std::collections::VecDeque;
use std::sync::Arc;

use super::open::OpenTrack;
use crate::wire::fmp4::TrackConfig;

#[derive(Debug)]
pub(super) struct Period {
    pub(super) start_ms: u64,
    pub(super) tracks: [Option<PeriodTrack>; 2],
}

#[derive(Debug)]
pub(super) struct PeriodTrack {
    pub(super) config: Arc<TrackConfig>,
    /// Time in the name of its initialisation segment.
    pub(super) init_since: Option<u64>,
    pub(super) frame_rate: String,
    pub(super) segments: VecDeque<Segment>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) start_ms: u64,
    pub(super) end_ms: u64,
    pub(super) bytes: u64,
}

impl Period {
    /// Whether these segments belong to this period; `newest_ms` is their end.
    pub(super) fn takes(&self, done: &[Option<OpenTrack>; 2], newest_ms: u64) -> bool {
        self.tracks.iter().zip(done).all(|(track, done)| match (track, done) {
            (Some(track), Some(done)) => track.config == done.config,
            // A track may be silent for a while.
            (Some(track), None) => {
                let end_ms = track.segments.back().map_or(self.start_ms, |segment| segment.end_ms);
                newest_ms.saturating_sub(end_ms) < TRACK_IDLE_MS
            }
            (None, Some(_)) => false,
            (None, None) => true,
        })
    }

    /// End of its last segment; its start without segments.
    pub(super) fn end_ms(&self) -> u64 {
        let segments = self.tracks.iter().flatten().filter_map(|track| track.segments.back());
        segments.map(|segment| segment.end_ms).max().unwrap_or(self.start_ms)
    }
}

impl PeriodTrack {
    /// Bit rate of the largest segment of at least half the usual length.
    pub(super) fn bandwidth(&self) -> u64 {
        let length = |segment: &Segment| segment.end_ms.saturating_sub(segment.start_ms).max(1);
        let longest = self.segments.iter().map(length).max().unwrap_or(1);
        let long = self.segments.iter().filter(|segment| length(segment) >= longest / 2);
        long.map(|segment| segment.bytes.saturating_mul(8_000) / length(segment)).max().unwrap_or(1)
    }
}

/// Time without a segment after which a track is no longer part of the presentation.
const TRACK_IDLE_MS: u64 = 30_000;
