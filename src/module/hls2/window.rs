//! Window of the latest fragments of a stream.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::FragmentPiece;
use crate::limits;
use crate::media::segments::{
    CutDecision, CutPiece, CutRule, Cutter, DateRanges, Fragmenter, MEASURED, SegmentStart,
};
use crate::wire::data_message::DataMessage;
use crate::wire::fmp4::{Packager, Sample};
use crate::wire::hls::target_duration;
use crate::wire::mpegts::TsFrame;

/// Settings of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentSettings {
    /// Rule for fragment boundaries. PingOS cuts only at the maximum length (`hls2_max_fragment`), and never without
    /// that directive; here the nominal length counts, as documented.
    pub cut: CutRule,
    /// Length of a playlist in milliseconds, `hls2_playlist_length`.
    pub playlist_length_ms: u64,
    /// Number of fragments required for a first playlist, `hls2_minfrags`.
    pub min_fragments: usize,
    /// Longest part of a fragment in milliseconds, with `hls2_low_latency`.
    pub part_ms: Option<u64>,
}

/// A part of a fragment of fragmented MP4: the chunk with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentPart {
    /// Duration in milliseconds. Those of all parts add up to that of the fragment.
    pub duration_ms: u64,
    /// Whether it begins with a key frame.
    pub independent: bool,
}

/// What became of a look for a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookedUp {
    /// It is here.
    Found(Bytes),
    /// It is being made.
    Awaited,
    /// It does not exist, and no playlist has named it.
    Missing,
}

/// A fragment: a valid transport stream by itself, or a segment of fragmented MP4.
#[derive(Debug)]
pub struct Fragment {
    /// Number, which is also its media sequence number.
    pub id: u64,
    /// Duration in milliseconds.
    pub duration_ms: u64,
    /// Whether it does not continue the preceding fragment.
    pub discontinuity: bool,
    /// Number of discontinuities before it.
    pub discontinuity_sequence: u64,
    /// Number in the name of its initialisation segment, for fragmented MP4.
    pub map_id: Option<u64>,
    /// Parts, for fragmented MP4.
    pub parts: Vec<FragmentPart>,
    /// Its begin on the time line of the media, in milliseconds.
    pub dts_ms: u64,
    /// Its begin in milliseconds since 1970.
    pub date_ms: u64,
    /// Size of all chunks in bytes.
    pub len: usize,
    /// Contents. For fragmented MP4 a chunk is a part.
    pub chunks: Vec<Bytes>,
}

/// Fragments of one stream. The window lasts as long as the stream has players, across publishers.
///
/// Call [`handle_frame`](Self::handle_frame) for each piece, and wake waiting playlist requests when it returns `true`.
#[derive(Debug)]
pub struct FragmentWindow {
    settings: FragmentSettings,
    cutter: Cutter,
    /// Complete fragments, oldest first, with consecutive numbers.
    fragments: VecDeque<Arc<Fragment>>,
    open: Option<Fragment>,
    /// Packets of the open fragment of MPEG-TS that are in none of its chunks yet.
    gathered: Vec<u8>,
    next_id: u64,
    discontinuities: u64,
    /// Size of the complete fragments in bytes.
    bytes: usize,
    /// Maximum size of all fragments including the open one, in bytes.
    most_bytes: usize,
    /// Whether fragments were dropped because of `most_bytes`, so that a first playlist may never get its number of
    /// fragments.
    crowded: bool,
    fragmenter: Fragmenter,
    /// Initialisation segments by number, oldest first.
    maps: VecDeque<(u64, Bytes)>,
    ranges: DateRanges,
    /// Longest part so far in milliseconds.
    longest_part_ms: u64,
    /// Longest fragment so far in milliseconds.
    longest_ms: u64,
}

impl FragmentWindow {
    /// Creates an empty window.
    pub fn new(settings: FragmentSettings) -> Self {
        Self {
            settings,
            cutter: Cutter::new(WINDOW_BYTES_MAX / FRAGMENTS_FIT),
            fragments: VecDeque::new(),
            open: None,
            gathered: Vec::new(),
            next_id: 0,
            discontinuities: 0,
            bytes: 0,
            most_bytes: WINDOW_BYTES_MAX,
            crowded: false,
            fragmenter: Fragmenter::default(),
            maps: VecDeque::new(),
            ranges: DateRanges::default(),
            longest_part_ms: 0,
            longest_ms: 0,
        }
    }

    /// Sets the maximum size. The oldest fragments are dropped first; a fragment above a quarter of it is cut.
    pub fn set_most_bytes(&mut self, most: usize) {
        self.most_bytes = most.min(WINDOW_BYTES_MAX);
        self.cutter.set_max_bytes((self.most_bytes / FRAGMENTS_FIT).max(1));
    }

    /// Current size in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes + self.open.as_ref().map_or(0, |open| open.len)
    }

    /// Adds a piece; `unix_ms` is the time of the system clock. Returns whether it completed a fragment.
    pub fn handle_frame(&mut self, frame: &TsFrame, unix_ms: u64) -> bool {
        let mut completed = false;
        match self.cutter.handle_frame(&self.settings.cut, frame) {
            CutDecision::Skip => return false,
            CutDecision::Append => {}
            CutDecision::Start { ended_ms, discontinuity } => {
                completed = ended_ms.is_some_and(|ended_ms| self.complete(ended_ms));
                self.start(discontinuity, frame.dts_ms, unix_ms);
                if let Some(tables) = frame.lead() {
                    self.gather(tables);
                }
            }
        }
        self.gather(&frame.bytes);
        for timed in &frame.messages {
            self.ranges.message(timed.time_ms, &timed.message, self.open_start());
        }
        self.prune();
        completed
    }

    /// Notes which tracks the packager of the samples knows.
    pub fn learn_tracks(&mut self, packager: &Packager) {
        self.fragmenter.learn(packager);
    }

    /// Adds a data message of the publisher as timed metadata of fragmented MP4, and as a date range if it is a cue.
    pub fn event(&mut self, time_ms: u64, message: &DataMessage) {
        self.fragmenter.event(time_ms, message);
        self.ranges.message(time_ms, message, self.open_start());
    }

    /// Adds a sample of fragmented MP4; `unix_ms` is the time of the system clock. Returns whether it completed a fragment or a
    /// part.
    pub fn handle_sample(&mut self, mut sample: Sample, unix_ms: u64) -> bool {
        sample.changed |= self.open.is_some() && !self.fragmenter.takes(&sample);
        let mut completed = false;
        match self.cutter.handle_frame(&self.settings.cut, &sample) {
            CutDecision::Skip => return false,
            CutDecision::Append => {}
            CutDecision::Start { ended_ms, discontinuity } => {
                self.fragmenter.leave_sound();
                completed = ended_ms.is_some_and(|ended_ms| self.complete(ended_ms));
                self.start(discontinuity, sample.dts_ms(), unix_ms);
                self.fragmenter.begin();
            }
        }
        let (end_ms, next_ms) = (sample.end_ms(), sample.end_ms().saturating_sub(sample.dts_ms()));
        self.fragmenter.push(sample.clone());
        let since_ms = self.fragmenter.held_since_ms().unwrap_or(end_ms);
        let held_ms = end_ms.saturating_sub(since_ms);
        let is_full = self.fragmenter.leads(&sample) && held_ms + next_ms > self.part_ms();
        let ends = is_full || self.fragmenter.held_bytes() > PART_BYTES;
        // The last part ends with its fragment, so that no part behind it is announced, which would not come.
        if ends && !self.ends_fragment(&sample) {
            completed |= self.end_part(held_ms);
        }
        self.prune();
        completed
    }

    /// Completes the current fragment after its publisher left. Returns whether there was one. Players keep the
    /// existing fragments, and the next publisher continues after a discontinuity.
    pub fn finish(&mut self) -> bool {
        self.cutter.finish().is_some_and(|ended_ms| self.complete(ended_ms))
    }

    /// Sets the settings for what follows.
    pub fn configure(&mut self, settings: FragmentSettings) {
        self.settings = settings;
    }

    /// Longest part in milliseconds, with low latency; it never decreases.
    pub(super) fn part_target_ms(&self) -> Option<u64> {
        self.settings.part_ms.map(|part_ms| part_ms.max(self.longest_part_ms))
    }

    /// Target duration in seconds of a playlist with all fragments.
    pub(super) fn target_duration(&self) -> u64 {
        target_duration(self.settings.cut.fragment_ms, self.longest_ms)
    }

    /// The fragment that is being made.
    pub(super) fn open(&self) -> Option<&Fragment> {
        self.open.as_ref()
    }

    /// A part, or an initialisation segment.
    pub fn piece(&self, id: u64, piece: FragmentPiece) -> LookedUp {
        let found = match piece {
            FragmentPiece::Init => self.maps.iter().find(|(map, _)| *map == id).map(|(_, bytes)| bytes),
            FragmentPiece::Part(part) => {
                let open = self.open.as_ref().filter(|open| open.id == id);
                let part = usize::try_from(part).unwrap_or(usize::MAX);
                if self.settings.part_ms.is_some() && open.is_some_and(|open| part == open.parts.len()) {
                    return LookedUp::Awaited;
                }
                open.or_else(|| self.fragment(id).map(|fragment| &**fragment))
                    .filter(|fragment| part < fragment.parts.len())
                    .and_then(|fragment| fragment.chunks.get(part))
            }
            FragmentPiece::Ts | FragmentPiece::Mp4 => None,
        };
        found.cloned().map_or(LookedUp::Missing, LookedUp::Found)
    }

    /// Whether there is this segment, or this part of it, or something behind it; `None` if it is so far ahead that no
    /// player can know of it (rfc8216bis §6.2.5.2).
    pub fn has(&self, msn: u64, part: Option<u64>) -> Option<bool> {
        let complete = self.fragments.back().map(|last| (last.id, last.parts.len() as u64));
        let made = self.open.as_ref().map_or(0, |open| open.parts.len() as u64);
        let next = complete.map_or(0, |(id, _)| id + 1);
        if msn.saturating_sub(next) > limits::HLS2_SEGMENTS_AHEAD.saturating_sub(1) {
            return None;
        }
        let Some(part) = part else { return Some(msn < next) };
        if msn == next {
            return (part <= made.saturating_add(limits::HLS2_PARTS_AHEAD)).then_some(part < made);
        }
        // A part behind the last one of a segment is the first one of the next segment.
        let is_past = msn < next && complete.is_some_and(|(id, parts)| msn < id || part < parts || made > 0);
        Some(is_past)
    }

    /// Sizes in bytes and durations in milliseconds of the latest fragments.
    pub fn measured(&self) -> impl Iterator<Item = (u64, u64)> + Clone {
        let latest = self.fragments.iter().rev().take(MEASURED);
        latest.map(|fragment| (fragment.len as u64, fragment.duration_ms))
    }

    /// Whether there are enough fragments for a first playlist.
    pub fn is_ready(&self) -> bool {
        let is_early = self.settings.part_ms.is_some() && !self.fragments.is_empty();
        self.fragments.len() >= self.min_fragments() || self.crowded || is_early
    }

    /// The fragment with this number, if it is in the playlist or has recently left it.
    pub fn fragment(&self, id: u64) -> Option<&Arc<Fragment>> {
        let first = self.fragments.front()?.id;
        self.fragments.get(usize::try_from(id.checked_sub(first)?).ok()?)
    }

    /// Fragments in a playlist, oldest first, at most `most`.
    pub(super) fn latest(&self, most: usize) -> impl Iterator<Item = &Arc<Fragment>> {
        self.fragments.range(self.fragments.len().saturating_sub(most)..)
    }

    pub(super) fn settings(&self) -> &FragmentSettings {
        &self.settings
    }

    /// Number of fragments in a first playlist, at most as many as fit into a playlist.
    pub(super) fn min_fragments(&self) -> usize {
        self.settings.min_fragments.clamp(1, self.fitting().clamp(1, FRAGMENTS_MAX))
    }

    /// Number of fragments that fit into the length of a playlist.
    fn fitting(&self) -> usize {
        let fitting = self.settings.playlist_length_ms / self.settings.cut.fragment_ms.max(1);
        usize::try_from(fitting).unwrap_or(usize::MAX)
    }

    /// Maximum number of fragments in any playlist.
    pub(super) fn most_listed(&self) -> usize {
        self.fitting().clamp(1, FRAGMENTS_MAX)
    }

    /// Date ranges before a fragment. `is_first` tells whether it is the first one of its playlist.
    pub(super) fn date_ranges(&self, fragment: &Fragment, is_first: bool) -> Vec<String> {
        self.ranges.of(fragment.id, is_first.then_some(fragment.date_ms)).cloned().collect()
    }

    /// Whether the playlist has no room for cues, which was not asked before.
    pub(super) fn is_newly_crowded(&mut self) -> bool {
        self.ranges.is_newly_crowded()
    }

    fn open_start(&self) -> Option<SegmentStart> {
        let open = self.open.as_ref()?;
        Some(SegmentStart { segment: open.id, dts_ms: open.dts_ms, date_ms: open.date_ms })
    }

    fn start(&mut self, discontinuity: bool, dts_ms: u64, unix_ms: u64) {
        let before = self.fragments.back();
        let before_ms = before.map(|before| before.date_ms.saturating_add(before.duration_ms));
        let date_ms = SegmentStart::date_ms(before_ms, discontinuity, unix_ms);
        let discontinuity_sequence = self.discontinuities;
        self.discontinuities += u64::from(discontinuity);
        self.open = Some(Fragment {
            id: self.next_id,
            duration_ms: 0,
            discontinuity,
            discontinuity_sequence,
            map_id: None,
            parts: Vec::new(),
            dts_ms,
            date_ms,
            len: 0,
            chunks: Vec::new(),
        });
        self.next_id += 1;
        if let Some(start) = self.open_start() {
            self.ranges.opened(start);
        }
    }

    fn append(&mut self, bytes: &Bytes) {
        if let Some(open) = &mut self.open {
            open.len += bytes.len();
            open.chunks.push(bytes.clone());
        }
    }

    /// Appends packets of MPEG-TS, which are copied into chunks once instead of for each player: one write sends much.
    fn gather(&mut self, packets: &Bytes) {
        let Some(open) = &mut self.open else { return };
        open.len += packets.len();
        self.gathered.extend_from_slice(packets);
        if self.gathered.len() >= CHUNK_BYTES {
            open.chunks.push(taken(&mut self.gathered));
        }
    }

    /// Length of a part in milliseconds.
    fn part_ms(&self) -> u64 {
        self.settings.part_ms.unwrap_or(CHUNK_MS)
    }

    /// Whether the fragment ends behind this sample of the leading track.
    fn ends_fragment(&self, sample: &Sample) -> bool {
        let next = CutPiece { dts_ms: sample.end_ms(), duration_ms: 0, key: true, ..CutPiece::from(sample) };
        sample.precedes_start && self.cutter.would_start(&self.settings.cut, next)
    }

    /// Completes a part of the open fragment of fragmented MP4. Returns whether there was one.
    fn end_part(&mut self, duration_ms: u64) -> bool {
        let Some(fragment) = self.fragmenter.flush() else { return false };
        let Some(open) = &mut self.open else { return false };
        if let Some(init) = fragment.init {
            // Players must not continue with another configuration than they have.
            if !self.maps.is_empty() && !open.discontinuity {
                open.discontinuity = true;
                self.discontinuities += 1;
            }
            self.maps.push_back((open.id, init));
        }
        open.map_id = self.maps.back().map(|(id, _)| *id);
        open.parts.push(FragmentPart { duration_ms, independent: fragment.independent });
        self.longest_part_ms = self.longest_part_ms.max(duration_ms);
        self.append(&fragment.bytes);
        true
    }

    fn complete(&mut self, duration_ms: u64) -> bool {
        let made_ms = self.open.iter().flat_map(|open| &open.parts).map(|part| part.duration_ms).sum();
        self.end_part(duration_ms.saturating_sub(made_ms).max(1));
        self.longest_ms = self.longest_ms.max(duration_ms);
        let Some(mut open) = self.open.take() else { return false };
        if !self.gathered.is_empty() {
            open.chunks.push(taken(&mut self.gathered));
        }
        self.bytes += open.len;
        self.fragments.push_back(Arc::new(Fragment { duration_ms, ..open }));
        self.prune();
        self.crowded &= self.fragments.len() < self.min_fragments();
        true
    }

    /// Drops old fragments. A fragment stays for the duration of another playlist after it left the playlist, for late
    /// players (RFC 8216 §6.2.2), unless there are too many bytes.
    fn prune(&mut self) {
        let most = 2 * self.most_listed();
        while self.fragments.len() > 1 {
            if self.fragments.len() <= most {
                if self.bytes() <= self.most_bytes {
                    return;
                }
                self.crowded = true;
            }
            let Some(gone) = self.fragments.pop_front() else { return };
            self.bytes -= gone.len;
            if let Some(first) = self.fragments.front() {
                self.ranges.forget(first.id, first.date_ms);
            }
            let oldest = self.fragments.front().and_then(|first| first.map_id);
            while self.maps.len() > 1 && self.maps.front().is_some_and(|(id, _)| Some(*id) < oldest) {
                self.maps.pop_front();
            }
        }
    }
}

/// Samples of fragmented MP4 are written once they last this long together, in milliseconds, or have this many bytes.
const CHUNK_MS: u64 = 500;
const PART_BYTES: usize = 1024 * 1024;

/// Size in bytes from which packets of MPEG-TS are a chunk.
const CHUNK_BYTES: usize = 256 * 1024;

/// Takes gathered bytes, without room for more.
fn taken(gathered: &mut Vec<u8>) -> Bytes {
    std::mem::take(gathered).into_boxed_slice().into()
}

/// Maximum number of fragments in a playlist.
const FRAGMENTS_MAX: usize = 1_000;

/// Maximum size of a window in bytes, whatever `stream_backlog` is. A playlist of 30 s at 20 Mbit/s has 75 MB, and
/// twice that is kept.
const WINDOW_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Number of the largest fragments that fit into a window: three of a playlist, and the open one.
const FRAGMENTS_FIT: usize = 4;

#[cfg(test)]
pub(super) mod tests;
