//! Several audio frames in one PES packet.
//!
//! A frame of AAC has a few hundred bytes; alone in a PES packet it would waste half of its last
//! transport stream packet. FLV timestamps are rounded to milliseconds, so their sum of roundings is heard
//! as a crackle by strict players: while the timestamps stay near the ones counted by samples, the counted
//! ones are used.

use super::TICKS_PER_MS;
use super::pes::AUDIO_MAX;

/// Samples of a frame and samples per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLength {
    /// Samples per channel in one frame.
    pub samples: u32,
    /// Samples per channel in one second.
    pub rate: u32,
}

/// Collects the frames of one audio stream. Push, and take whenever [`is_due`](Self::is_due) says so.
#[derive(Debug)]
pub struct AudioCollector {
    /// Longest time collected before it is due, in ticks.
    delay: u64,
    /// Largest difference between stated and counted timestamps that is smoothed away, in ticks.
    sync: u64,
    /// Most bytes collected.
    capacity: usize,
    data: Vec<u8>,
    /// Timestamp of the first frame in `data`.
    pts: u64,
    counted: Option<Counted>,
}

/// Timestamps as counted by samples, from the last frame whose own timestamp was taken.
#[derive(Debug)]
struct Counted {
    base: u64,
    samples: u64,
    rate: u32,
}

/// The content of one PES packet.
#[derive(Debug, PartialEq, Eq)]
pub struct Collected {
    /// Timestamp of the first frame, in ticks.
    pub pts: u64,
    /// From the first frame's start to the last one's end, in ticks.
    pub duration: u64,
    /// The frames, one behind the other.
    pub data: Vec<u8>,
}

impl AudioCollector {
    /// `delay_ms` as in `mpegts_audio_delay`, `sync_ms` as in `mpegts_sync`, `capacity` as in
    /// `mpegts_audio_buffer_size`.
    pub fn new(delay_ms: u64, sync_ms: u64, capacity: usize) -> Self {
        Self {
            delay: delay_ms.saturating_mul(TICKS_PER_MS),
            // A millisecond is the rounding of the timestamps and no drift.
            sync: sync_ms.max(1).saturating_mul(TICKS_PER_MS),
            capacity: capacity.min(AUDIO_MAX),
            data: Vec::new(),
            pts: 0,
            counted: None,
        }
    }

    /// Whether what is collected must be taken before a frame of `len` bytes at `timestamp` can be pushed:
    /// it would not fit, or not follow without a gap, and only the first frame of a packet has its
    /// timestamp written.
    pub fn must_take_before(&self, timestamp: u64, len: usize) -> bool {
        !self.data.is_empty()
            && (self.data.len() + len > self.capacity || self.follow_on(timestamp).is_none())
    }

    /// Adds one frame, given in parts, that starts at `timestamp` in ticks.
    pub fn push(&mut self, timestamp: u64, length: FrameLength, parts: [&[u8]; 2]) {
        let follow_on = self.follow_on(timestamp);
        let pts = follow_on.unwrap_or(timestamp);
        let rate = length.rate.max(1);
        match &mut self.counted {
            Some(counted) if follow_on.is_some() && counted.rate == rate => {
                counted.samples = counted.samples.saturating_add(length.samples.into());
            }
            counted => *counted = Some(Counted { base: pts, samples: length.samples.into(), rate }),
        }
        if self.data.is_empty() {
            self.pts = pts;
        }
        for part in parts {
            self.data.extend_from_slice(part);
        }
    }

    /// Whether the longest delay is reached, when the latest timestamp of audio is `now`.
    pub fn is_due(&self, now: u64) -> bool {
        !self.data.is_empty() && self.end().max(now).saturating_sub(self.pts) >= self.delay
    }

    /// Whether the longest delay is reached by the time that passed since the first frame of it came.
    pub fn has_waited(&self, ms: u64) -> bool {
        !self.data.is_empty() && ms.saturating_mul(TICKS_PER_MS) >= self.delay
    }

    /// Whether nothing is collected.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Whether at least this time is collected.
    pub fn lasts(&self, ms: u64) -> bool {
        !self.data.is_empty() && self.end().saturating_sub(self.pts) >= ms * TICKS_PER_MS
    }

    /// What is collected, if anything. The collector is empty afterwards.
    pub fn take(&mut self) -> Option<Collected> {
        if self.data.is_empty() {
            return None;
        }
        let duration = self.end().saturating_sub(self.pts);
        Some(Collected { pts: self.pts, duration, data: std::mem::take(&mut self.data) })
    }

    /// Forgets the count of samples: the next frame's own timestamp is taken.
    pub fn restart(&mut self) {
        self.counted = None;
    }

    fn end(&self) -> u64 {
        self.counted.as_ref().map_or(self.pts, Counted::end)
    }

    /// The counted timestamp of a frame stated to start at `timestamp`, if the two are near enough.
    fn follow_on(&self, timestamp: u64) -> Option<u64> {
        let end = self.counted.as_ref()?.end();
        (end.abs_diff(timestamp) <= self.sync).then_some(end)
    }
}

impl Counted {
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
