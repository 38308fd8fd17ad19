//! Segmenter: converts samples to segments and manifests.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::manifest::frame_rate;
use super::{DashLayout, Manifest, ManifestPeriod, ManifestTrack};
use crate::limits;
use crate::media::segments::{CutDecision, CutRule, Cutter};
use crate::wire::fmp4::{Run, Sample, TrackConfig, fragment, init_segment, segment_type};

/// Settings of a segmenter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DashSettings {
    /// Rule for segment boundaries.
    pub cut: CutRule,
    /// Length of the manifest's window in milliseconds.
    pub window_ms: u64,
    /// Whether segments that have left the window are removed.
    pub cleanup: bool,
}

/// Files below `dash_path`. Each call is performed at once, creates missing directories, and returns whether it succeeded:
/// a manifest must not list a segment that could not be written.
pub trait DashFiles {
    /// Creates or truncates a file.
    fn create(&mut self, file: &Path) -> bool;
    /// Appends to a file that was created and not closed.
    fn append(&mut self, file: &Path, bytes: &[u8]) -> bool;
    /// Closes a file. Fails if any part of it was not written.
    fn close(&mut self, file: &Path) -> bool;
    /// Replaces a file atomically.
    fn replace(&mut self, file: &Path, bytes: &[u8]) -> bool;
    /// Removes a file.
    fn remove(&mut self, file: &Path);
}

/// Makes the files of one publish.
///
/// Pass every sample of a [`Packager`](crate::wire::fmp4::Packager) whose time line begins at the time of day to
/// [`handle`](Self::handle), and call [`finish`](Self::finish) at the end.
#[derive(Debug)]
pub struct DashSegmenter {
    layout: DashLayout,
    settings: DashSettings,
    cutter: Cutter,
    /// Audio and video of the open segment.
    open: [Option<OpenTrack>; 2],
    /// Samples that need another configuration than the open segment has.
    waiting: Vec<Sample>,
    /// By how much the media is later than its samples say, in milliseconds; see [`limits::DASH_DRIFT`].
    offset_ms: u64,
    /// By how much the media is ahead of the time of day, in milliseconds.
    ahead_ms: u64,
    periods: VecDeque<Period>,
    /// Whether the next segment begins a period.
    interrupted: bool,
    /// Initialisation segments on disk: configuration, and the time in their names.
    inits: [Option<(Arc<TrackConfig>, Option<u64>)>; 2],
    /// Segments that left the window, with their ends.
    retired: VecDeque<(PathBuf, u64)>,
    /// Number of the next fragment.
    sequence: u32,
}

#[derive(Debug)]
struct OpenTrack {
    config: Arc<TrackConfig>,
    file: PathBuf,
    start_ms: u64,
    end_ms: u64,
    bytes: u64,
    /// Number of samples, and their duration in ticks.
    samples: (usize, u64),
    /// Samples that are not written yet.
    held: Vec<Sample>,
    held_bytes: usize,
}

#[derive(Debug)]
struct Period {
    start_ms: u64,
    tracks: [Option<PeriodTrack>; 2],
}

#[derive(Debug)]
struct PeriodTrack {
    config: Arc<TrackConfig>,
    /// Time in the name of its initialisation segment.
    init_since: Option<u64>,
    frame_rate: String,
    segments: VecDeque<Segment>,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    start_ms: u64,
    end_ms: u64,
    bytes: u64,
}

impl DashSegmenter {
    /// Creates a segmenter without segments.
    pub fn new(layout: DashLayout, settings: DashSettings) -> Self {
        DashSegmenter {
            layout,
            settings,
            cutter: Cutter::new(limits::DASH_SEGMENT_BYTES),
            open: [None, None],
            waiting: Vec::new(),
            offset_ms: 0,
            ahead_ms: 0,
            periods: VecDeque::new(),
            interrupted: false,
            inits: [None, None],
            retired: VecDeque::new(),
            sequence: 1,
        }
    }

    /// Names of the stream's files.
    pub fn layout(&self) -> &DashLayout {
        &self.layout
    }

    /// Processes the next sample; `now_ms` is the time of day in milliseconds since 1970.
    pub fn handle(&mut self, sample: Sample, now_ms: u64, files: &mut impl DashFiles) {
        match self.cutter.handle_frame(&self.settings.cut, &sample) {
            CutDecision::Skip => return,
            CutDecision::Append => {}
            CutDecision::Start { ended_ms, .. } => {
                if ended_ms.is_some() {
                    self.close(now_ms, files);
                }
                self.follow_clock(&sample, now_ms);
                for sample in std::mem::take(&mut self.waiting) {
                    self.append(sample, files);
                }
            }
        }
        self.append(sample, files);
    }

    /// Ends the open segment, because samples are missing; the next one begins at a key frame.
    pub fn interrupt(&mut self, now_ms: u64, files: &mut impl DashFiles) {
        if self.cutter.finish().is_some() {
            self.close(now_ms, files);
        }
        self.waiting.clear();
        self.interrupted = true;
    }

    /// Ends the last segment. As in PingOS, the manifest does not end: the stream may be published again.
    pub fn finish(&mut self, now_ms: u64, files: &mut impl DashFiles) {
        self.cutter.finish();
        self.close(now_ms, files);
    }

    /// Keeps the time line at the time of day. Media that is late by much has paused: it goes on in a new period. Media
    /// that is early keeps its times, since a period cannot begin before the end of the preceding one; the manifest tells.
    fn follow_clock(&mut self, sample: &Sample, now_ms: u64) {
        let at_ms = sample.dts_ms().saturating_add(self.offset_ms);
        let late_ms = now_ms.saturating_sub(at_ms);
        if u128::from(late_ms) > limits::DASH_DRIFT.as_millis() {
            self.offset_ms = self.offset_ms.saturating_add(late_ms);
            self.interrupted |= !self.periods.is_empty();
        }
        self.ahead_ms = at_ms.saturating_sub(now_ms);
    }

    fn append(&mut self, mut sample: Sample, files: &mut impl DashFiles) {
        let of = usize::from(sample.config.is_video());
        if self.open[of].as_ref().is_some_and(|open| open.config != sample.config) {
            if self.waiting.len() < limits::DASH_WAITING_FRAMES {
                self.waiting.push(sample);
            }
            return;
        }
        sample.dts =
            sample.dts.saturating_add(self.offset_ms.saturating_mul(sample.config.timescale.into()) / 1_000);
        if self.open[of].is_none() {
            let (config, start_ms) = (sample.config.clone(), sample.dts_ms());
            let file = self.layout.segment_file(of == VIDEO, start_ms);
            if files.create(&file) {
                files.append(&file, &segment_type());
            }
            self.open[of] = Some(OpenTrack {
                config,
                file,
                start_ms,
                end_ms: start_ms,
                bytes: 0,
                samples: (0, 0),
                held: Vec::new(),
                held_bytes: 0,
            });
        }
        let Some(open) = &mut self.open[of] else { return };
        open.end_ms = open.end_ms.max(sample.end_ms());
        open.bytes += sample.data.len() as u64;
        open.samples = (open.samples.0 + 1, open.samples.1.saturating_add(sample.duration.into()));
        open.held_bytes += sample.data.len();
        open.held.push(sample);
        let since_ms = open.held.first().map_or(0, Sample::dts_ms);
        if open.end_ms.saturating_sub(since_ms) >= CHUNK_MS || open.held_bytes >= CHUNK_BYTES {
            open.flush(&mut self.sequence, files);
        }
    }

    /// Closes the open segment, lists what was written, and writes the manifest.
    fn close(&mut self, now_ms: u64, files: &mut impl DashFiles) {
        let mut done = [None, None];
        for (open, done) in self.open.iter_mut().zip(&mut done) {
            let Some(mut open) = open.take() else { continue };
            open.flush(&mut self.sequence, files);
            if files.close(&open.file) && open.end_ms > open.start_ms {
                *done = Some(open);
            } else {
                // Media is missing between the segments around it.
                self.interrupted = true;
            }
        }
        if done.iter().any(Option::is_some) {
            self.list(done, files);
        }
        if self.periods.is_empty() {
            return;
        }
        self.shorten();
        let manifest = self.manifest(now_ms).to_string();
        let written = files.replace(&self.layout.manifest_file(), manifest.as_bytes());
        self.remove_outlived(written, files);
    }

    fn list(&mut self, done: [Option<OpenTrack>; 2], files: &mut impl DashFiles) {
        let newest_ms = done.iter().flatten().map(|open| open.end_ms).max().unwrap_or(0);
        let goes_on =
            !self.interrupted && self.periods.back().is_some_and(|period| period.takes(&done, newest_ms));
        if !goes_on && !self.begin_period(&done, files) {
            return;
        }
        self.interrupted = false;
        let Some(period) = self.periods.back_mut() else { return };
        for (track, done) in period.tracks.iter_mut().zip(done) {
            let (Some(track), Some(done)) = (track, done) else { continue };
            track.segments.push_back(Segment {
                start_ms: done.start_ms,
                end_ms: done.end_ms,
                bytes: done.bytes,
            });
        }
    }

    /// Begins a period with these tracks. Returns whether it could be begun: its initialisation segments were written.
    fn begin_period(&mut self, done: &[Option<OpenTrack>; 2], files: &mut impl DashFiles) -> bool {
        let before_ms = self.periods.back().map_or(0, Period::end_ms);
        let start_ms = done.iter().flatten().map(|open| open.start_ms).min().unwrap_or(0).max(before_ms);
        let mut tracks = [None, None];
        for (of, open) in done.iter().enumerate() {
            let Some(open) = open else { continue };
            let since = match &self.inits[of] {
                Some((config, since)) if *config == open.config => *since,
                before => {
                    // The names of the first ones are PingOS's.
                    let since = before.as_ref().map(|_| open.start_ms);
                    let file = self.layout.init_file(of == VIDEO, since);
                    if !files.replace(&file, &init_segment(&[&open.config])) {
                        self.interrupted = true;
                        return false;
                    }
                    self.inits[of] = Some((open.config.clone(), since));
                    since
                }
            };
            let (count, ticks) = open.samples;
            let is_video = of == VIDEO;
            tracks[of] = Some(PeriodTrack {
                config: open.config.clone(),
                init_since: since,
                frame_rate: if is_video {
                    frame_rate(count, ticks, open.config.timescale)
                } else {
                    String::new()
                },
                segments: VecDeque::new(),
            });
        }
        self.periods.push_back(Period { start_ms, tracks });
        true
    }

    /// Removes from the manifest what is older than the window.
    fn shorten(&mut self) {
        let newest_ms = self.periods.iter().map(Period::end_ms).max().unwrap_or(0);
        let since_ms = newest_ms.saturating_sub(self.settings.window_ms);
        for period in &mut self.periods {
            for (of, track) in period.tracks.iter_mut().enumerate() {
                let Some(track) = track else { continue };
                while let Some(first) = track.segments.front().copied()
                    && (first.end_ms <= since_ms && first.end_ms < newest_ms
                        || track.segments.len() > limits::DASH_SEGMENTS)
                {
                    track.segments.pop_front();
                    let file = self.layout.segment_file(of == VIDEO, first.start_ms);
                    self.retired.push_back((file, first.end_ms));
                }
            }
        }
        while self.periods.len() > 1
            && let Some(period) = self.periods.front()
            && period.end_ms() == period.start_ms
        {
            let Some(period) = self.periods.pop_front() else { return };
            for (of, track) in period.tracks.into_iter().enumerate() {
                let Some(since) = track.and_then(|track| track.init_since) else { continue };
                let used = self.inits[of].as_ref().is_some_and(|(_, current)| *current == Some(since));
                let listed = self.periods.iter().filter_map(|period| period.tracks[of].as_ref());
                if !used && !listed.into_iter().any(|track| track.init_since == Some(since)) {
                    self.retired.push_back((self.layout.init_file(of == VIDEO, Some(since)), newest_ms));
                }
            }
        }
    }

    /// Players may request a segment for another window after it has left the manifest. Where the manifest was not
    /// `written`, the one on disk still lists older segments; only their number is limited then.
    fn remove_outlived(&mut self, written: bool, files: &mut impl DashFiles) {
        let newest_ms = self.periods.iter().map(Period::end_ms).max().unwrap_or(0);
        let since_ms = newest_ms.saturating_sub(self.settings.window_ms.saturating_mul(2));
        while let Some((_, end_ms)) = self.retired.front()
            && (written && *end_ms <= since_ms || self.retired.len() > limits::DASH_SEGMENTS)
        {
            let Some((file, _)) = self.retired.pop_front() else { return };
            if self.settings.cleanup {
                files.remove(&file);
            }
        }
    }

    fn manifest(&self, now_ms: u64) -> Manifest {
        let track = |of: usize, track: &PeriodTrack| ManifestTrack {
            config: track.config.clone(),
            bandwidth: track.bandwidth(),
            frame_rate: track.frame_rate.clone(),
            init: self.layout.init_template(of == VIDEO, track.init_since),
            media: self.layout.segment_template(of == VIDEO),
            segments: track
                .segments
                .iter()
                .map(|segment| (segment.start_ms, segment.end_ms.saturating_sub(segment.start_ms).max(1)))
                .collect(),
        };
        let period = |period: &Period| ManifestPeriod {
            start_ms: period.start_ms,
            // Video first.
            tracks: (0..2)
                .rev()
                .filter_map(|of| period.tracks[of].as_ref().map(|known| (of, known)))
                .filter(|(_, known)| !known.segments.is_empty())
                .map(|(of, known)| track(of, known))
                .collect(),
        };
        Manifest {
            uri: self.layout.manifest_uri(),
            published_ms: now_ms,
            fragment_ms: self.settings.cut.fragment_ms,
            window_ms: self.settings.window_ms.max(self.settings.cut.fragment_ms),
            ahead_ms: self.ahead_ms,
            periods: self.periods.iter().map(period).collect(),
        }
    }
}

impl OpenTrack {
    /// Writes the samples that are not written yet. A failure shows when the file is closed.
    fn flush(&mut self, sequence: &mut u32, files: &mut impl DashFiles) {
        if self.held.is_empty() {
            return;
        }
        let bytes: Bytes = fragment(*sequence, &[Run { track: 1, samples: &self.held }]);
        *sequence = sequence.wrapping_add(1);
        files.append(&self.file, &bytes);
        self.held.clear();
        self.held_bytes = 0;
    }
}

impl Period {
    /// Whether these segments belong to this period; `newest_ms` is their end.
    fn takes(&self, done: &[Option<OpenTrack>; 2], newest_ms: u64) -> bool {
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
    fn end_ms(&self) -> u64 {
        let segments = self.tracks.iter().flatten().filter_map(|track| track.segments.back());
        segments.map(|segment| segment.end_ms).max().unwrap_or(self.start_ms)
    }
}

impl PeriodTrack {
    /// Bit rate of the largest segment of at least half the usual length.
    fn bandwidth(&self) -> u64 {
        let length = |segment: &Segment| segment.end_ms.saturating_sub(segment.start_ms).max(1);
        let longest = self.segments.iter().map(length).max().unwrap_or(1);
        let long = self.segments.iter().filter(|segment| length(segment) >= longest / 2);
        long.map(|segment| segment.bytes.saturating_mul(8_000) / length(segment)).max().unwrap_or(1)
    }
}

const VIDEO: usize = 1;

/// Samples are written once they last this long together, in milliseconds, or have this many bytes.
const CHUNK_MS: u64 = 500;
const CHUNK_BYTES: usize = 1024 * 1024;

/// Time without a segment after which a track is no longer part of the presentation.
const TRACK_IDLE_MS: u64 = 30_000;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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
    }

    const BEGIN_MS: u64 = 1_800_000_000_000;

    impl Publisher {
        fn new() -> Self {
            let layout = DashLayout { name: StreamName::new(b"s").unwrap(), nested: false };
            let cut = CutRule { fragment_ms: 1_000, max_fragment_ms: 10_000, slicing: Slicing::Plain };
            let settings = DashSettings { cut, window_ms: 60_000, cleanup: true };
            let (segmenter, files) = (DashSegmenter::new(layout, settings), Files::default());
            let packager = Packager::new(12, Some(BEGIN_MS));
            let mut publisher = Publisher { packager, segmenter, files, sent_ms: 0, now_ms: BEGIN_MS };
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
                (self.sent_ms, self.now_ms) = (self.sent_ms + 20, self.now_ms + 20);
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
            files.has("s-init.m4v")
                && files.has(&format!("s-{changed_ms}.init.m4v"))
                && files.has("s-init.m4a")
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

    #[test]
    fn a_track_that_comes_later_or_is_silent_for_long_begins_a_period() {
        let mut publisher = Publisher::new();
        publisher.play(3_000, &[MediaKind::Video]);
        publisher.play(3_000, BOTH);
        assert_eq!(
            (publisher.files.count("<Period"), publisher.files.count("contentType=\"audio\"")),
            (2, 1)
        );
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
}
