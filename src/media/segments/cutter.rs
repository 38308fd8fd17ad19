//! Cutting of segments: decides where one segment ends and the next begins.
//!
//! ```text
//!           first key frame (aligned: first one behind a multiple)
//! waiting ─────────────────────────────────────────────────────────► open ──┐ next segment
//!    ▲                                                                │ ▲───┘
//!    └─────────────────────────── finish ─────────────────────────────┘
//! ```
//!
//! An open segment ends at the first key frame after the fragment length; at any piece when the maximum length is
//! reached; at once when timestamps jump; at the next key frame when codecs change.
//!
//! All tracks are mapped to one time line, which begins with the stream and again after each jump. A segment extends
//! from one point on it to the next, so that the segment durations add up to the duration of the media, whichever track
//! ends a segment and whichever pauses.

use crate::directive::word::one_of;
use crate::wire::fmp4::Sample;
use crate::wire::mpegts::TsFrame;

one_of! {
    /// `hls_fragment_slicing` and `hls2_fragment_slicing`.
    pub enum Slicing {
        /// Cuts at the first key frame after the fragment length.
        "plain" => Plain,
        /// Cuts at the first key frame after each multiple of the fragment length, so that servers and variants with
        /// the same timestamps cut at the same frames.
        "aligned" => Aligned,
    }
}

/// Lengths of segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutRule {
    /// Nominal length in milliseconds.
    pub fragment_ms: u64,
    /// Length in milliseconds at which a segment ends even without a key frame.
    pub max_fragment_ms: u64,
    /// How the nominal length is applied.
    pub slicing: Slicing,
}

/// What the cutter looks at in a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutPiece {
    /// Decoding time in milliseconds.
    pub dts_ms: u64,
    /// Duration in milliseconds, as far as known.
    pub duration_ms: u64,
    /// Size in bytes.
    pub bytes: usize,
    /// Whether it is video.
    pub video: bool,
    /// Whether a segment may start here.
    pub key: bool,
    /// Whether a codec or its configuration differs from the preceding pieces.
    pub program_change: bool,
}

impl From<&TsFrame> for CutPiece {
    fn from(frame: &TsFrame) -> Self {
        CutPiece {
            dts_ms: frame.dts_ms,
            duration_ms: frame.duration_ms,
            bytes: frame.bytes.len(),
            video: frame.video,
            key: frame.key,
            program_change: frame.program_change,
        }
    }
}

impl From<&Sample> for CutPiece {
    fn from(sample: &Sample) -> Self {
        CutPiece {
            dts_ms: sample.dts_ms(),
            duration_ms: sample.end_ms().saturating_sub(sample.dts_ms()),
            bytes: sample.data.len(),
            video: sample.config.is_video(),
            key: sample.starts,
            program_change: sample.changed,
        }
    }
}

/// Decision about a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutDecision {
    /// Dropped: no segment is open, and none can start here.
    Skip,
    /// Part of the open segment.
    Append,
    /// Start of a new segment. Its [`lead`](TsFrame::lead) must be written first.
    Start {
        /// Duration of the segment that ends here, if one was open.
        ended_ms: Option<u64>,
        /// Whether timestamps or codecs do not continue from that segment.
        discontinuity: bool,
    },
}

/// Decides about the pieces of one stream, in order.
#[derive(Clone, Debug)]
pub struct Cutter {
    /// Size at which a segment ends regardless of timestamps, which might not advance.
    max_bytes: usize,
    open: Option<OpenSegment>,
    /// Audio and video, across segments.
    tracks: [TrackTime; 2],
    /// Start of the open segment on the time line: that of its first piece.
    start_at_ms: u64,
    /// Aligned slicing: the multiple in which the first key frame was seen.
    waiting_since: Option<u64>,
    /// Whether the next segment is a discontinuity, which the next key frame starts.
    discontinuity: bool,
}

/// Time of one track. Audio may arrive later than the corresponding video, and tracks may use different clocks.
#[derive(Clone, Copy, Debug, Default)]
struct TrackTime {
    /// Start of its first piece, and the corresponding point on the time line.
    first: Option<FirstFrame>,
    /// Start of its part of the open segment, which is the end of its part of the preceding one.
    start_ms: Option<u64>,
    /// Start of its latest piece.
    latest_ms: Option<u64>,
    /// End of that piece, as far as known.
    end_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct FirstFrame {
    dts_ms: u64,
    at_ms: u64,
}

#[derive(Clone, Debug)]
struct OpenSegment {
    /// Duration of the segment's media before a jump inside it.
    before_jump_ms: u64,
    pieces: usize,
    bytes: usize,
}

impl Cutter {
    /// Creates a cutter that waits for a first key frame. Segments do not exceed `max_bytes` by much.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            open: None,
            tracks: [TrackTime::default(); 2],
            start_at_ms: 0,
            waiting_since: None,
            discontinuity: false,
        }
    }

    /// Sets the size at which a segment ends.
    pub fn set_max_bytes(&mut self, max_bytes: usize) {
        self.max_bytes = max_bytes;
    }

    /// Decides about the next piece.
    pub fn handle_frame(&mut self, rule: &CutRule, piece: impl Into<CutPiece>) -> CutDecision {
        let frame = &piece.into();
        self.discontinuity |= frame.program_change;
        let Some(open) = &self.open else { return self.start_first(rule, frame) };

        if self.jumps_to(frame, rule) {
            self.discontinuity = true;
            let (pieces, length_ms) = (open.pieces, self.length_ms());
            self.restart();
            if pieces >= PIECES_BEFORE_JUMP {
                return self.start(frame, Some(length_ms));
            }
            if let Some(open) = &mut self.open {
                open.before_jump_ms = length_ms;
            }
        }
        let at_ms = self.place(frame);
        let Some(open) = &mut self.open else { return CutDecision::Skip };

        let track = &mut self.tracks[usize::from(frame.video)];
        let start_ms = *track.start_ms.get_or_insert(frame.dts_ms);
        let length_ms = open.before_jump_ms.saturating_add(at_ms.saturating_sub(self.start_at_ms));
        let boundary = match rule.slicing {
            Slicing::Plain => length_ms + ROUNDING_MS >= rule.fragment_ms,
            Slicing::Aligned => multiple(start_ms, rule) != multiple(frame.dts_ms, rule),
        };
        let cut = frame.key && (boundary || self.discontinuity);
        let forced = length_ms >= rule.max_fragment_ms.max(1) || open.bytes >= self.max_bytes;
        if cut || forced {
            return self.start(frame, Some(length_ms));
        }
        open.append(frame);
        track.append(frame);
        CutDecision::Append
    }

    /// Whether this piece would start a segment if it came next.
    pub fn would_start(&self, rule: &CutRule, piece: CutPiece) -> bool {
        matches!(self.clone().handle_frame(rule, piece), CutDecision::Start { .. })
    }

    /// Ends the open segment, if any, and returns its duration. The next piece is a discontinuity.
    pub fn finish(&mut self) -> Option<u64> {
        self.open.as_ref()?;
        let length_ms = self.length_ms();
        self.open = None;
        self.restart();
        self.waiting_since = None;
        self.discontinuity = true;
        Some(length_ms)
    }

    /// Makes the first segment a discontinuity, for use after segments of an earlier publish.
    pub fn follow_earlier(&mut self) {
        self.discontinuity = true;
    }

    /// Restarts the tracks.
    fn restart(&mut self) {
        (self.tracks, self.start_at_ms) = ([TrackTime::default(); 2], 0);
    }

    /// Point of a piece on the time line.
    ///
    /// A track that begins later keeps its distance to the other one by timestamps, if they lie within the media of the
    /// other track so far. Otherwise it uses another clock, and starts with that media or at its end.
    fn place(&mut self, frame: &CutPiece) -> u64 {
        let [of, other] = [usize::from(frame.video), usize::from(!frame.video)];
        let other_track = self.tracks[other];
        let track = &mut self.tracks[of];
        let first = track.first.get_or_insert_with(|| FirstFrame {
            dts_ms: frame.dts_ms,
            at_ms: other_track.at_ms(frame.dts_ms).min(other_track.latest_at_ms()),
        });
        first.at_ms(frame.dts_ms)
    }

    /// Whether the piece's timestamp is a jump, compared with the same track in this or an earlier segment. A track
    /// that paused is assumed to have advanced as the other one.
    fn jumps_to(&self, frame: &CutPiece, rule: &CutRule) -> bool {
        let track = &self.tracks[usize::from(frame.video)];
        let Some(latest_ms) = track.latest_ms else { return false };
        let most_ms = rule.max_fragment_ms.max(FORWARD_JUMP_MS);
        let latest_at_ms = self.tracks.iter().map(TrackTime::latest_at_ms).max().unwrap_or(0);
        latest_ms.saturating_sub(frame.dts_ms) > BACKWARD_JUMP_MS
            || track.at_ms(frame.dts_ms).saturating_sub(latest_at_ms) > most_ms
    }

    /// Duration of the open segment, up to the end of the longer track.
    fn length_ms(&self) -> u64 {
        let before_ms = self.open.as_ref().map_or(0, |open| open.before_jump_ms);
        let end_at_ms = self.tracks.iter().map(TrackTime::end_at_ms).max().unwrap_or(0);
        before_ms.saturating_add(end_at_ms.saturating_sub(self.start_at_ms))
    }

    fn start_first(&mut self, rule: &CutRule, frame: &CutPiece) -> CutDecision {
        if !frame.key {
            return CutDecision::Skip;
        }
        if rule.slicing == Slicing::Aligned {
            let now = multiple(frame.dts_ms, rule);
            if *self.waiting_since.get_or_insert(now) == now {
                return CutDecision::Skip;
            }
        }
        self.start(frame, None)
    }

    fn start(&mut self, frame: &CutPiece, ended_ms: Option<u64>) -> CutDecision {
        let mut open = OpenSegment { before_jump_ms: 0, pieces: 0, bytes: 0 };
        open.append(frame);
        self.open = Some(open);
        for track in &mut self.tracks {
            track.start_ms = track.end_ms;
        }
        self.start_at_ms = self.place(frame).max(self.start_at_ms);
        let track = &mut self.tracks[usize::from(frame.video)];
        track.start_ms = Some(frame.dts_ms);
        track.append(frame);
        CutDecision::Start { ended_ms, discontinuity: std::mem::take(&mut self.discontinuity) }
    }
}

impl OpenSegment {
    fn append(&mut self, frame: &CutPiece) {
        self.pieces += 1;
        self.bytes = self.bytes.saturating_add(frame.bytes);
    }
}

impl TrackTime {
    fn append(&mut self, frame: &CutPiece) {
        let end_ms = frame.dts_ms.saturating_add(frame.duration_ms);
        self.latest_ms = Some(frame.dts_ms);
        self.end_ms = Some(self.end_ms.map_or(end_ms, |before| before.max(end_ms)));
    }

    /// Point of a timestamp on the time line.
    fn at_ms(&self, dts_ms: u64) -> u64 {
        self.first.map_or(0, |first| first.at_ms(dts_ms))
    }

    fn latest_at_ms(&self) -> u64 {
        self.latest_ms.map_or(0, |latest_ms| self.at_ms(latest_ms))
    }

    fn end_at_ms(&self) -> u64 {
        self.end_ms.map_or(0, |end_ms| self.at_ms(end_ms))
    }
}

impl FirstFrame {
    fn at_ms(&self, dts_ms: u64) -> u64 {
        self.at_ms.saturating_add(dts_ms).saturating_sub(self.dts_ms)
    }
}

fn multiple(dts_ms: u64, rule: &CutRule) -> u64 {
    dts_ms / rule.fragment_ms.max(1)
}

/// Timestamps of key frames one fragment apart may differ from it by one millisecond due to rounding.
const ROUNDING_MS: u64 = 1;

/// Timestamps that go back further are a jump, as in PingOS. Less is poor interleaving.
const BACKWARD_JUMP_MS: u64 = 1_000;

/// Timestamps that go forward by more than this, and by more than the maximum segment length, are a jump.
const FORWARD_JUMP_MS: u64 = 10_000;

/// A segment with fewer pieces ends at the next key frame instead of at a jump; otherwise a publisher could cause a
/// file per message.
const PIECES_BEFORE_JUMP: usize = 8;

#[cfg(test)]
mod tests;
