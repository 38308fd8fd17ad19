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
fn feed(cutter: &mut Cutter, rule: &CutRule, from: u64, to: u64, keys: &[u64]) -> Vec<(u64, CutDecision)> {
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
    assert_eq!(cuts, [(0, start(None, false)), (5_000, start(5_000, false)), (10_000, start(5_000, false))]);
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
        cuts.into_iter().filter(|(_, cut)| *cut != CutDecision::Skip).map(|(at, _)| at).collect::<Vec<_>>()
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
