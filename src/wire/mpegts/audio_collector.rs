//! Collector that puts several audio frames into one PES packet.
//!
//! An AAC frame has a few hundred bytes; alone in a PES packet, it would waste half of its last transport stream
//! packet. FLV timestamps are rounded to milliseconds, and strict players turn the rounding errors into crackle:
//! timestamps computed from the number of samples are used as long as the rounded ones stay close to them.

use super::TICKS_PER_MS;
use super::pes::AUDIO_MAX;

/// Duration of an audio frame as numbers of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLength {
    /// Samples per channel in a frame.
    pub samples: u32,
    /// Samples per channel in a second.
    pub rate: u32,
}

/// Collects the frames of one audio stream. Push frames, and take the collection when [`is_due`](Self::is_due) returns
/// true.
#[derive(Debug)]
pub struct AudioCollector {
    /// Maximum duration of a collection, in ticks.
    delay: u64,
    /// Maximum difference between given and computed timestamps that is smoothed, in ticks.
    sync: u64,
    /// Maximum number of bytes.
    capacity: usize,
    data: Vec<u8>,
    /// Timestamp of the first frame in `data`.
    pts: u64,
    counted: Option<CountedTime>,
}

/// Timestamps computed from samples since the last frame whose given timestamp was used.
#[derive(Debug)]
struct CountedTime {
    base: u64,
    samples: u64,
    rate: u32,
}

/// Contents of one PES packet.
#[derive(Debug, PartialEq, Eq)]
pub struct PesContent {
    /// Timestamp of the first frame, in ticks.
    pub pts: u64,
    /// Duration from the start of the first frame to the end of the last one, in ticks.
    pub duration: u64,
    /// The concatenated frames.
    pub data: Vec<u8>,
}

impl AudioCollector {
    /// `delay_ms` as in `mpegts_audio_delay`, `sync_ms` as in `mpegts_sync`, `capacity` as in
    /// `mpegts_audio_buffer_size`.
    pub fn new(delay_ms: u64, sync_ms: u64, capacity: usize) -> Self {
        Self {
            delay: delay_ms.saturating_mul(TICKS_PER_MS),
            // One millisecond is the rounding error of the timestamps, not drift.
            sync: sync_ms.max(1).saturating_mul(TICKS_PER_MS),
            capacity: capacity.min(AUDIO_MAX),
            data: Vec::new(),
            pts: 0,
            counted: None,
        }
    }

    /// Whether the collection must be taken before a frame of `len` bytes at `timestamp` is pushed: because it would
    /// not fit, or not follow without a gap. Only the first frame of a packet has its timestamp written.
    pub fn must_take_before(&self, timestamp: u64, len: usize) -> bool {
        !self.data.is_empty()
            && (self.data.len() + len > self.capacity || self.follow_on(timestamp).is_none())
    }

    /// Adds one frame, given in two parts, that starts at `timestamp` in ticks.
    pub fn push(&mut self, timestamp: u64, length: FrameLength, parts: [&[u8]; 2]) {
        let follow_on = self.follow_on(timestamp);
        let pts = follow_on.unwrap_or(timestamp);
        let rate = length.rate.max(1);
        match &mut self.counted {
            Some(counted) if follow_on.is_some() && counted.rate == rate => {
                counted.samples = counted.samples.saturating_add(length.samples.into());
            }
            counted => *counted = Some(CountedTime { base: pts, samples: length.samples.into(), rate }),
        }
        if self.data.is_empty() {
            self.pts = pts;
        }
        for part in parts {
            self.data.extend_from_slice(part);
        }
    }

    /// Whether the maximum duration is reached, if the latest audio timestamp is `now`.
    pub fn is_due(&self, now: u64) -> bool {
        !self.data.is_empty() && self.end().max(now).saturating_sub(self.pts) >= self.delay
    }

    /// Whether `ms` milliseconds, the time since the first frame arrived, reach the maximum duration.
    pub fn has_waited(&self, ms: u64) -> bool {
        !self.data.is_empty() && ms.saturating_mul(TICKS_PER_MS) >= self.delay
    }

    /// Whether the collection is empty.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Whether the collection lasts at least `ms` milliseconds.
    pub fn lasts(&self, ms: u64) -> bool {
        !self.data.is_empty() && self.end().saturating_sub(self.pts) >= ms * TICKS_PER_MS
    }

    /// Takes the collection, if it is not empty.
    pub fn take(&mut self) -> Option<PesContent> {
        if self.data.is_empty() {
            return None;
        }
        let duration = self.end().saturating_sub(self.pts);
        Some(PesContent { pts: self.pts, duration, data: std::mem::take(&mut self.data) })
    }

    /// Discards the sample count: the next frame's own timestamp is used.
    pub fn restart(&mut self) {
        self.counted = None;
    }

    fn end(&self) -> u64 {
        self.counted.as_ref().map_or(self.pts, CountedTime::end)
    }

    /// Computed timestamp of a frame with the given `timestamp`, if the two are close enough.
    fn follow_on(&self, timestamp: u64) -> Option<u64> {
        let end = self.counted.as_ref()?.end();
        (end.abs_diff(timestamp) <= self.sync).then_some(end)
    }
}

impl CountedTime {
    fn end(&self) -> u64 {
        let ticks = u128::from(self.samples) * 90_000 / u128::from(self.rate);
        self.base.saturating_add(u64::try_from(ticks).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AAC_44_100: FrameLength = FrameLength { samples: 1024, rate: 44_100 };

    #[test]
    fn rounded_timestamps_become_exact() {
        let mut collector = AudioCollector::new(0, 2, 1 << 20);
        let mut pts = Vec::new();
        for n in 0..1_000u64 {
            let stated = n * 1024 * 1000 / 44_100 * TICKS_PER_MS;
            collector.push(stated, AAC_44_100, [&[], &[0]]);
            pts.push(collector.take().unwrap().pts);
        }
        for (n, pts) in pts.into_iter().enumerate() {
            assert_eq!(pts, n as u64 * 1024 * 90_000 / 44_100);
        }
    }

    #[test]
    fn jump_ends_the_collection() {
        let mut collector = AudioCollector::new(300, 2, 1 << 20);
        collector.push(0, AAC_44_100, [&[], &[0]]);
        assert!(!collector.must_take_before(23 * TICKS_PER_MS, 1));
        assert!(collector.must_take_before(30 * TICKS_PER_MS, 1));
        assert!(collector.must_take_before(0, 1));
        collector.take().unwrap();
        assert!(!collector.must_take_before(0, 1), "nothing is collected");
        collector.push(0, AAC_44_100, [&[], &[0]]);
        assert_eq!(collector.take().unwrap().pts, 0);
    }

    #[test]
    fn due_after_the_delay() {
        let mut collector = AudioCollector::new(40, 2, 1 << 20);
        collector.push(0, AAC_44_100, [&[], &[0]]);
        assert!(!collector.is_due(0));
        assert!(collector.is_due(40 * TICKS_PER_MS), "the rest of the stream is that far");
        collector.push(23 * TICKS_PER_MS, AAC_44_100, [&[], &[0]]);
        assert!(collector.is_due(0), "two frames last longer");
        let collected = collector.take().unwrap();
        assert_eq!((collected.data.len(), collected.duration), (2, 2048 * 90_000 / 44_100));
        assert!(!collector.is_due(u64::MAX), "nothing is collected");
    }

    #[test]
    fn never_above_one_pes_packet() {
        let mut collector = AudioCollector::new(u64::MAX, 2, usize::MAX);
        let frame = [0; 8_000];
        let mut timestamp = 0;
        while !collector.must_take_before(timestamp, frame.len()) {
            collector.push(timestamp, AAC_44_100, [&[], &frame]);
            timestamp += 1024 * 90_000 / 44_100;
        }
        assert_eq!(collector.take().unwrap().data.len(), 64_000);
    }
}
