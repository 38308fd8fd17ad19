//! Fragmenter: collects the samples of a segment of fragmented MP4 and writes them, fragment by fragment.
//!
//! A segment has all tracks of a stream: video with the number 1, audio with the number 2. Which tracks it has is settled
//! with its first fragment. A sample that needs another configuration waits for the next segment.

use std::sync::Arc;

use bytes::Bytes;

use crate::limits;
use crate::wire::data_message::DataMessage;
use crate::wire::fmp4::{Packager, Run, Sample, TrackConfig, fragment, id3_event, numbered_init_segment};
use crate::wire::id3::id3_tag;

/// Configurations of audio and video; `None` for a track that does not exist.
type Configs = [Option<Arc<TrackConfig>>; 2];

/// Writes the segments of one publish. Times are in milliseconds.
///
/// Ask [`takes`](Self::takes) for every sample before it is cut, call [`begin`](Self::begin) where a segment begins,
/// [`push`](Self::push) for each sample, and [`flush`](Self::flush) at the end of each fragment.
#[derive(Debug, Default)]
pub struct Fragmenter {
    /// Tracks of the current initialisation segment.
    map: Configs,
    /// Tracks of the open segment that have samples.
    open: Configs,
    /// Tracks that the packager knows.
    known: Configs,
    /// Whether the open segment has a fragment.
    settled: bool,
    /// Samples that are not written yet.
    held: [Vec<Sample>; 2],
    held_bytes: usize,
    /// Samples that need another configuration than the open segment has.
    waiting: Vec<Sample>,
    sequence: u32,
    /// Event messages for the next fragment.
    events: Vec<u8>,
    /// Number of event messages so far.
    event_count: u32,
}

/// A fragment of a segment.
#[derive(Clone, Debug)]
pub struct SegmentFragment {
    /// The initialisation segment that this segment and those after it need, where it differs from the preceding one.
    pub init: Option<Bytes>,
    /// `moof` and `mdat`.
    pub bytes: Bytes,
    /// Whether it can be decoded alone.
    pub independent: bool,
}

const AUDIO: usize = 0;
const VIDEO: usize = 1;

impl Fragmenter {
    /// Notes which tracks the packager knows, so that an initialisation segment has a track whose samples follow later.
    pub fn learn(&mut self, packager: &Packager) {
        self.known = [false, true].map(|video| packager.config(video).cloned());
    }

    /// Whether the sample can be part of the open segment.
    pub fn takes(&self, sample: &Sample) -> bool {
        let of = usize::from(sample.config.is_video());
        match &self.open[of] {
            Some(config) => *config == sample.config,
            None => !self.settled || self.map[of].as_ref() == Some(&sample.config),
        }
    }

    /// Begins a segment with the samples that waited for it.
    pub fn begin(&mut self) {
        self.open = Configs::default();
        self.settled = false;
        // Samples that wait have the configuration of the next segment, or of the current initialisation segment.
        for sample in std::mem::take(&mut self.waiting) {
            self.push(sample);
        }
    }

    /// Adds a sample of the open segment. One that the segment cannot take waits for the next one; a picture that is no
    /// key frame is left out instead, because it could not be decoded there.
    pub fn push(&mut self, sample: Sample) {
        let of = usize::from(sample.config.is_video());
        if !self.takes(&sample) {
            if of == AUDIO && self.waiting.len() < limits::DASH_WAITING_FRAMES {
                self.waiting.push(sample);
            }
            return;
        }
        self.open[of].get_or_insert_with(|| sample.config.clone());
        self.held_bytes += sample.data.len();
        self.held[of].push(sample);
    }

    /// Size of the samples that are not written yet, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Start of the samples that are not written yet: of video, unless there is none.
    pub fn held_since_ms(&self) -> Option<u64> {
        let [audio, video] = &self.held;
        video.first().or(audio.first()).map(Sample::dts_ms)
    }

    /// Whether the sample belongs to the track by which [`held_since_ms`](Self::held_since_ms) counts.
    pub fn leads(&self, sample: &Sample) -> bool {
        sample.config.is_video() || self.open[VIDEO].is_none()
    }

    /// Writes the samples that are not written yet; `None` if there are none.
    pub fn flush(&mut self) -> Option<SegmentFragment> {
        if self.held.iter().all(Vec::is_empty) {
            return None;
        }
        let init = (!std::mem::replace(&mut self.settled, true)).then(|| self.settle()).flatten();
        self.sequence = self.sequence.wrapping_add(1);
        let [audio, video] = &self.held;
        let runs = [Run { track: 1, samples: video }, Run { track: 2, samples: audio }];
        let independent = video.first().map_or(self.open[VIDEO].is_none(), |first| first.key);
        let mut bytes = fragment(self.sequence, &runs);
        if !self.events.is_empty() {
            let mut whole = std::mem::take(&mut self.events);
            whole.extend_from_slice(&bytes);
            bytes = whole.into();
        }
        self.held.iter_mut().for_each(Vec::clear);
        self.held_bytes = 0;
        Some(SegmentFragment { init, bytes, independent })
    }

    /// Adds a data message of the publisher: the next fragment has it as timed ID3 metadata, a TXXX frame with the name of the
    /// message and its values as JSON.
    pub fn event(&mut self, time_ms: u64, message: &DataMessage) {
        let tag = id3_tag(message);
        if self.events.len() + tag.len() <= limits::TIMED_METADATA_BYTES {
            self.event_count = self.event_count.wrapping_add(1);
            let event = id3_event(time_ms, self.event_count, &tag);
            self.events.extend_from_slice(&event);
        }
    }

    /// Leaves sound that is alone behind the last picture of the open segment to the next one.
    pub fn leave_sound(&mut self) {
        if self.held[VIDEO].is_empty() && self.open[VIDEO].is_some() {
            let sound = std::mem::take(&mut self.held[AUDIO]);
            self.waiting.splice(0..0, sound);
            self.held_bytes = 0;
        }
    }

    /// Makes the next segment begin with its initialisation segment, because the current one is lost.
    pub fn forget_map(&mut self) {
        self.map = Configs::default();
    }

    /// Drops what is not written, because samples are missing.
    pub fn clear(&mut self) {
        self.held.iter_mut().for_each(Vec::clear);
        self.held_bytes = 0;
        self.waiting.clear();
    }

    /// Settles the tracks of the open segment. Returns its initialisation segment, unless the current one fits.
    fn settle(&mut self) -> Option<Bytes> {
        let of = |of: usize| self.open[of].as_ref().or(self.known[of].as_ref()).or(self.map[of].as_ref());
        let wanted = [of(AUDIO).cloned(), of(VIDEO).cloned()];
        if wanted == self.map {
            return None;
        }
        self.map = wanted;
        let tracks = [(1, self.map[VIDEO].as_deref()), (2, self.map[AUDIO].as_deref())];
        let tracks: Vec<_> = tracks.into_iter().filter_map(|(id, config)| Some((id, config?))).collect();
        Some(numbered_init_segment(&tracks))
    }
}
