//! Timeline of a stream: maps the timestamps of successive publishers to one continuous timeline.
//!
//! The rules, for each of the two tracks (audio, video) separately:
//!
//! - A timestamp is compared with the newest one of the **same** track. The distance between the tracks stays as sent,
//!   however large it is and however they are interleaved.
//! - A packet up to `DISORDER` (2 s) below the newest timestamp of its track takes that timestamp: within a track time
//!   does not run backwards. A packet further below is a jump.
//! - A step forward of more than `fix_timestamp`, if set, is a jump, and so is a step that does not fit into a shared
//!   chunk header (`MAX_DELTA`, 4.6 hours). The step of a track that was silent counts only as far as it exceeds the
//!   progress of the other track in the meantime.
//! - A track that jumps continues `STEP` (40 ms) after its newest timestamp. If the other track jumped before and the
//!   same correction brings this one within `TOGETHER` (10 s) of its last position, it takes that correction, so that
//!   the distance stays as sent. If it would run backwards then, both tracks move forward by the difference.
//! - Further tracks of a kind move with its main track and keep their distance as sent, up to `TOGETHER`; a track
//!   further away takes the position of the main track.
//! - Data messages move nothing and keep their distance to the media as sent, up to `TOGETHER`. 0, which many encoders send, and a
//!   timestamp further away count as now.
//! - A new publisher continues `STEP` after the newest timestamp of the stream, with the distance between its tracks as
//!   sent.
//!
//! Steps are computed modulo 2^32, so the wrap after 49.7 days is an ordinary step.

use crate::limits::FURTHER_LANES;
use crate::wire::MediaKind;

/// Largest step that a shared chunk header can carry without an extended timestamp.
const MAX_DELTA: u32 = 0xFF_FFFE;
/// Step between the last packet of one publisher and the first of the next, and in place of a flattened jump.
const STEP: u32 = 40;
/// A timestamp at most this far below the newest of its track counts as disorder, not as a jump.
const DISORDER: u32 = 2_000;
/// Largest distance from its last position to which the other track's correction may bring a track that jumps.
const TOGETHER: u32 = 10_000;

/// Timeline, monotonic per kind, in milliseconds; see the module's documentation.
#[derive(Debug, Default)]
pub struct Timeline {
    /// By [`MediaKind`].
    tracks: [TrackClock; 3],
    /// Newest timestamps of further audio and video tracks, by lane index.
    further: [[Option<u32>; FURTHER_LANES]; 2],
    /// Newest timestamp of all kinds; `None` before the first packet.
    newest: Option<u32>,
    /// Correction of the latest jump or publisher.
    shift: u32,
    /// Number of changes of `shift`.
    turn: u64,
    jumps: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct TrackClock {
    /// Newest timestamp that this publisher sent.
    sent: Option<u32>,
    /// Newest timestamp on the timeline.
    placed: Option<u32>,
    /// Correction added (wrapping) to timestamps as sent.
    shift: u32,
    /// The `turn` of its correction.
    turn: u64,
    /// Position of the other track when this one had its latest packet.
    other: Option<u32>,
}

impl Timeline {
    /// Begins another publisher.
    pub fn start_publisher(&mut self) {
        for track in &mut self.tracks {
            track.sent = None;
        }
    }

    /// Places a packet. Returns its timestamp on the timeline and the distance from the preceding packet of the same
    /// kind.
    pub fn place(&mut self, kind: MediaKind, timestamp: u32, fix: u32) -> (u32, u32) {
        let own = kind as usize;
        let other = match kind {
            MediaKind::Audio => MediaKind::Video as usize,
            MediaKind::Video | MediaKind::Data => MediaKind::Audio as usize,
        };
        let other_track = self.tracks[other];
        let TrackClock { sent, placed, .. } = self.tracks[own];
        match sent {
            None => self.begin(own, &other_track, timestamp),
            Some(before) => {
                let step = ahead(timestamp, before);
                let meanwhile = match (other_track.placed, self.tracks[own].other) {
                    (Some(now), Some(then)) => ahead(now, then).max(0),
                    _ => 0,
                };
                // Progress of the other track in the meantime is not part of the jump.
                let step = if step > 0 { (step - meanwhile).max(0) } else { step };
                let too_far = step >= i64::from(MAX_DELTA) || (fix > 0 && step > i64::from(fix));
                if too_far || step < -i64::from(DISORDER) {
                    self.jump(own, other, timestamp);
                } else if step <= 0 && ahead(timestamp, before) < 0 {
                    // Disorder: later packets are still compared with the newest timestamp.
                    let track = &mut self.tracks[own];
                    track.other = other_track.placed;
                    return (track.placed.unwrap_or(timestamp), 0);
                }
            }
        }
        let track = &mut self.tracks[own];
        let wanted = timestamp.wrapping_add(track.shift);
        let (place, delta) = match placed {
            None => (wanted, 0),
            Some(last) => {
                // A delta header cannot express a step backwards or one beyond 24 bits.
                let delta = u32::try_from(ahead(wanted, last).max(0)).unwrap_or(0).min(MAX_DELTA);
                (last.wrapping_add(delta), delta)
            }
        };
        (track.sent, track.placed, track.other) = (Some(timestamp), Some(place), other_track.placed);
        // The progress of this track is counted from here on for the other one.
        self.tracks[other].other.get_or_insert(place);
        self.reach(place);
        (place, delta)
    }

    /// Places a packet of the further track whose lane has index `at`. Returns as [`Timeline::place`], with the
    /// distance from the preceding packet of the same lane.
    pub fn place_beside(&mut self, kind: MediaKind, at: usize, timestamp: u32) -> (u32, u32) {
        let main = self.tracks[kind as usize];
        let near = main.placed.unwrap_or(self.newest());
        // `None` until the main track of this publisher has begun.
        let apart = main.sent.map(|_| timestamp.wrapping_add(main.shift));
        let close = |wanted: &u32| ahead(*wanted, near).abs() <= i64::from(TOGETHER);
        let wanted = apart.filter(close).unwrap_or(near);
        let lanes = &mut self.further[usize::from(kind == MediaKind::Video)];
        let Some(lane) = lanes.get_mut(at) else { return (near, 0) };
        let last = lane.unwrap_or(wanted);
        let delta = u32::try_from(ahead(wanted, last).max(0)).unwrap_or(0).min(MAX_DELTA);
        let place = last.wrapping_add(delta);
        *lane = Some(place);
        self.reach(place);
        (place, delta)
    }

    /// Timestamp of a data message on the timeline.
    pub fn place_message(&self, timestamp: u32) -> u32 {
        // The first packet of a stream keeps its timestamp, and so does what comes before it.
        let Some(now) = self.newest else { return timestamp };
        let begun = [MediaKind::Video, MediaKind::Audio].map(|kind| self.tracks[kind as usize]);
        let Some(main) = begun.into_iter().find(|track| track.sent.is_some()) else { return now };
        let wanted = timestamp.wrapping_add(main.shift);
        let is_near = ahead(wanted, main.placed.unwrap_or(now)).abs() <= i64::from(TOGETHER);
        if timestamp != 0 && is_near { wanted } else { now }
    }

    fn reach(&mut self, place: u32) {
        if self.newest.is_none_or(|newest| ahead(place, newest) > 0) {
            self.newest = Some(place);
        }
    }

    /// Number of jumps that were flattened.
    pub fn jumps(&self) -> u64 {
        self.jumps
    }

    /// Newest timestamp so far.
    pub fn newest(&self) -> u32 {
        self.newest.unwrap_or(0)
    }

    /// Timestamp for a codec header of this kind: that of the newest frame of its track.
    pub fn newest_of(&self, kind: MediaKind) -> u32 {
        self.tracks[kind as usize].placed.unwrap_or(self.newest())
    }

    /// Places the first packet of a track of this publisher.
    fn begin(&mut self, own: usize, other_track: &TrackClock, timestamp: u32) {
        let last = self.tracks[own].placed;
        match (self.newest, other_track.sent) {
            // The first packet of the stream.
            (None, _) => {}
            // The other track has begun already; this one keeps its distance as sent, if possible.
            (Some(_), Some(_)) => self.join(own, other_track.shift, other_track.turn, timestamp, last),
            // The first packet of a publisher that follows another.
            (Some(newest), None) => {
                self.turn += 1;
                self.shift = newest.wrapping_add(STEP).wrapping_sub(timestamp);
                (self.tracks[own].shift, self.tracks[own].turn) = (self.shift, self.turn);
            }
        }
    }

    fn jump(&mut self, own: usize, other: usize, timestamp: u32) {
        self.jumps += 1;
        let TrackClock { placed, turn, .. } = self.tracks[own];
        let other_track = self.tracks[other];
        let last = placed.unwrap_or(timestamp);
        let with_other = ahead(timestamp.wrapping_add(other_track.shift), last);
        if other_track.turn > turn && with_other.abs() <= i64::from(TOGETHER) {
            return self.join(own, other_track.shift, other_track.turn, timestamp, placed);
        }
        self.turn += 1;
        self.shift = last.wrapping_add(STEP).wrapping_sub(timestamp);
        (self.tracks[own].shift, self.tracks[own].turn) = (self.shift, self.turn);
    }

    /// Takes the correction of the other track. If the track would run backwards then, both move forward.
    fn join(&mut self, own: usize, shift: u32, turn: u64, timestamp: u32, last: Option<u32>) {
        let track = &mut self.tracks[own];
        (track.shift, track.turn) = (shift, turn);
        let Some(last) = last else { return };
        let lack = ahead(last, timestamp.wrapping_add(shift));
        if lack <= 0 {
            return;
        }
        if lack > i64::from(TOGETHER) {
            // The tracks use different clocks: this one continues from its own position.
            track.shift = last.wrapping_add(STEP).wrapping_sub(timestamp);
            return;
        }
        let shift = shift.wrapping_add(u32::try_from(lack).unwrap_or(0)).wrapping_add(STEP);
        for track in self.tracks.iter_mut().filter(|track| track.turn == turn) {
            track.shift = shift;
        }
    }
}

/// Distance by which `a` is ahead of `b`, modulo 2^32; negative if it is behind.
fn ahead(a: u32, b: u32) -> i64 {
    i64::from(a.wrapping_sub(b).cast_signed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use MediaKind::{Audio, Video};

    #[test]
    fn ordinary_timestamps_are_kept() {
        let mut t = Timeline::default();
        assert_eq!(t.place(Video, 1000, 0), (1000, 0));
        assert_eq!(t.place(Audio, 1010, 0).0, 1010);
        assert_eq!(t.place(Video, 1040, 0), (1040, 40));
        assert_eq!(t.place(Audio, 1033, 0), (1033, 23));
    }

    proptest! {
        #[test]
        fn any_interleaving_of_monotone_tracks_passes_unchanged(
            starts in any::<(u32, u32)>(),
            steps in prop::collection::vec((any::<bool>(), 0..10_000u32), 1..200),
            fix in prop::sample::select(vec![0, 10_000]),
        ) {
            let mut t = Timeline::default();
            let mut next = [starts.0, starts.1];
            for (video, step) in steps {
                let kind = if video { Video } else { Audio };
                let timestamp = &mut next[usize::from(video)];
                *timestamp = timestamp.wrapping_add(step);
                prop_assert_eq!(t.place(kind, *timestamp, fix).0, *timestamp);
            }
        }
    }

    proptest! {
        #[test]
        fn further_tracks_pass_unchanged_within_ten_seconds_and_never_move_the_main_one(
            start in any::<u32>(),
            offsets in prop::collection::vec(-9_000..9_000i32, FURTHER_LANES),
            turns in prop::collection::vec(0..=FURTHER_LANES, 1..300),
        ) {
            let mut t = Timeline::default();
            prop_assert_eq!(t.place(Video, start, 0).0, start);
            for (n, lane) in turns.into_iter().enumerate() {
                // All tracks follow the same clock in random order.
                let now = start.wrapping_add(n as u32 * 3);
                match lane.checked_sub(1) {
                    None => prop_assert_eq!(t.place(Video, now, 0).0, now),
                    Some(at) => {
                        let own = now.wrapping_add_signed(offsets[at]);
                        prop_assert_eq!(t.place_beside(Video, at, own).0, own);
                    }
                }
            }
        }
    }

    #[test]
    fn a_further_track_far_away_stands_with_the_main_one_and_length_stays() {
        let mut t = Timeline::default();
        for n in 0..150u32 {
            let main = t.place(Audio, 100_000 + n * 20, 0).0;
            assert_eq!(main, 100_000 + n * 20);
            assert_eq!(t.place_beside(Audio, 0, n * 20).0, main);
            assert_eq!(t.place_beside(Audio, 1, 3_000_000 + n * 20).0, main);
        }
        // It moves with a main track that restarts.
        assert_eq!(t.place(Audio, 5_000, 0).0, 103_020);
        assert_eq!(t.place_beside(Audio, 0, 5_001).0, 103_021);
    }

    #[test]
    fn tracks_on_different_clocks_keep_their_distance_and_their_length() {
        for apart in [3_000, 16_860, 5_000_000] {
            let mut t = Timeline::default();
            let (mut audio, mut video) = (Vec::new(), Vec::new());
            for n in 0..150u32 {
                video.push(t.place(Video, 3_000 + apart + n * 40, 10_000).0);
                audio.push(t.place(Audio, 3_000 + n * 40, 10_000).0);
            }
            assert_eq!(video.last().unwrap() - video[0], 149 * 40);
            assert!(audio.iter().zip(&video).all(|(a, v)| v - a == apart));
        }
    }

    #[test]
    fn a_burst_of_late_video_is_no_jump() {
        let mut t = Timeline::default();
        t.place(Video, 0, 10_000);
        for n in 0..150 {
            assert_eq!(t.place(Audio, n * 20, 10_000).0, n * 20);
        }
        for n in 1..75 {
            assert_eq!(t.place(Video, n * 40, 10_000).0, n * 40);
        }
    }

    #[test]
    fn a_silent_track_catches_up_with_the_other() {
        let mut t = Timeline::default();
        t.place(Video, 0, 10_000);
        for n in 0..600 {
            t.place(Audio, n * 100, 10_000);
        }
        assert_eq!(t.place(Video, 60_000, 10_000).0, 60_000);
    }

    #[test]
    fn both_tracks_move_together_when_both_jump() {
        let mut t = Timeline::default();
        t.place(Video, 106_000, 0);
        t.place(Audio, 103_000, 0);
        assert_eq!(t.place(Video, 3_000, 0), (106_040, 40));
        assert_eq!(t.place(Audio, 23, 0).0, 103_063);
        assert_eq!(t.place(Video, 3_040, 0), (106_080, 40));
        // A track that jumps alone leaves the other one in place.
        t.place(Audio, 90_000, 10_000);
        assert_eq!(t.place(Video, 3_080, 10_000), (106_120, 40));
    }

    #[test]
    fn a_new_publisher_continues_the_timeline() {
        let mut t = Timeline::default();
        t.place(Video, 90_000, 0);
        t.place(Audio, 90_010, 0);
        t.start_publisher();
        assert_eq!(t.place(Video, 6_000, 0).0, 90_050);
        // The audio is three seconds below: both move forward.
        let audio = t.place(Audio, 3_000, 0).0;
        let video = t.place(Video, 6_040, 0).0;
        assert!(audio > 90_010);
        assert_eq!(video - audio, 3_040);
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
    fn creeping_backwards_does_not_hold_a_track_for_ever() {
        let mut t = Timeline::default();
        let placed: Vec<_> = (0..20).map(|n| t.place(Video, 100_000 - n * 500, 0).0).collect();
        assert!(placed.last().unwrap() - placed[0] >= 3 * STEP);
    }

    #[test]
    fn a_delta_never_needs_an_extended_timestamp() {
        let mut t = Timeline::default();
        t.place(Video, 0, 0);
        assert_eq!(t.place(Video, 0x7000_0000, 0), (40, 40));
    }

    #[test]
    fn a_data_message_keeps_its_distance_to_the_media_and_moves_nothing() {
        let mut t = Timeline::default();
        assert_eq!(t.place_message(70_000), 70_000);
        t.place(Video, 60_000, 0);
        t.place(Audio, 60_500, 0);
        for (sent, placed) in
            [(60_100, 60_100), (59_000, 59_000), (69_000, 69_000), (70_001, 60_500), (0, 60_500)]
        {
            assert_eq!(t.place_message(sent), placed, "{sent}");
        }
        // It moves with the publisher.
        t.start_publisher();
        assert_eq!(t.place_message(500), 60_500);
        assert_eq!(t.place(Video, 1_000, 0).0, 60_540);
        assert_eq!(t.place_message(1_200), 60_740);
        assert_eq!(t.place(Video, 1_040, 0).0, 60_580);
    }

    #[test]
    fn wraps_at_32_bits() {
        let mut t = Timeline::default();
        t.place(Video, u32::MAX - 10, 0);
        assert_eq!(t.place(Video, 29, 0), (29, 40));
    }
}
