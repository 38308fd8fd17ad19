//! Timing of delivery: at once, or in batches, so that many packets cost one send.
//!
//! The number of sends determines the cost of fan-out. A player is sent everything that waits at fixed times that are
//! one `delay` apart. Many players are spread over [`PHASES`] phases, which shift these times, so that a worker's sends are
//! distributed over the whole delay.
//!
//! ```text
//! phase 0  |---------------|---------------|      delay: from | to |
//! phase 1    |---------------|---------------|
//! phase 2      |---------------|---------------|
//! ```
//!
//! The current time is a parameter, so that tests need no clock.

use std::time::{Duration, Instant};

use crate::limits;

/// Number of phases per delay.
pub const PHASES: usize = 8;

/// Summary of unsent packets, as far as it decides whether they may wait longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    packets: usize,
    bytes: usize,
    /// Whether codec headers or metadata are among them.
    header: bool,
}

/// Time at which the players of one phase are served next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Schedule {
    /// `None` while nothing waits.
    due: Option<Instant>,
    /// The phase's delivery time that was served last or is next. After early service it may be in the future.
    moment: Option<Instant>,
}

/// Delivery times of waiting players.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    origin: Instant,
}

/// Measures a worker's load.
#[derive(Clone, Copy, Debug)]
pub struct LoadMeter {
    since: Instant,
    busy: Duration,
}

/// Delay of `send_delay auto`: grows while the worker is busy, shrinks while it is not.
///
/// A longer delay means fewer sends and therefore less load. The two load bounds are further apart than one step can
/// move the load, so that the delay does not oscillate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AutoDelay {
    delay: Duration,
}

impl Waiting {
    /// Adds a packet with a payload of `bytes` bytes.
    pub fn add(&mut self, bytes: usize, header: bool) {
        self.packets += 1;
        self.bytes += bytes;
        self.header |= header;
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.packets == 0
    }

    /// Whether it must be sent now, regardless of the delay.
    pub fn is_due(&self) -> bool {
        self.header || self.bytes >= limits::BATCH_BYTES || self.packets >= limits::WRITE_SLICES
    }
}

/// The phase of a worker's player with this number. Players that join one after another share one, because sends to a few players cost
/// more each: the worker has slept, and what sending needs is no longer in the processor's caches.
pub fn phase(player: usize) -> usize {
    // Each further phase halves the longest of the intervals between those before it.
    const ORDER: [usize; PHASES] = [0, 4, 2, 6, 1, 5, 3, 7];
    ORDER[player / limits::PHASE_PLAYERS % PHASES]
}

/// Distance between the delivery times of these phases: the longest fraction of `delay` of which they are multiples.
pub fn interval(delay: Duration, phases: impl Iterator<Item = usize>) -> Duration {
    let apart = phases.fold(PHASES, |all, phase| all | phase).trailing_zeros();
    delay / (PHASES >> apart) as u32
}

impl Schedule {
    /// Whether the time has come.
    pub fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Whether `due` is the time of the next service.
    pub fn is_at(&self, due: Instant) -> bool {
        self.due == Some(due)
    }

    /// Schedules the next service for now.
    pub fn hurry(&mut self, now: Instant) {
        self.due = Some(now);
    }

    /// Records that everything was sent.
    pub fn served(&mut self) {
        self.due = None;
    }

    /// Schedules the next service for the delivery time of `phase`, at most `delay` after the packets were read. If
    /// packets have just `arrived` and the publisher is not read again before that time ([`Grid::reading`] with this
    /// `interval`), service is due now: sent along, they need no wake-up of their own. Returns a time for which the
    /// caller must set a timer.
    pub fn wait(
        &mut self,
        grid: &Grid,
        phase: usize,
        (delay, interval): (Duration, Duration),
        now: Instant,
        arrived: bool,
    ) -> Option<Instant> {
        let known = self.due;
        let due = known.unwrap_or_else(|| {
            let after = self.moment.map_or(now, |moment| moment.max(now));
            let moment = grid.due(phase, delay, after);
            self.moment = Some(moment);
            moment.min(now + delay)
        });
        if arrived && self.moment.is_some_and(|moment| moment <= now + interval / 2) {
            self.due = Some(now);
            return None;
        }
        self.due = Some(due);
        known.is_none().then_some(due)
    }
}

impl Grid {
    /// `origin` is any time that is not later than those passed to the methods.
    pub fn new(origin: Instant) -> Self {
        Grid { origin }
    }

    /// The next time to read a publisher whose players wait for delivery times that are `interval` apart; at most `limit` away.
    /// It is in the middle between two of them. What is read then is sent at once ([`Schedule::wait`]), so that reading and sending need
    /// one wake-up together.
    pub fn reading(&self, mut interval: Duration, limit: Duration, now: Instant) -> Instant {
        while interval > limit {
            interval /= 2;
        }
        self.due(PHASES / 2, interval, now)
    }

    /// Delivery time in `phase` for packets that arrived at `now`: later than `now` by at most `delay`; `now` without a
    /// delay.
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
    /// Length of a measurement.
    const WINDOW: Duration = Duration::from_millis(100);

    /// Starts at `now`, when the worker has been busy for `busy` in total.
    pub fn new(now: Instant, busy: Duration) -> Self {
        LoadMeter { since: now, busy }
    }

    /// Load as a share of time from 0 to 1, once per window. `busy` counts as in [`LoadMeter::new`].
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
    /// Load below which the delay shrinks. A step changes load by at most [`AutoDelay::GROWTH`], which must not lead
    /// from one bound to the other.
    const IDLE: f64 = 0.3;
    /// Factor by which the delay grows and shrinks.
    const GROWTH: f64 = 1.5;
    /// Shortest delay other than none.
    const LEAST: Duration = Duration::from_millis(5);

    /// Adapts to the load of a window. `max` is the longest delay that any player's configuration allows.
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

    /// The current delay.
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
    fn few_players_share_a_phase_and_many_are_spread_evenly() {
        let phases = |players: usize| (0..players).map(phase).collect::<std::collections::BTreeSet<_>>();
        for (players, spread) in [(1, vec![0]), (2, vec![0, 4]), (4, vec![0, 2, 4, 6]), (8, (0..8).collect())]
        {
            assert!(phases(players * limits::PHASE_PLAYERS).into_iter().eq(spread));
        }
        assert_eq!(phase(PHASES * limits::PHASE_PLAYERS), 0);
    }

    #[test]
    fn the_interval_is_as_long_as_the_phases_in_use_allow() {
        let shared = |phases: &[usize]| interval(400 * MS, phases.iter().copied()).as_millis();
        assert_eq!([shared(&[]), shared(&[0]), shared(&[4]), shared(&[0, 4])], [400, 400, 200, 200]);
        assert_eq!(
            [shared(&[4, 2]), shared(&[0, 4, 2, 6]), shared(&[6, 5]), shared(&[1])],
            [100, 100, 50, 50]
        );
        assert_eq!(interval(Duration::ZERO, [0, 1].into_iter()), Duration::ZERO);
    }

    #[test]
    fn a_publisher_is_read_between_delivery_times() {
        let origin = Instant::now();
        let grid = Grid::new(origin);
        let now = origin + 1001 * MS;
        for (interval, limit, apart) in [(50 * MS, 50 * MS, 50 * MS), (200 * MS, 150 * MS, 100 * MS)] {
            let mut moments = vec![grid.reading(interval, limit, now)];
            while moments.len() < 32 {
                moments.push(grid.reading(interval, limit, moments[moments.len() - 1]));
            }
            assert!(moments[0] > now && moments[0] <= now + apart);
            assert!(moments.windows(2).all(|pair| pair[1] - pair[0] == apart));
            let until_due = |moment: &Instant| grid.due(0, apart, *moment) - *moment;
            assert!(moments.iter().all(|moment| until_due(moment) == apart / 2), "{interval:?}");
        }
        assert_eq!(grid.reading(Duration::ZERO, MS, now), now);
    }

    /// How a publisher is read in a simulation.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Reads {
        /// When packets come.
        AtOnce,
        /// At the times that suit the phases in use.
        InTurn,
        /// And where much has come, as it has every 480 ms.
        InTurnAndFull,
    }

    /// Simulates 68 packets a second (25 video frames and 43 audio frames) at `delay`. Returns the number of sends, the number of
    /// wake-ups caused beside reading, and the longest time between the arrival of a packet and its sending.
    fn sent(phase: usize, delay: Duration, phases: &[usize], reads: Reads) -> (usize, usize, Duration) {
        let origin = Instant::now();
        let grid = Grid::new(origin);
        let interval = interval(delay, phases.iter().copied());
        let mut schedule = Schedule::default();
        let (mut sends, mut woken, mut longest) = (0, 0, Duration::ZERO);
        let (mut unread, mut unsent, mut reading) = (None, None, origin);
        for tick in 0..10_000u32 {
            let now = origin + tick * MS;
            if tick % 40 == 0 || tick % 23 == 7 {
                unread.get_or_insert(now);
            }
            let is_full = reads == Reads::InTurnAndFull && tick % 480 == 0;
            let arrived = unread.is_some() && (reads == Reads::AtOnce || is_full || now >= reading);
            if arrived {
                unsent = unsent.or(unread.take());
                reading = grid.reading(interval, delay, now);
                schedule.wait(&grid, phase, (delay, interval), now, true);
            }
            if schedule.is_due(now) {
                woken += usize::from(!arrived);
                sends += 1;
                longest = longest.max(now - unsent.take().unwrap());
                schedule.served();
            }
        }
        (sends, woken, longest)
    }

    #[test]
    fn nothing_waits_longer_than_the_delay_for_one_send_per_delay() {
        for delay in [40 * MS, 100 * MS, 350 * MS] {
            let most = 10_000usize.div_ceil(delay.as_millis() as usize) + 1;
            for phases in [&[0][..], &[0, 4], &[0, 2, 4, 6], &[0, 1, 2, 3, 4, 5, 6, 7]] {
                for reads in [Reads::AtOnce, Reads::InTurn, Reads::InTurnAndFull] {
                    for phase in phases {
                        let (sends, _, longest) = sent(*phase, delay, phases, reads);
                        // Times are simulated in whole milliseconds. Between two readings packets wait in the socket.
                        let unread = match reads {
                            Reads::AtOnce => Duration::ZERO,
                            Reads::InTurn | Reads::InTurnAndFull => {
                                interval(delay, phases.iter().copied()) / 2
                            }
                        };
                        let bound = delay + unread + MS;
                        assert!(
                            longest <= bound,
                            "{longest:?} of {delay:?}, {phase} of {phases:?}, {reads:?}"
                        );
                        assert!(sends <= most, "{sends} of {most}");
                    }
                }
            }
        }
    }

    #[test]
    fn reading_and_sending_need_one_wake_up_together() {
        for phases in [&[0][..], &[0, 4], &[0, 2, 4, 6]] {
            for phase in phases {
                let (sends, woken, _) = sent(*phase, 400 * MS, phases, Reads::InTurn);
                assert!(sends >= 24 && woken <= 1, "{woken} of {sends} for {phase} of {phases:?}");
            }
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

    /// A worker whose load consists of equal parts: a fixed one, and one proportional to the number of sends.
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
