//! When a session stalls, without I/O.

/// The frames of a session that are not used up.
///
/// As in PingOS, a second uses up as many frames as the stream has in a second; what a player was sent beyond that, such as
/// a cached group of pictures, is its reserve.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    /// Number of frames at the last second; `None` before the first frame.
    seen: Option<u64>,
    reserve: f64,
    /// Frames per second, as far as known.
    rate: f64,
    stalls: u64,
    seconds: u64,
}

/// A second of a stall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stall {
    /// Number of stalls of the session, with this one.
    pub stalls: u64,
    /// Its seconds so far.
    pub seconds: u64,
}

impl Stalls {
    /// A second has passed. `frames` is the number of all frames so far. `rate` is the frame rate; if it is 0 or no number, the
    /// last known one holds.
    pub(super) fn second(&mut self, frames: u64, rate: f64) -> Option<Stall> {
        if rate.is_finite() && rate > 0.0 {
            self.rate = rate;
        }
        // The part of a second after the first frame uses up nothing.
        let Some(seen) = self.seen else {
            self.seen = (frames > 0).then_some(0);
            return None;
        };
        self.seen = Some(frames);
        if self.rate == 0.0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "so many frames never come in a second")]
        let more = frames.saturating_sub(seen) as f64;
        self.reserve += more - self.rate;
        if self.reserve > 0.0 {
            self.seconds = 0;
            return None;
        }
        self.reserve = 0.0;
        self.stalls += u64::from(self.seconds == 0);
        self.seconds += 1;
        Some(Stall { stalls: self.stalls, seconds: self.seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a session at 10 frames per second with these numbers of frames.
    fn said(frames: &[u64]) -> Vec<Option<(u64, u64)>> {
        let mut stalls = Stalls::default();
        let mut all = 0;
        frames
            .iter()
            .map(|more| {
                all += more;
                stalls.second(all, 10.0).map(|stall| (stall.stalls, stall.seconds))
            })
            .collect()
    }

    #[test]
    fn a_second_without_frames_is_a_stall() {
        assert_eq!(
            said(&[5, 10, 0, 0, 20, 0, 0]),
            [None, None, Some((1, 1)), Some((1, 2)), None, Some((2, 1)), Some((2, 2))]
        );
    }

    #[test]
    fn nothing_is_said_before_the_first_frame() {
        assert_eq!(said(&[0, 0, 1, 10, 10]), [None; 5]);
    }

    #[test]
    fn a_reserve_lasts() {
        assert_eq!(said(&[35, 0, 0, 0, 0]), [None, None, None, None, Some((1, 1))]);
    }

    #[test]
    fn an_unknown_rate_says_nothing_and_the_last_one_holds() {
        let mut stalls = Stalls::default();
        for (frames, rate) in [(1, 0.0), (1, f64::NAN), (1, f64::INFINITY), (1, -5.0), (1, 0.0)] {
            assert_eq!(stalls.second(frames, rate), None);
        }
        assert_eq!(stalls.second(12, 10.0), None);
        assert_eq!(stalls.second(12, 0.0), Some(Stall { stalls: 1, seconds: 1 }));
    }
}
