//! The time line of the manifest, which stays at the time of day.

use crate::limits;
use crate::wire::fmp4::Sample;

/// Moves samples of a publisher, whose clock may be wrong, to the time of day.
///
/// - Media that is late by more than [`limits::DASH_DRIFT`] has paused, or its clock is slow: it goes on at the time of day, in a
///   new period.
/// - Media that is early keeps its times, since a period cannot begin before the end of the preceding one; the manifest tells
///   (`availabilityTimeOffset`). Where it becomes ever earlier because its clock is fast, pictures are shown a little longer and now
///   and then a packet of sound is left out, so that it stays near that bound. A publisher that sends faster than
///   players play is left alone.
#[derive(Debug, Default)]
pub(super) struct TimeOfDay {
    /// What is added to a sample's time at `since_us`, in microseconds.
    offset_us: i64,
    since_us: i64,
    /// By how much it is slower than the publisher's time line from there on, in millionths.
    slower: i64,
    /// By how much the media is ahead of the time of day, in microseconds; `None` before the first segment.
    ahead_us: Option<i64>,
    /// Whether it was slower once, so that sound has to be fitted.
    was_slower: bool,
    /// Where the sound before ends, and its time scale.
    sound_end: Option<(u64, u32)>,
}

impl TimeOfDay {
    /// By how much the media is ahead of the time of day, in milliseconds.
    pub(super) fn ahead_ms(&self) -> u64 {
        u64::try_from(self.ahead_us.unwrap_or(0) / 1_000).unwrap_or(0)
    }

    /// Compares the first sample of a segment with the time of day in milliseconds. Returns whether the time line makes a jump.
    pub(super) fn follow(&mut self, sample: &Sample, now_ms: u64) -> bool {
        let (at_us, now_us) = (micros(sample.dts, sample.config.timescale), micros(now_ms, 1_000));
        let drift_us = i64::try_from(limits::DASH_DRIFT.as_micros()).unwrap_or(i64::MAX);
        let length_us = at_us.saturating_sub(self.since_us).max(0);
        let slowed_us = self.slowed_us(at_us);
        self.offset_us = self.offset_us.saturating_sub(slowed_us);
        self.since_us = at_us;
        let late_us = now_us.saturating_sub(at_us.saturating_add(self.offset_us));
        let jumps = late_us > drift_us;
        if jumps {
            self.offset_us = self.offset_us.saturating_add(late_us);
        }
        let ahead_us = if jumps { 0 } else { late_us.saturating_neg() };
        let grown_us = ahead_us.saturating_sub(self.ahead_us.replace(ahead_us).unwrap_or(ahead_us));
        // By how much it would have become earlier: a clock's error is small.
        let is_clock = grown_us.saturating_add(slowed_us) <= length_us / FAST;
        let excess_us = ahead_us.saturating_sub(drift_us).max(0);
        self.slower = if is_clock { (excess_us / SOON).min(limits::DASH_SLOWER) } else { 0 };
        self.was_slower |= self.slower > 0;
        jumps
    }

    /// Gives a sample its time and duration. Returns whether it has a place: some sound has none while the time line is slower.
    pub(super) fn apply(&mut self, sample: &mut Sample) -> bool {
        let timescale = sample.config.timescale;
        let end = sample.dts.saturating_add(sample.duration.into());
        let mut at = self.moved(sample.dts, timescale);
        if sample.config.is_video() {
            if self.was_slower {
                let duration = self.moved(end, timescale).saturating_sub(at).max(1);
                sample.duration = u32::try_from(duration).unwrap_or(sample.duration);
            }
        } else {
            // A decoder makes as much sound of a packet as it always does, so packets follow one another.
            let half = u64::from(sample.duration) / 2;
            if self.was_slower
                && let Some((before, scale)) = self.sound_end
                && scale == timescale
                && at < before.saturating_add(half)
            {
                if at.saturating_add(half) < before {
                    return false;
                }
                at = before;
            }
            self.sound_end = Some((at.saturating_add(sample.duration.into()), timescale));
        }
        sample.dts = at;
        true
    }

    fn moved(&self, ticks: u64, timescale: u32) -> u64 {
        let at_us = micros(ticks, timescale);
        let by_us = self.offset_us.saturating_sub(self.slowed_us(at_us));
        let by = i128::from(by_us) * i128::from(timescale) / 1_000_000;
        u64::try_from(i128::from(ticks) + by).unwrap_or(0)
    }

    /// What the time line has lost between `since_us` and this time.
    fn slowed_us(&self, at_us: i64) -> i64 {
        let since_us = i128::from(at_us.saturating_sub(self.since_us));
        i64::try_from(since_us * i128::from(self.slower) / 1_000_000).unwrap_or(0)
    }
}

fn micros(ticks: u64, timescale: u32) -> i64 {
    i64::try_from(u128::from(ticks) * 1_000_000 / u128::from(timescale.max(1))).unwrap_or(i64::MAX)
}

/// What is too early is made up for within about so many microseconds, by millionths.
const SOON: i64 = 20;

/// A publisher that gains more than one part in so many is not one with a wrong clock.
const FAST: i64 = 10;
