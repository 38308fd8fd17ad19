//! When media leaves: at once, or collected for a while so that many packets cost one send.
//!
//! What fan-out costs is the number of sends. A player that waits is sent everything at fixed moments, one
//! `delay` apart. Its phase shifts these moments, and players are spread over [`PHASES`] of them, so that a
//! worker does not stand still first and then sends to all players in a row.
//!
//! ```text
//! phase 0  |---------------|---------------|      delay: from | to |
//! phase 1    |---------------|---------------|
//! phase 2      |---------------|---------------|
//! ```
//!
//! Times are handed in, so that tests need no clock.

use std::time::{Duration, Instant};

use crate::limits;

/// Moments within one delay at which some of the players are served.
pub const PHASES: usize = 8;

/// What some players have not been sent yet, as far as it decides whether they can go on waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    packets: usize,
    bytes: usize,
    /// Codec headers or metadata are among it.
    header: bool,
}

/// When the players of one phase are served next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Schedule {
    /// `None` while nothing waits.
    due: Option<Instant>,
    /// The moment of the phase that was served last, or will be next; served early, it may be yet to come.
    moment: Option<Instant>,
}

/// The moments at which workers send to waiting players.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    origin: Instant,
}

/// Measures how busy a worker is.
#[derive(Clone, Copy, Debug)]
pub struct LoadMeter {
    since: Instant,
    busy: Duration,
}

/// The delay of `send_delay auto`: longer while the worker is busy, shorter while it is not.
///
/// A longer delay makes fewer sends and therefore less load, so the two bounds are further apart than one step
/// can move the load: between them the delay stays as it is and does not swing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AutoDelay {
    delay: Duration,
}

impl Waiting {
    /// Adds a packet of that many payload bytes.
    pub fn add(&mut self, bytes: usize, header: bool) {
        self.packets += 1;
        self.bytes += bytes;
        self.header |= header;
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.packets == 0
    }

    /// Whether it has to go now, whatever the delay.
    pub fn is_due(&self) -> bool {
        self.header || self.bytes >= limits::BATCH_BYTES || self.packets >= limits::WRITE_SLICES
    }
}

/// How far apart the moments of `delay` are, all phases taken together.
pub fn step(delay: Duration) -> Duration {
    delay / PHASES as u32
}

impl Schedule {
    /// Whether it is time.
    pub fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Whether that is the moment it waits for.
    pub fn is_at(&self, due: Instant) -> bool {
        self.due == Some(due)
    }

    /// What waits goes now.
    pub fn hurry(&mut self, now: Instant) {
        self.due = Some(now);
    }

    /// Everything has been sent.
    pub fn served(&mut self) {
        self.due = None;
    }

    /// What waits goes at the next moment of `phase`, at most `delay` after it came. Where something has just
    /// `arrived` and that moment is at most the distance of two phases away, now: sent along, it needs no wake-up of its own.
    /// Returns a moment at which nobody else wakes the worker.
    pub fn wait(
        &mut self,
        grid: &Grid,
        phase: usize,
        delay: Duration,
        now: Instant,
        arrived: bool,
    ) -> Option<Instant> {
        let step = step(delay);
        let known = self.due;
        let due = known.unwrap_or_else(|| {
            let after = self.moment.map_or(now, |moment| moment.max(now));
            let moment = grid.due(phase, delay, after);
            self.moment = Some(moment);
            moment.min(now + delay)
        });
        if arrived && self.moment.is_some_and(|moment| moment <= now + step) {
            self.due = Some(now);
            return None;
        }
        self.due = Some(due);
        known.is_none().then_some(due)
    }
}

impl Grid {
    /// `origin` is any moment that is not later than those asked about.
    pub fn new(origin: Instant) -> Self {
        Grid { origin }
    }

    /// The next of the moments that are [`step`] apart, at most `limit` away. All of them are among these.
    pub fn next(&self, mut step: Duration, limit: Duration, now: Instant) -> Instant {
        while step > limit {
            step /= 2;
        }
        self.due(0, step, now)
    }

    /// When a player of `phase` is sent what came at `now`: later than `now`, at most `delay` later. At once without
    /// a delay.
    pub fn due(&self, phase: usize, delay: Duration, now: Instant) -> Instant {
        let step = delay.as_nanos();
        if step == 0 {
            return now;
        }
        let elapsed = now.saturating_duration_since(self.origin).as_nanos();
        let shift = step * (phase % PHASES) as u128 / PHASES as u128;
        // Counted from one delay before the origin, so that nothing is negative.
        let past = (elapsed + step - shift) % step;
        now + Duration::from_nanos(u64::try_from(step - past).unwrap_or(u64::MAX))
    }
}

impl LoadMeter {
    /// Time over which load is measured.
    const WINDOW: Duration = Duration::from_millis(100);

    /// Begins at `now`, when the worker has been busy for `busy` altogether.
    pub fn new(now: Instant, busy: Duration) -> Self {
        LoadMeter { since: now, busy }
    }

    /// Once per window: the share of its time that the worker was busy, 0 to 1. `busy` is counted as in
    /// [`LoadMeter::new`].
    pub fn sample(&mut self, now: Instant, busy: Duration) -> Option<f64> {
        let window = now.saturating_duration_since(self.since);
        if window < Self::WINDOW {
            return None;
        }
        let share = busy.saturating_sub(self.busy).as_secs_f64() / window.as_secs_f64();
        *self = LoadMeter { since: now, busy };
        Some(share.min(1.0))
    }
}

impl AutoDelay {
    /// Load above which the delay grows.
    const BUSY: f64 = 0.6;
    /// Load below which it shrinks. A step changes load by [`AutoDelay::GROWTH`] at most, which must not lead from one
    /// bound to the other.
    const IDLE: f64 = 0.3;
    /// What the delay is multiplied with to grow, and divided by to shrink.
    const GROWTH: f64 = 1.5;
    /// The first delay, and the one below which there is none.
    const LEAST: Duration = Duration::from_millis(5);

    /// Adapts to the load of a window. `max` is the longest delay that anybody allows.
    pub fn adapt(&mut self, load: f64, max: Duration) {
        if load > Self::BUSY {
            self.delay = self.delay.mul_f64(Self::GROWTH).max(Self::LEAST);
        } else if load < Self::IDLE {
            self.delay = self.delay.div_f64(Self::GROWTH);
            if self.delay < Self::LEAST {
                self.delay = Duration::ZERO;
            }
        }
        self.delay = self.delay.min(max);
    }

    /// The delay now.
    pub fn delay(&self) -> Duration {
        self.delay
    }
}

const _: () = assert!(AutoDelay::IDLE * AutoDelay::GROWTH < AutoDelay::BUSY);

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_comes_waits_for_the_next_moment_of_its_phase() {
        let origin = Instant::now();
        let grid = Grid::new(origin);
        let due = |phase, at: u32| (grid.due(phase, 40 * MS, origin + at * MS) - origin).as_millis();
        assert_eq!([due(0, 0), due(0, 1), due(0, 39), due(0, 40)], [40, 40, 40, 80]);
        assert_eq!([due(3, 0), due(3, 14), due(3, 15), due(3, 16)], [15, 15, 55, 55]);
    }

    #[test]
    fn nothing_waits_longer_than_the_delay_and_phases_are_apart() {
        let origin = Instant::now();
        let grid = Grid::new(origin);
        for delay in [MS, 5 * MS, 40 * MS, 333 * MS] {
            for at in (0..5000).step_by(7) {
                let now = origin + Duration::from_micros(at * 100);
                let dues: std::collections::BTreeSet<Instant> =
                    (0..PHASES).map(|phase| grid.due(phase, delay, now)).collect();
                assert_eq!(dues.len(), PHASES);
                assert!(dues.iter().all(|due| *due > now && *due <= now + delay));
            }
        }
    }

    #[test]
    fn moments_to_read_at_are_those_of_all_phases() {
        let origin = Instant::now();
        let grid = Grid::new(origin);
        let now = origin + 1001 * MS;
        for (delay, limit, apart) in [(400 * MS, 50 * MS, 50 * MS), (1600 * MS, 150 * MS, 100 * MS)] {
            let mut moments = vec![grid.next(step(delay), limit, now)];
            while moments.len() < 32 {
                moments.push(grid.next(step(delay), limit, moments[moments.len() - 1]));
            }
            assert!(moments[0] > now && moments[0] <= now + apart);
            assert!(moments.windows(2).all(|pair| pair[1] - pair[0] == apart));
            assert!((0..PHASES).all(|phase| moments.contains(&grid.due(phase, delay, now))), "{delay:?}");
        }
        assert_eq!(grid.next(Duration::ZERO, MS, now), now);
    }

    /// 68 packets a second, as 25 pictures and 43 pieces of audio make, at `delay`: how often was sent, how often
    /// the worker was woken for it, and the longest wait.
    fn sent(phase: usize, delay: Duration) -> (usize, usize, Duration) {
        let origin = Instant::now();
        let grid = Grid::new(origin);
        let mut schedule = Schedule::default();
        let (mut sends, mut woken, mut longest) = (0, 0, Duration::ZERO);
        let (mut first, mut timers) = (None, 0);
        for tick in 0..10_000u32 {
            let now = origin + tick * MS;
            let arrived = tick % 40 == 0 || tick % 23 == 7;
            if arrived {
                first.get_or_insert(now);
                timers += usize::from(schedule.wait(&grid, phase, delay, now, true).is_some());
            }
            if schedule.is_due(now) {
                woken += usize::from(!arrived);
                sends += 1;
                longest = longest.max(now - first.take().unwrap());
                schedule.served();
            }
        }
        assert!(woken <= timers && timers <= sends + 1, "{woken}, {timers}, {sends}");
        (sends, woken, longest)
    }

    #[test]
    fn a_moment_that_is_near_takes_what_arrives_along() {
        for delay in [40 * MS, 100 * MS, 350 * MS] {
            let most = 10_000usize.div_ceil(delay.as_millis() as usize) + 1;
            let (mut sends, mut woken) = (0, 0);
            for phase in 0..PHASES {
                let (sent, alone, longest) = sent(phase, delay);
                assert!(longest <= delay && sent <= most, "{sent} of {most}, {longest:?}");
                (sends, woken) = (sends + sent, woken + alone);
            }
            assert!(woken * 4 < sends * 3, "{woken} of {sends} at {delay:?}");
        }
    }

    #[test]
    fn without_a_delay_everything_goes_at_once() {
        let now = Instant::now();
        assert_eq!(Grid::new(now).due(5, Duration::ZERO, now + MS), now + MS);
    }

    #[test]
    fn headers_and_full_batches_do_not_wait() {
        let mut waiting = Waiting::default();
        assert!(waiting.is_empty() && !waiting.is_due());
        waiting.add(1000, false);
        assert!(!waiting.is_empty() && !waiting.is_due());
        let mut with_header = waiting;
        with_header.add(40, true);
        assert!(with_header.is_due());
        let mut large = waiting;
        large.add(limits::BATCH_BYTES - 1000, false);
        assert!(large.is_due());
        for _ in 1..limits::WRITE_SLICES {
            waiting.add(1, false);
        }
        assert!(waiting.is_due());
    }

    #[test]
    fn load_is_the_busy_share_of_a_window() {
        let start = Instant::now();
        let mut meter = LoadMeter::new(start, 3 * MS);
        assert_eq!(meter.sample(start + 99 * MS, 50 * MS), None);
        assert_eq!(meter.sample(start + 100 * MS, 53 * MS), Some(0.5));
        assert_eq!(meter.sample(start + 300 * MS, 53 * MS), Some(0.0));
    }

    #[test]
    fn the_delay_grows_under_load_up_to_its_bound_and_goes_again() {
        let mut auto = AutoDelay::default();
        auto.adapt(0.2, 100 * MS);
        assert_eq!(auto.delay(), Duration::ZERO);
        let mut grown = Vec::new();
        for _ in 0..12 {
            auto.adapt(0.9, 100 * MS);
            grown.push(auto.delay());
        }
        assert!(grown.is_sorted() && grown[0] == 5 * MS);
        assert_eq!(grown.last(), Some(&(100 * MS)));
        auto.adapt(0.45, 100 * MS);
        assert_eq!(auto.delay(), 100 * MS);
        for _ in 0..12 {
            auto.adapt(0.1, 100 * MS);
        }
        assert_eq!(auto.delay(), Duration::ZERO);
    }

    /// A worker whose load is half fixed and half by the number of sends, as a batch every `delay` makes them.
    #[test]
    fn the_delay_settles_under_steady_load() {
        let mut auto = AutoDelay::default();
        let mut delays = Vec::new();
        for _ in 0..100 {
            let gap = auto.delay().max(15 * MS);
            auto.adapt(0.2 + 0.7 * 0.015 / gap.as_secs_f64(), Duration::from_secs(1));
            delays.push(auto.delay());
        }
        let settled = &delays[50..];
        assert!(settled.iter().all(|delay| delay == &settled[0]), "{settled:?}");
        assert!(settled[0] > 15 * MS && settled[0] < 100 * MS, "{settled:?}");
    }
}
