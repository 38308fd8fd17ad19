//! Where one segment ends and the next begins.
//!
//! ```text
//!           first key frame (aligned: first one behind a multiple)
//! waiting ─────────────────────────────────────────────────────────► open ──┐ next segment
//!    ▲                                                                │ ▲───┘
//!    └─────────────────────────── finish ─────────────────────────────┘
//! ```
//!
//! An open segment ends at the first key frame after the fragment length; at any piece when the longest
//! length is reached; at once when timestamps jump; at the next key frame when codecs change.
//!
//! All tracks are measured on one line of time, which begins with the stream and anew with each jump: a segment goes from one
//! point of it to the next, so that the lengths add up to the media, whichever track ends a segment and whichever pauses.

use crate::directive::word::one_of;
use crate::wire::mpegts::TsFrame;

one_of! {
    /// `hls_fragment_slicing` and `hls2_fragment_slicing`.
    pub enum Slicing {
        /// At the first key frame after the fragment length.
        "plain" => Plain,
        /// At the first key frame behind each multiple of the fragment length, so that servers and variants
        /// fed with the same timestamps cut at the same frames.
        "aligned" => Aligned,
    }
}

/// How long segments are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutRule {
    /// Wanted length.
    pub fragment_ms: u64,
    /// Length at which a segment ends without a key frame.
    pub max_fragment_ms: u64,
    /// How the wanted length is counted.
    pub slicing: Slicing,
}

/// What to do with a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// No segment is open, and none can start here.
    Skip,
    /// It belongs to the open segment.
    Append,
    /// It starts a new segment. Its [`lead`](TsFrame::lead) has to come first.
    Start {
        /// How long the segment was that ends here, if one was open.
        ended_ms: Option<u64>,
        /// Whether it does not go on from that segment: other timestamps or other codecs.
        discontinuity: bool,
    },
}

/// Decides for the pieces of one stream, in their order.
#[derive(Debug)]
pub struct Cutter {
    /// A segment of this size ends whatever its timestamps say: they might stand still.
    max_bytes: usize,
    open: Option<Open>,
    /// Audio and video, across segments.
    tracks: [Track; 2],
    /// Point in time at which the open segment begins: that of the piece that started it.
    start_at_ms: u64,
    /// Aligned slicing: the multiple in which the first key frame was seen.
    waiting_since: Option<u64>,
    /// The next segment is not a continuation, and the next key frame starts it.
    discontinuity: bool,
}

/// Time of one track. Audio may come later than the video of its time, and tracks may be on different clocks.
#[derive(Clone, Copy, Debug, Default)]
struct Track {
    /// Start of its first piece, and at which point in time that stands.
    first: Option<First>,
    /// Where its part of the open segment begins: where its part of the segment before has ended.
    start_ms: Option<u64>,
    /// Start of its latest piece.
    latest_ms: Option<u64>,
    /// Where that piece ends, as far as it is known.
    end_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct First {
    dts_ms: u64,
    at_ms: u64,
}

#[derive(Debug)]
struct Open {
    /// Length of what the segment holds from before a jump inside it.
    before_jump_ms: u64,
    pieces: usize,
    bytes: usize,
}

impl Cutter {
    /// A cutter that waits for a first key frame. No segment gets far above `max_bytes`.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            open: None,
            tracks: [Track::default(); 2],
            start_at_ms: 0,
            waiting_since: None,
            discontinuity: false,
        }
    }

    /// Changes the size at which a segment ends.
    pub fn set_max_bytes(&mut self, max_bytes: usize) {
        self.max_bytes = max_bytes;
    }

    /// Decides for the next piece.
    pub fn handle_frame(&mut self, rule: &CutRule, frame: &TsFrame) -> Cut {
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
        let Some(open) = &mut self.open else { return Cut::Skip };

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
        Cut::Append
    }

    /// Ends the open segment, if there is one: how long it was. What comes next is no continuation.
    pub fn finish(&mut self) -> Option<u64> {
        self.open.as_ref()?;
        let length_ms = self.length_ms();
        self.open = None;
        self.restart();
        self.waiting_since = None;
        self.discontinuity = true;
        Some(length_ms)
    }

    /// Makes the first segment a discontinuity, as after segments of an earlier publish.
    pub fn follow_earlier(&mut self) {
        self.discontinuity = true;
    }

    /// The tracks begin anew.
    fn restart(&mut self) {
        (self.tracks, self.start_at_ms) = ([Track::default(); 2], 0);
    }

    /// The point in time of a piece.
    ///
    /// A track that begins later stands by its timestamps beside the other one, if those are of the media that the other
    /// has brought so far; else it is on another clock, and begins with that media or where it ends.
    fn place(&mut self, frame: &TsFrame) -> u64 {
        let [of, other] = [usize::from(frame.video), usize::from(!frame.video)];
        let beside = self.tracks[other];
        let track = &mut self.tracks[of];
        let first = track.first.get_or_insert_with(|| First {
            dts_ms: frame.dts_ms,
            at_ms: beside.at_ms(frame.dts_ms).min(beside.latest_at_ms()),
        });
        first.at_ms(frame.dts_ms)
    }

    /// Timestamps are compared with those of the same track, in this segment or before. A track that has paused is where the
    /// other one is by now.
    fn jumps_to(&self, frame: &TsFrame, rule: &CutRule) -> bool {
        let track = &self.tracks[usize::from(frame.video)];
        let Some(latest_ms) = track.latest_ms else { return false };
        let most_ms = rule.max_fragment_ms.max(FORWARD_JUMP_MS);
        let latest_at_ms = self.tracks.iter().map(Track::latest_at_ms).max().unwrap_or(0);
        latest_ms.saturating_sub(frame.dts_ms) > BACKWARD_JUMP_MS
            || track.at_ms(frame.dts_ms).saturating_sub(latest_at_ms) > most_ms
    }

    /// Length of the open segment: up to where the longer track ends.
    fn length_ms(&self) -> u64 {
        let before_ms = self.open.as_ref().map_or(0, |open| open.before_jump_ms);
        let end_at_ms = self.tracks.iter().map(Track::end_at_ms).max().unwrap_or(0);
        before_ms.saturating_add(end_at_ms.saturating_sub(self.start_at_ms))
    }

    fn start_first(&mut self, rule: &CutRule, frame: &TsFrame) -> Cut {
        if !frame.key {
            return Cut::Skip;
        }
        if rule.slicing == Slicing::Aligned {
            let now = multiple(frame.dts_ms, rule);
            if *self.waiting_since.get_or_insert(now) == now {
                return Cut::Skip;
            }
        }
        self.start(frame, None)
    }

    fn start(&mut self, frame: &TsFrame, ended_ms: Option<u64>) -> Cut {
        let mut open = Open { before_jump_ms: 0, pieces: 0, bytes: 0 };
        open.append(frame);
        self.open = Some(open);
        for track in &mut self.tracks {
            track.start_ms = track.end_ms;
        }
        self.start_at_ms = self.place(frame).max(self.start_at_ms);
        let track = &mut self.tracks[usize::from(frame.video)];
        track.start_ms = Some(frame.dts_ms);
        track.append(frame);
        Cut::Start { ended_ms, discontinuity: std::mem::take(&mut self.discontinuity) }
    }
}

impl Open {
    fn append(&mut self, frame: &TsFrame) {
        self.pieces += 1;
        self.bytes = self.bytes.saturating_add(frame.bytes.len());
    }
}

impl Track {
    fn append(&mut self, frame: &TsFrame) {
        let end_ms = frame.dts_ms.saturating_add(frame.duration_ms);
        self.latest_ms = Some(frame.dts_ms);
        self.end_ms = Some(self.end_ms.map_or(end_ms, |before| before.max(end_ms)));
    }

    /// The point in time of a timestamp.
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

impl First {
    fn at_ms(&self, dts_ms: u64) -> u64 {
        self.at_ms.saturating_add(dts_ms).saturating_sub(self.dts_ms)
    }
}

fn multiple(dts_ms: u64, rule: &CutRule) -> u64 {
    dts_ms / rule.fragment_ms.max(1)
}

/// Key frames one fragment apart may be stated a millisecond closer.
const ROUNDING_MS: u64 = 1;

/// Timestamps that go back by more are a jump, as in the original. Less is bad interleaving.
const BACKWARD_JUMP_MS: u64 = 1_000;

/// Timestamps that go forward by more than this, and than the longest segment, are a jump.
const FORWARD_JUMP_MS: u64 = 10_000;

/// A segment with fewer pieces is not ended by a jump but by the next key frame, or a publisher could
/// have a file made for every message.
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
        }
    }

    /// Feeds 25 pictures a second from `from` to `to`, a key frame at each of `keys`, and lists the cuts.
    fn feed(cutter: &mut Cutter, rule: &CutRule, from: u64, to: u64, keys: &[u64]) -> Vec<(u64, Cut)> {
        (from..to)
            .step_by(40)
            .map(|dts_ms| (dts_ms, cutter.handle_frame(rule, &frame(dts_ms, true, keys.contains(&dts_ms)))))
            .filter(|(_, cut)| *cut != Cut::Append)
            .collect()
    }

    fn cutter() -> Cutter {
        Cutter::new(1_000)
    }

    fn start(ended_ms: impl Into<Option<u64>>, discontinuity: bool) -> Cut {
        Cut::Start { ended_ms: ended_ms.into(), discontinuity }
    }

    #[test]
    fn cuts_at_the_first_key_frame_after_the_fragment() {
        let mut cutter = cutter();
        let cuts = feed(&mut cutter, &RULE, 0, 4_000, &[80, 600, 1_200, 1_800, 2_400]);
        let want = [
            (0, Cut::Skip),
            (40, Cut::Skip),
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
            .filter(|_| cutter.handle_frame(&RULE, &frame(0, true, false)) != Cut::Append)
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
            cuts.into_iter().filter(|(_, cut)| *cut != Cut::Skip).map(|(at, _)| at).collect::<Vec<_>>()
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
        assert_eq!(cutter.handle_frame(&RULE, &frame(49_200, false, false)), Cut::Append);
        assert_eq!(cutter.handle_frame(&RULE, &frame(50_800, true, false)), Cut::Append);
    }

    #[test]
    fn lengths_add_up_to_the_media_when_audio_is_late_or_on_another_clock() {
        for (late_ms, offset_ms) in [(0, 0), (1_500, 0), (2_000, 0), (0, 3_000), (0, 16_860)] {
            let mut cutter = Cutter::new(1 << 20);
            let (mut sum, mut broken) = (0, 0);
            for at in (20_000..32_000).step_by(40) {
                let mut cuts = vec![cutter.handle_frame(&RULE, &frame(at, true, at % 1_000 == 0))];
                // What was heard `late_ms` ago arrives now.
                if at >= 20_000 + late_ms {
                    cuts.push(cutter.handle_frame(&RULE, &frame(at - late_ms - offset_ms, false, false)));
                }
                for cut in cuts {
                    if let Cut::Start { ended_ms, discontinuity } = cut {
                        sum += ended_ms.unwrap_or(0);
                        broken += u32::from(discontinuity);
                    }
                }
            }
            sum += cutter.finish().unwrap();
            assert_eq!((sum, broken), (12_000, 0), "{late_ms} ms late, {offset_ms} ms apart");
        }
    }

    /// What the cuts and the end give: all lengths, and the discontinuities among them.
    fn lengths(rule: &CutRule, max_bytes: usize, frames: &[TsFrame]) -> (Vec<u64>, usize) {
        let mut cutter = Cutter::new(max_bytes);
        let (mut lengths, mut broken) = (Vec::new(), 0);
        for frame in frames {
            if let Cut::Start { ended_ms, discontinuity } = cutter.handle_frame(rule, frame) {
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
            // 3 s of both, then one of them alone, then 3 s of both again.
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

    /// Times of a track, ascending from 0: mostly 40 ms apart, sometimes a gap.
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
            .filter(|cut| *cut != Cut::Append)
            .count();
        assert_eq!(cuts, 100);
    }

    #[test]
    fn new_codecs_wait_for_a_key_frame_only() {
        let mut cutter = cutter();
        feed(&mut cutter, &RULE, 0, 200, &[0]);
        let changed = TsFrame { program_change: true, ..frame(200, false, false) };
        assert_eq!(cutter.handle_frame(&RULE, &changed), Cut::Append);
        assert_eq!(cutter.handle_frame(&RULE, &frame(240, true, true)), start(240, true));
        assert_eq!(cutter.handle_frame(&RULE, &frame(280, true, true)), Cut::Append);
    }
}
