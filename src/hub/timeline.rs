//! Turns the timestamps of one publisher after the other into one timeline per stream.

use crate::wire::MediaKind;

/// Largest step a shared chunk header can carry without an extended timestamp.
const MAX_DELTA: u32 = 0xFF_FFFE;
/// Step that is put between the last packet of one publisher and the first of the next, and in place of a
/// jump that is flattened.
const STEP: u32 = 40;
/// A timestamp this far below its predecessor counts as disorder between tracks, not as a jump.
const DISORDER: u32 = 2_000;

/// Monotonic per kind, in milliseconds.
///
/// Timestamps of a publisher are kept as they are, except that backward jumps and, where `fix` is set,
/// forward jumps above it are flattened (the original's `fix_timestamp`), and that a new publisher continues
/// where the last one ended.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Added (wrapping) to a publisher's timestamp.
    shift: u32,
    /// Newest timestamp over all kinds; `None` before the first packet.
    newest: Option<u32>,
    /// Newest timestamp per kind.
    last: [u32; 3],
    /// The next packet is the first of a new publisher.
    joint: bool,
}

impl Timeline {
    /// The next packet comes from another publisher.
    pub fn start_publisher(&mut self) {
        self.joint = true;
    }

    /// Places a packet. Returns its timestamp on the timeline and the distance from the packet before of the
    /// same kind.
    pub fn place(&mut self, kind: MediaKind, timestamp: u32, fix: u32) -> (u32, u32) {
        let slot = &mut self.last[kind as usize];
        let Some(newest) = self.newest else {
            self.newest = Some(timestamp);
            self.last = [timestamp; 3];
            self.joint = false;
            return (timestamp, 0);
        };
        let mut placed = timestamp.wrapping_add(self.shift);
        let ahead = placed.wrapping_sub(newest);
        let behind = newest.wrapping_sub(placed);
        let forward = ahead < u32::MAX / 2;
        let jump = if forward { ahead >= MAX_DELTA || (fix > 0 && ahead > fix) } else { behind > DISORDER };
        if self.joint || jump {
            placed = newest.wrapping_add(STEP);
            self.shift = placed.wrapping_sub(timestamp);
            self.joint = false;
        }
        // Within a track time never runs backwards: a delta header cannot say so.
        let delta = placed.wrapping_sub(*slot);
        let delta = if delta > u32::MAX / 2 { 0 } else { delta.min(MAX_DELTA) };
        *slot = slot.wrapping_add(delta);
        let placed = *slot;
        if placed.wrapping_sub(newest) < u32::MAX / 2 {
            self.newest = Some(placed);
        }
        (placed, delta)
    }

    /// Newest timestamp placed so far.
    pub fn newest(&self) -> u32 {
        self.newest.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MediaKind::{Audio, Video};

    #[test]
    fn ordinary_timestamps_are_kept() {
        let mut t = Timeline::default();
        assert_eq!(t.place(Video, 1000, 0), (1000, 0));
        assert_eq!(t.place(Audio, 1010, 0), (1010, 10));
        assert_eq!(t.place(Video, 1040, 0), (1040, 40));
        assert_eq!(t.place(Audio, 1033, 0), (1033, 23));
    }

    #[test]
    fn a_new_publisher_continues_the_timeline() {
        let mut t = Timeline::default();
        t.place(Video, 90_000, 0);
        t.start_publisher();
        assert_eq!(t.place(Video, 0, 0), (90_040, 40));
        assert_eq!(t.place(Video, 40, 0), (90_080, 40));
    }

    #[test]
    fn backward_jumps_are_flattened_and_forward_ones_only_when_asked() {
        let mut t = Timeline::default();
        t.place(Video, 100_000, 0);
        assert_eq!(t.place(Video, 5, 0), (100_040, 40));
        assert_eq!(t.place(Video, 60_005, 0), (160_040, 60_000));
        assert_eq!(t.place(Video, 90_005, 10_000), (160_080, 40));
    }

    #[test]
    fn a_delta_never_needs_an_extended_timestamp() {
        let mut t = Timeline::default();
        t.place(Video, 0, 0);
        assert_eq!(t.place(Video, 0x7000_0000, 0), (40, 40));
    }

    #[test]
    fn wraps_at_32_bits() {
        let mut t = Timeline::default();
        t.place(Video, u32::MAX - 10, 0);
        assert_eq!(t.place(Video, 29, 0), (29, 40));
    }
}
