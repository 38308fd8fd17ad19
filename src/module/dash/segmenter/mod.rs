//! Segmenter: converts samples to segments and manifests.

mod clock;
mod files;
mod open;
mod period;

pub use files::DashFiles;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use clock::TimeOfDay;
use open::OpenTrack;
use period::{Period, PeriodTrack, Segment};

use super::manifest::frame_rate;
use super::{DashLayout, Manifest, ManifestPeriod, ManifestTrack};
use crate::limits;
use crate::media::segments::{CutDecision, CutRule, Cutter};
use crate::wire::fmp4::{Sample, TrackConfig, init_segment, segment_type};

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
    clock: TimeOfDay,
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

impl DashSegmenter {
    /// Creates a segmenter without segments.
    pub fn new(layout: DashLayout, settings: DashSettings) -> Self {
        DashSegmenter {
            layout,
            settings,
            cutter: Cutter::new(limits::DASH_SEGMENT_BYTES),
            open: [None, None],
            waiting: Vec::new(),
            clock: TimeOfDay::default(),
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
                if self.clock.follow(&sample, now_ms) {
                    self.interrupted |= !self.periods.is_empty();
                }
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

    fn append(&mut self, mut sample: Sample, files: &mut impl DashFiles) {
        let of = usize::from(sample.config.is_video());
        if self.open[of].as_ref().is_some_and(|open| open.config != sample.config) {
            if self.waiting.len() < limits::DASH_WAITING_FRAMES {
                self.waiting.push(sample);
            }
            return;
        }
        if !self.clock.apply(&mut sample) {
            return;
        }
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
            ahead_ms: self.clock.ahead_ms(),
            periods: self.periods.iter().map(period).collect(),
        }
    }
}

const VIDEO: usize = 1;

/// Samples are written once they last this long together, in milliseconds, or have this many bytes.
const CHUNK_MS: u64 = 500;
const CHUNK_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests;
