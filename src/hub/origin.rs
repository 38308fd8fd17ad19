//! Origin of time for players with `zero_start` and for files: one rule for both.
//!
//! - Time 0 is the lower of the first timestamps of audio and video, so that their distance stays as sent.
//! - If a track turns out to start below what was already written, everything after it moves forward by the difference:
//!   the track starts at 0, and from there the distance between the tracks is as sent.
//! - Data messages and further tracks of a kind do not influence the origin; before it, they get time 0.

use super::packet::{Lane, Packet};
use crate::wire::MediaKind;

/// A first timestamp this far below the others (12 days) is treated as ahead of them by 37 days.
const BELOW: u32 = 1 << 30;

/// Origin of time; see the module's documentation.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimeOrigin {
    at: Option<u32>,
    /// Lanes (by [`Lane::bit`]) that have begun.
    begun: u32,
}

impl TimeOrigin {
    /// An origin that is known, of tracks that have begun.
    pub fn at(timestamp: u32) -> Self {
        TimeOrigin { at: Some(timestamp), begun: MAIN }
    }

    /// Whether the origin is set.
    pub fn is_set(&self) -> bool {
        self.at.is_some()
    }

    /// Sets the origin to the timestamp of the first of `packets`, or of the first one of the other track if that is
    /// lower.
    pub fn begin<'a>(&mut self, packets: impl IntoIterator<Item = &'a Packet>) {
        let mut seen = 0;
        for packet in packets {
            let lane = packet.lane().bit();
            if lane & MAIN == 0 || packet.header().is_some() || seen & lane != 0 {
                continue;
            }
            seen |= lane;
            let first = packet.timestamp();
            if self.at.is_none_or(|at| is_below(first, at)) {
                self.at = Some(first);
            }
            if seen == MAIN {
                return;
            }
        }
    }

    /// Time of the next packet to be written, and whether it moved the time of other lanes.
    pub fn place(&mut self, packet: &Packet) -> (u32, bool) {
        let (lane, timestamp) = (packet.lane().bit(), packet.timestamp());
        let starts = self.begun & lane == 0;
        let Some(at) = self.at else {
            if lane & MAIN != 0 {
                (self.at, self.begun) = (Some(timestamp), lane);
            }
            return (0, false);
        };
        if !is_below(timestamp, at) || (!starts && lane & MAIN != 0) {
            self.begun |= lane;
            return (timestamp.wrapping_sub(at), false);
        }
        if lane & MAIN != 0 {
            (self.at, self.begun) = (Some(timestamp), self.begun | lane);
        }
        (0, lane & MAIN != 0)
    }

    /// Time of a timestamp, for headers that precede the next packet.
    pub fn time(&self, timestamp: u32) -> u32 {
        match self.at {
            Some(at) if !is_below(timestamp, at) => timestamp.wrapping_sub(at),
            _ => 0,
        }
    }
}

const MAIN: u32 = Lane::main(MediaKind::Audio).bit() | Lane::main(MediaKind::Video).bit();

fn is_below(timestamp: u32, at: u32) -> bool {
    let lack = at.wrapping_sub(timestamp);
    lack > 0 && lack <= BELOW
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::hub::packet::PacketClass;
    use MediaKind::{Audio, Data, Video};

    fn packet(kind: MediaKind, timestamp: u32) -> Packet {
        let class = match kind {
            Audio => PacketClass::Audio,
            Video => PacketClass::Key,
            Data => PacketClass::Other,
        };
        Packet::new(kind, class, timestamp, 0, Bytes::from_static(b"x"), 128)
    }

    #[test]
    fn time_begins_with_the_lower_track_whichever_comes_first() {
        for (first, second) in [(Audio, Video), (Video, Audio)] {
            let time = |kind| if kind == Video { 6_000 } else { 3_000 };
            let packets = [packet(first, time(first)), packet(second, time(second))];
            let mut origin = TimeOrigin::default();
            origin.begin(&packets);
            assert_eq!(
                packets.each_ref().map(|p| origin.place(p).0),
                [first, second].map(|k| time(k) - 3_000)
            );
        }
    }

    #[test]
    fn a_track_that_turns_out_to_be_lower_moves_the_other_one() {
        let mut origin = TimeOrigin::default();
        assert_eq!(origin.place(&packet(Video, 6_000)), (0, false));
        assert_eq!(origin.place(&packet(Data, 0)), (0, false));
        assert_eq!(origin.place(&packet(Audio, 3_000)), (0, true));
        assert_eq!(origin.place(&packet(Video, 6_040)), (3_040, false));
        assert_eq!(origin.place(&packet(Audio, 3_023)), (23, false));
    }

    #[test]
    fn timestamps_may_wrap_on_the_way_and_a_player_may_stay_for_weeks() {
        let mut origin = TimeOrigin::default();
        origin.begin(&[packet(Video, 500), packet(Audio, u32::MAX - 499)]);
        assert_eq!(origin.place(&packet(Video, 500)), (1_000, false));
        assert_eq!(origin.place(&packet(Audio, u32::MAX - 499)), (0, false));
        let far = u32::MAX - 600;
        assert_eq!(origin.place(&packet(Video, far)), (far.wrapping_add(500), false));
        let mut origin = TimeOrigin::default();
        origin.place(&packet(Video, 0));
        let weeks = 25 * 24 * 3_600_000;
        assert_eq!(origin.place(&packet(Audio, weeks)), (weeks, false));
    }
}
