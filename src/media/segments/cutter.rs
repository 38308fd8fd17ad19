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
#[derive(Debug)]
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

#[derive(Debug)]
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
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    const RULE: CutRule = CutRule { fragment_ms: 1_000, max_fragment_ms: 5_000, slicing: Slicing::Plain };

    fn frame(dts_ms: u64, video: bool, key: bool) -> TsFrame {
        TsFrame {
            bytes: Bytes::from_static(&[0x47]),
            tables: Bytes::new(),
            starts_with_tables: key,
            dts_ms,
            duration_ms: 40,
            video,
            key,
            program_change: false,
            messages: Vec::new(),
        }
    }

    /// Passes 25 frames a second from `from` to `to`, a key frame at each of `keys`, and lists the cuts.
    fn feed(
        cutter: &mut Cutter,
        rule: &CutRule,
        from: u64,
        to: u64,
        keys: &[u64],
    ) -> Vec<(u64, CutDecision)> {
        (from..to)
            .step_by(40)
            .map(|dts_ms| (dts_ms, cutter.handle_frame(rule, &frame(dts_ms, true, keys.contains(&dts_ms)))))
            .filter(|(_, cut)| *cut != CutDecision::Append)
            .collect()
    }

    fn cutter() -> Cutter {
        Cutter::new(1_000)
    }

    fn start(ended_ms: impl Into<Option<u64>>, discontinuity: bool) -> CutDecision {
        CutDecision::Start { ended_ms: ended_ms.into(), discontinuity }
    }

    #[test]
    fn cuts_at_the_first_key_frame_after_the_fragment() {
        let mut cutter = cutter();
        let cuts = feed(&mut cutter, &RULE, 0, 4_000, &[80, 600, 1_200, 1_800, 2_400]);
        let want = [
            (0, CutDecision::Skip),
            (40, CutDecision::Skip),
            (80, start(None, false)),
            (1_200, start(1_120, false)),
            (2_400, start(1_200, false)),
        ];
        assert_eq!(cuts, want);
        assert_eq!(cutter.finish(), Some(1_600));
        assert_eq!(cutter.finish(), None);
    }

    #[test]
    fn longest_length_cuts_without_a_key_frame() {
        let mut cutter = cutter();
        let cuts = feed(&mut cutter, &RULE, 0, 11_000, &[0]);
        assert_eq!(
            cuts,
            [(0, start(None, false)), (5_000, start(5_000, false)), (10_000, start(5_000, false))]
        );
    }

    #[test]
    fn timestamps_that_stand_still_do_not_make_endless_segments() {
        let mut cutter = cutter();
        cutter.handle_frame(&RULE, &frame(0, true, true));
        let cuts: Vec<_> = (1..2_500)
            .filter(|_| cutter.handle_frame(&RULE, &frame(0, true, false)) != CutDecision::Append)
            .collect();
        assert_eq!(cuts, [1_000, 2_000]);
    }

    #[test]
    fn key_frame_a_millisecond_early_is_late_enough() {
        let mut cutter = cutter();
        cutter.handle_frame(&RULE, &frame(1, true, true));
        assert_eq!(cutter.handle_frame(&RULE, &frame(1_000, true, true)), start(999, false));
    }

    #[test]
    fn aligned_slicing_depends_on_timestamps_alone() {
        let rule = CutRule { slicing: Slicing::Aligned, ..RULE };
        let keys: Vec<u64> = (0..20).map(|n| n * 400).collect();
        let at = |from| {
            let cuts = feed(&mut cutter(), &rule, from, 6_000, &keys);
            cuts.into_iter()
                .filter(|(_, cut)| *cut != CutDecision::Skip)
                .map(|(at, _)| at)
                .collect::<Vec<_>>()
        };
        assert_eq!(at(400), [1_200, 2_000, 3_200, 4_000, 5_200]);
        assert_eq!(at(1_600), [2_000, 3_200, 4_000, 5_200]);
    }

    #[test]
    fn jump_of_timestamps_is_a_discontinuity() {
        let mut cutter = cutter();
        feed(&mut cutter, &RULE, 50_000, 50_800, &[50_000]);
        assert_eq!(cutter.handle_frame(&RULE, &frame(0, true, true)), start(800, true));
        feed(&mut cutter, &RULE, 40, 400, &[]);
        assert_eq!(cutter.handle_frame(&RULE, &frame(90_000, true, false)), start(400, true));
    }

    #[test]
    fn audio_behind_the_video_is_no_jump() {
        let mut cutter = cutter();
        feed(&mut cutter, &RULE, 50_000, 50_800, &[50_000]);
        assert_eq!(cutter.handle_frame(&RULE, &frame(49_200, false, false)), CutDecision::Append);
        assert_eq!(cutter.handle_frame(&RULE, &frame(50_800, true, false)), CutDecision::Append);
    }

    #[test]
    fn lengths_add_up_to_the_media_when_audio_is_late_or_on_another_clock() {
        for (late_ms, offset_ms) in [(0, 0), (1_500, 0), (2_000, 0), (0, 3_000), (0, 16_860)] {
            let mut cutter = Cutter::new(1 << 20);
            let (mut sum, mut broken) = (0, 0);
            for at in (20_000..32_000).step_by(40) {
                let mut cuts = vec![cutter.handle_frame(&RULE, &frame(at, true, at % 1_000 == 0))];
                // Audio from `late_ms` ago arrives now.
                if at >= 20_000 + late_ms {
                    cuts.push(cutter.handle_frame(&RULE, &frame(at - late_ms - offset_ms, false, false)));
                }
                for cut in cuts {
                    if let CutDecision::Start { ended_ms, discontinuity } = cut {
                        sum += ended_ms.unwrap_or(0);
                        broken += u32::from(discontinuity);
                    }
                }
            }
            sum += cutter.finish().unwrap();
            assert_eq!((sum, broken), (12_000, 0), "{late_ms} ms late, {offset_ms} ms apart");
        }
    }

    /// All segment durations, including the last one, and the number of discontinuities.
    fn lengths(rule: &CutRule, max_bytes: usize, frames: &[TsFrame]) -> (Vec<u64>, usize) {
        let mut cutter = Cutter::new(max_bytes);
        let (mut lengths, mut broken) = (Vec::new(), 0);
        for frame in frames {
            if let CutDecision::Start { ended_ms, discontinuity } = cutter.handle_frame(rule, frame) {
                lengths.extend(ended_ms);
                broken += usize::from(discontinuity);
            }
        }
        lengths.extend(cutter.finish());
        (lengths, broken)
    }

    #[test]
    fn a_track_that_pauses_is_not_counted_twice() {
        for (first, other, pause_ms) in
            [4_000, 12_000, 20_000].iter().flat_map(|pause| [(true, false, *pause), (false, true, *pause)])
        {
            // 3 s of both tracks, then one of them alone, then 3 s of both again.
            let paused = |at: u64| at > 3_000 && at < 3_000 + pause_ms;
            let frames: Vec<_> = (0..6_000 + pause_ms)
                .step_by(40)
                .flat_map(|at| {
                    let goes_on = frame(at, first, first && at % 1_000 == 0);
                    let pauses = frame(at, other, other && at % 1_000 == 0);
                    [Some(goes_on), (!paused(at)).then_some(pauses)]
                })
                .flatten()
                .skip_while(|frame| !frame.key)
                .collect();
            let (lengths, broken) = lengths(&RULE, 1 << 20, &frames);
            assert_eq!((lengths.iter().sum(), broken), (6_000 + pause_ms, 0), "{first} {lengths:?}");
            assert!(lengths.iter().all(|length| *length <= 5_040), "{lengths:?}");
        }
    }

    /// Timestamps of a track, ascending from 0: mostly 40 ms apart, sometimes with a gap.
    fn track(gap_ms: u64) -> impl Strategy<Value = Vec<u64>> {
        let step = prop_oneof![20 => Just(40), 2 => 40..1_000_u64, 1 => 40..gap_ms];
        prop::collection::vec(step, 1..200).prop_map(|steps| {
            let mut at = 0;
            std::iter::once(0).chain(steps.into_iter().map(|step| (at += step, at).1)).collect()
        })
    }

    proptest! {
        #[test]
        fn any_interleaving_of_tracks_with_gaps_adds_up_to_the_media(
            (video, audio) in (track(9_000), track(9_000)),
            turns in prop::collection::vec(any::<bool>(), 400),
            keys in prop::collection::vec(any::<bool>(), 200),
            (video_from, audio_from) in (0..100_000_u64, 0..100_000_u64),
            (fragment_ms, max_fragment_ms, max_bytes) in (100..6_000_u64, 1_000..9_000_u64, 3..1_000_usize),
        ) {
            let rule = CutRule { fragment_ms, max_fragment_ms, slicing: Slicing::Plain };
            let end_ms = *video.last().max(audio.last()).unwrap() + 40;
            let mut videos = video.iter().enumerate().map(|(n, at)| {
                frame(video_from + at, true, n == 0 || keys.get(n).is_some_and(|key| *key))
            });
            let mut audios = audio.iter().map(|at| frame(audio_from + at, false, false));
            let mut frames: Vec<_> = videos.next().into_iter().chain(audios.next()).collect();
            for video_next in turns {
                frames.extend(if video_next { videos.next() } else { audios.next() });
            }
            frames.extend(videos.chain(audios));
            let (lengths, broken) = lengths(&rule, max_bytes, &frames);
            prop_assert_eq!((lengths.iter().sum::<u64>(), broken), (end_ms, 0), "{:?}", lengths);
        }
    }

    #[test]
    fn jumping_with_every_message_does_not_cut_with_every_message() {
        let mut cutter = cutter();
        cutter.handle_frame(&RULE, &frame(0, true, true));
        let cuts = (0..800)
            .map(|n| cutter.handle_frame(&RULE, &frame(n % 2 * 100_000, true, false)))
            .filter(|cut| *cut != CutDecision::Append)
            .count();
        assert_eq!(cuts, 100);
    }

    #[test]
    fn new_codecs_wait_for_a_key_frame_only() {
        let mut cutter = cutter();
        feed(&mut cutter, &RULE, 0, 200, &[0]);
        let changed = TsFrame { program_change: true, ..frame(200, false, false) };
        assert_eq!(cutter.handle_frame(&RULE, &changed), CutDecision::Append);
        assert_eq!(cutter.handle_frame(&RULE, &frame(240, true, true)), start(240, true));
        assert_eq!(cutter.handle_frame(&RULE, &frame(280, true, true)), CutDecision::Append);
    }
}
