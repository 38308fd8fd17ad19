use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;

use super::*;
use crate::media::files::StreamName;
use crate::media::segments::Slicing;
use crate::wire::MediaKind;
use crate::wire::fmp4::Packager;

/// Files in memory; those in `full` cannot be written.
#[derive(Default)]
struct Files {
    written: BTreeMap<PathBuf, Vec<u8>>,
    full: Option<&'static str>,
}

impl Files {
    fn takes(&self, file: &Path) -> bool {
        self.full.is_none_or(|end| !file.to_str().unwrap().ends_with(end))
    }

    fn manifest(&self) -> &str {
        str::from_utf8(&self.written[Path::new("s.mpd")]).unwrap()
    }

    fn count(&self, what: &str) -> usize {
        self.manifest().matches(what).count()
    }

    fn has(&self, file: &str) -> bool {
        self.written.contains_key(Path::new(file))
    }
}

impl DashFiles for Files {
    fn create(&mut self, file: &Path) -> bool {
        self.replace(file, b"")
    }

    fn append(&mut self, file: &Path, bytes: &[u8]) -> bool {
        let takes = self.takes(file);
        if let Some(written) = self.written.get_mut(file).filter(|_| takes) {
            written.extend_from_slice(bytes);
        }
        takes
    }

    fn close(&mut self, file: &Path) -> bool {
        self.takes(file)
    }

    fn replace(&mut self, file: &Path, bytes: &[u8]) -> bool {
        let takes = self.takes(file);
        if takes {
            self.written.insert(file.to_owned(), bytes.to_vec());
        }
        takes
    }

    fn remove(&mut self, file: &Path) {
        self.written.remove(file);
    }
}

/// A publisher of 25 pictures and 50 packets of Opus a second, whose clock is the time of day.
struct Publisher {
    packager: Packager,
    segmenter: DashSegmenter,
    files: Files,
    sent_ms: u32,
    now_ms: u64,
    /// By how many percent its clock is faster.
    fast: u32,
}

const BEGIN_MS: u64 = 1_800_000_000_000;

impl Publisher {
    fn new() -> Self {
        let layout = DashLayout { name: StreamName::new(b"s").unwrap(), nested: false };
        let cut = CutRule { fragment_ms: 1_000, max_fragment_ms: 10_000, slicing: Slicing::Plain };
        let settings = DashSettings { cut, window_ms: 60_000, cleanup: true };
        let (segmenter, files) = (DashSegmenter::new(layout, settings), Files::default());
        let packager = Packager::new(12, Some(BEGIN_MS));
        let mut publisher = Publisher { packager, segmenter, files, sent_ms: 0, now_ms: BEGIN_MS, fast: 0 };
        publisher.video_header(30);
        publisher.send(MediaKind::Audio, b"\x90OpusOpusHead\x01\x02\x38\x01\x80\xBB\0\0\0\0\0");
        publisher
    }

    fn send(&mut self, kind: MediaKind, payload: &[u8]) {
        let (mut samples, payload) = (Vec::new(), Bytes::copy_from_slice(payload));
        self.packager.handle_frame(kind, self.sent_ms, &payload, &mut samples).unwrap();
        for sample in samples {
            self.segmenter.handle(sample, self.now_ms, &mut self.files);
        }
    }

    fn video_header(&mut self, level: u8) {
        let head =
            [&b"\x90avc1\x01\x64\x00"[..], &[level], b"\xFF\xE1\x00\x04\x67\x64\x00\x1F\x01\x00\x01\x68"];
        self.send(MediaKind::Video, &head.concat());
    }

    /// Sends this many milliseconds, with a key frame each second.
    fn play(&mut self, length_ms: u32, kinds: &[MediaKind]) {
        for _ in (0..length_ms).step_by(20) {
            if self.sent_ms.is_multiple_of(40) && kinds.contains(&MediaKind::Video) {
                let first = if self.sent_ms.is_multiple_of(1_000) { 0x91 } else { 0xA1 };
                self.send(MediaKind::Video, &[&[first][..], b"avc1\0\0\0\0\0\0\x01\x65"].concat());
            }
            if kinds.contains(&MediaKind::Audio) {
                self.send(MediaKind::Audio, b"\x91Opus\xF8picture");
            }
            // A percent of five steps is a millisecond.
            let missing = if self.sent_ms.is_multiple_of(100) { self.fast } else { 0 };
            (self.sent_ms, self.now_ms) = (self.sent_ms + 20, self.now_ms + 20 - u64::from(missing));
        }
    }

    fn finish(&mut self) {
        let mut samples = Vec::new();
        self.packager.finish(&mut samples);
        for sample in samples {
            self.segmenter.handle(sample, self.now_ms, &mut self.files);
        }
        self.segmenter.finish(self.now_ms, &mut self.files);
    }
}

const BOTH: &[MediaKind] = &[MediaKind::Audio, MediaKind::Video];

#[test]
fn a_steady_stream_is_one_period_at_the_time_of_day() {
    let mut publisher = Publisher::new();
    publisher.play(20_000, BOTH);
    publisher.finish();
    let files = &publisher.files;
    assert_eq!((files.count("<Period"), files.count("<S t=")), (1, 40));
    assert!(files.manifest().contains(&format!("<S t=\"{BEGIN_MS}\" d=\"1000\"/>")));
    assert!(files.manifest().contains("start=\"PT1800000000S\""));
    assert!(!files.manifest().contains("availabilityTimeOffset"));
}

#[test]
fn a_new_codec_has_a_period_and_an_initialisation_segment_of_its_own() {
    let mut publisher = Publisher::new();
    publisher.play(3_000, BOTH);
    publisher.video_header(40);
    publisher.play(3_000, BOTH);
    publisher.finish();
    let files = &publisher.files;
    assert_eq!(files.count("<Period"), 2);
    let changed_ms = BEGIN_MS + 3_000;
    assert!(
        files.has("s-init.m4v") && files.has(&format!("s-{changed_ms}.init.m4v")) && files.has("s-init.m4a")
    );
    assert!(files.manifest().contains(&format!("initialization=\"s-{changed_ms}.init.m4v\"")));
    assert_eq!((files.count("avc1.64001E"), files.count("avc1.640028")), (1, 1));
    assert_eq!((files.count("<S t="), files.count("initialization=\"s-init.m4a\"")), (12, 2));
}

#[test]
fn a_publisher_that_pauses_goes_on_at_the_time_of_day() {
    let mut publisher = Publisher::new();
    publisher.play(3_000, BOTH);
    publisher.now_ms += 20_000;
    publisher.play(3_000, BOTH);
    publisher.finish();
    assert_eq!(publisher.files.count("<Period"), 2);
    let last = publisher.files.manifest().split("<S t=\"").last().unwrap().to_owned();
    let last_ms: u64 = last.split('"').next().unwrap().parse().unwrap();
    assert!((BEGIN_MS + 24_000..=BEGIN_MS + 26_000).contains(&last_ms), "{}", last_ms - BEGIN_MS);
}

#[test]
fn a_fast_clock_is_told() {
    let mut publisher = Publisher::new();
    publisher.play(3_000, BOTH);
    publisher.now_ms -= 1_500;
    publisher.play(3_000, BOTH);
    publisher.finish();
    assert_eq!(publisher.files.count("<Period"), 1);
    assert!(publisher.files.manifest().contains("availabilityTimeOffset=\"1."));
}

/// Start and end of each segment of a track, in milliseconds, and by how much they are there earlier.
fn listed(files: &Files, kind: &str) -> (Vec<(u64, u64)>, u64) {
    let text = files.manifest();
    let set = text.split("<AdaptationSet").find(|part| part.contains(kind)).unwrap();
    let number = |text: &str| text.split('"').next().unwrap().parse::<u64>().unwrap();
    let segments = set.split("<S t=\"").skip(1).map(|part| {
        let (start, length) = (number(part), number(part.split("d=\"").nth(1).unwrap()));
        (start, start + length)
    });
    let offset = set
        .split("availabilityTimeOffset=\"")
        .nth(1)
        .map_or(0.0, |part| part.split('"').next().unwrap().parse::<f64>().unwrap());
    (segments.collect(), (offset * 1_000.0).round() as u64)
}

#[test]
fn a_clock_that_runs_fast_stays_near_the_time_of_day() {
    for (percent, most_ms) in [(1, 5_500), (4, 7_500)] {
        let mut publisher = Publisher::new();
        publisher.fast = percent;
        let mut ahead = Vec::new();
        // Half an hour: without a correction it would be 18 s and 72 s ahead, more than the window has.
        for _ in 0..180 {
            publisher.play(10_000, BOTH);
            for kind in ["video", "audio"] {
                let (segments, offset_ms) = listed(&publisher.files, kind);
                for pair in segments.windows(2) {
                    assert!(pair[0].1.abs_diff(pair[1].0) <= 25, "{kind}: {pair:?}");
                }
                let end_ms = segments.last().unwrap().1;
                // It was written within the last second, when it was said to become available.
                let available_ms = end_ms - offset_ms;
                assert!(available_ms <= publisher.now_ms + 200, "{}", available_ms - publisher.now_ms);
                assert!(available_ms + 1_500 >= publisher.now_ms, "{}", publisher.now_ms - available_ms);
                ahead.push(end_ms.saturating_sub(publisher.now_ms));
            }
        }
        assert_eq!(publisher.files.count("<Period"), 1, "{percent} %");
        let last = ahead.last().copied().unwrap();
        assert!((3_500..most_ms).contains(&last) && ahead.iter().all(|ahead| *ahead < most_ms), "{ahead:?}");
    }
}

#[test]
fn a_publisher_faster_than_any_clock_keeps_its_times() {
    let mut publisher = Publisher::new();
    publisher.fast = 20;
    publisher.play(120_000, BOTH);
    publisher.finish();
    let (segments, _) = listed(&publisher.files, "video");
    assert!(segments.iter().all(|(start, end)| end - start == 1_000), "{segments:?}");
    assert_eq!(segments.last().unwrap().1, BEGIN_MS + 120_000);
}

#[test]
fn a_clock_that_runs_slow_is_corrected_by_a_period() {
    let mut publisher = Publisher::new();
    publisher.play(1_000, BOTH);
    for _ in 0..700 {
        publisher.play(1_000, BOTH);
        publisher.now_ms += 10;
    }
    publisher.finish();
    let (segments, _) = listed(&publisher.files, "video");
    let behind = publisher.now_ms.saturating_sub(segments.last().unwrap().1);
    assert!(behind < 6_000, "{behind}");
}

#[test]
fn players_stay_as_far_behind_a_fast_clock() {
    let delay = |publisher: &Publisher| {
        let text = publisher.files.manifest();
        text.split("suggestedPresentationDelay=\"PT").nth(1).unwrap().split('S').next().unwrap().to_owned()
    };
    let mut publisher = Publisher::new();
    publisher.play(3_500, BOTH);
    assert_eq!(delay(&publisher), "3");
    publisher.now_ms -= 1_500;
    publisher.play(3_000, BOTH);
    // A picture's length is known 40 ms later, with the next one.
    assert_eq!(delay(&publisher), "1.540");
    publisher.now_ms -= 3_000;
    publisher.play(3_000, BOTH);
    assert_eq!(delay(&publisher), "1", "never less than a segment");
}

#[test]
fn a_track_that_comes_later_or_is_silent_for_long_begins_a_period() {
    let mut publisher = Publisher::new();
    publisher.play(3_000, &[MediaKind::Video]);
    publisher.play(3_000, BOTH);
    assert_eq!((publisher.files.count("<Period"), publisher.files.count("contentType=\"audio\"")), (2, 1));
    publisher.play(5_000, &[MediaKind::Video]);
    assert_eq!(publisher.files.count("<Period"), 2, "a pause");
    publisher.play(40_000, &[MediaKind::Video]);
    assert_eq!(publisher.files.count("<Period"), 3);
}

#[test]
fn what_could_not_be_written_is_not_listed() {
    let mut publisher = Publisher::new();
    publisher.play(3_000, BOTH);
    publisher.files.full = Some("3000.m4v");
    publisher.play(3_000, BOTH);
    publisher.finish();
    let files = &publisher.files;
    assert_eq!(files.count(&format!("<S t=\"{}\"", BEGIN_MS + 3_000)), 0);
    assert_eq!((files.count("<S t="), files.count("<Period") > 1), (11, true));
}

#[test]
fn old_segments_periods_and_initialisation_segments_go() {
    let mut publisher = Publisher::new();
    publisher.segmenter.settings.window_ms = 4_000;
    for level in [31, 32, 40] {
        publisher.play(3_000, BOTH);
        publisher.video_header(level);
    }
    publisher.play(20_000, BOTH);
    let files = &publisher.files;
    assert_eq!(files.count("<Period"), 1);
    let videos = files.written.keys().filter(|file| file.extension().is_some_and(|end| end == "m4v"));
    // Twice the window, the open segment, two initialisation segments.
    assert!((11..=12).contains(&videos.count()), "{:?}", files.written.keys());
    assert!(files.has("s-init.m4v") && !files.has(&format!("s-{}.init.m4v", BEGIN_MS + 3_000)));
}
