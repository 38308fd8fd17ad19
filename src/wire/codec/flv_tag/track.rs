//! Tracks of one kind in a stream.

/// Set of track ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackSet([u64; 4]);

impl TrackSet {
    /// Adds a track.
    #[must_use]
    pub fn with(mut self, track: u8) -> Self {
        self.0[usize::from(track >> 6)] |= 1 << (track & 63);
        self
    }

    /// Union of two sets.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        TrackSet(std::array::from_fn(|n| self.0[n] | other.0[n]))
    }

    /// Whether the set contains all tracks of `other`.
    pub fn covers(self, other: Self) -> bool {
        self.union(other) == self
    }

    /// Whether the sets have a track in common.
    pub fn meets(self, other: Self) -> bool {
        self.0.iter().zip(other.0).any(|(own, other)| own & other != 0)
    }

    /// Number of tracks.
    pub fn count(self) -> usize {
        self.0.iter().map(|bits| bits.count_ones() as usize).sum()
    }
}

/// The track that represents its kind where only one can be used: track 0, which Enhanced RTMP recommends as the
/// default track, otherwise the first one that arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MainTrack(Option<u8>);

impl MainTrack {
    /// Whether a track that arrives now is the main one.
    pub fn is(&mut self, track: u8) -> bool {
        if track == 0 {
            self.0 = Some(0);
        }
        *self.0.get_or_insert(track) == track
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_all_ids() {
        let ends = TrackSet::default().with(0).with(255);
        assert_eq!((ends.count(), ends.with(64).with(63).count()), (2, 4));
        assert!(ends.covers(TrackSet::default().with(255)) && !ends.covers(TrackSet::default().with(1)));
        assert!(ends.meets(TrackSet::default().with(0).with(7)) && !ends.meets(TrackSet::default().with(64)));
    }

    #[test]
    fn track_zero_is_the_main_one_as_soon_as_it_comes() {
        let mut main = MainTrack::default();
        assert_eq!([3, 2, 3, 0, 3].map(|track| main.is(track)), [true, false, true, true, false]);
    }
}
