//! Poll moderation: one wake-up for many packets, as network adapters moderate their interrupts.
//!
//! Hundreds of publishers wake a worker thousands of times a second, for a packet each, and going to sleep and waking up
//! costs more than the packet. A worker in that state waits a moment before it asks the kernel what has come. Below
//! that rate, and when it has no time to sleep anyway, nothing is held back.

use std::cell::{Cell, RefCell};
use std::thread;
use std::time::{Duration, Instant};

use crate::limits;

/// Decides when to wait; one per worker thread.
#[derive(Debug)]
pub struct Moderation {
    window: Instant,
    parks: u32,
    reads_before: u64,
    moderates: bool,
    /// When the kernel was last asked.
    polled: Instant,
}

/// Time over which wake-ups and reads are counted.
const WINDOW: Duration = Duration::from_millis(10);
/// Wake-ups and reads in a window from which on wake-ups are held together.
const MANY: u32 = 30;
/// Reads in a window below which they no longer are.
const FEW: u64 = 20;

thread_local! {
    static READS: Cell<u64> = const { Cell::new(0) };
    static MODERATION: RefCell<Moderation> = RefCell::new(Moderation::new(Instant::now()));
}

/// Counts a read from a socket by this thread.
pub fn count_read() {
    READS.set(READS.get() + 1);
}

/// Called by a worker's thread before it waits for events.
pub fn before_park() {
    let now = Instant::now();
    let wait = MODERATION.with_borrow_mut(|moderation| moderation.park(now, READS.get()));
    if let Some(wait) = wait {
        thread::sleep(wait);
    }
}

impl Moderation {
    /// Counts from `now` on.
    pub fn new(now: Instant) -> Self {
        Moderation { window: now, parks: 0, reads_before: 0, moderates: false, polled: now }
    }

    /// The worker has nothing to do: how long it is to sleep before it asks for more. `reads` is the number of its
    /// reads so far.
    pub fn park(&mut self, now: Instant, reads: u64) -> Option<Duration> {
        self.parks += 1;
        if now.saturating_duration_since(self.window) >= WINDOW {
            let read = reads.saturating_sub(self.reads_before);
            self.moderates =
                if self.moderates { read >= FEW } else { self.parks >= MANY && read >= u64::from(MANY) };
            (self.window, self.parks, self.reads_before) = (now, 0, reads);
        }
        if !self.moderates {
            return None;
        }
        let due = self.polled + limits::POLL_INTERVAL;
        self.polled = due.max(now);
        due.checked_duration_since(now).filter(|wait| !wait.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Duration = Duration::from_micros(1);

    /// Parks every `gap` for `windows` windows, with `reads` reads between two parks; how long was slept, and where
    /// the clock then stands.
    fn run(
        moderation: &mut Moderation,
        now: &mut Instant,
        reads: &mut u64,
        gap: Duration,
        each: u64,
    ) -> Duration {
        let mut slept = Duration::ZERO;
        let end = *now + 5 * WINDOW;
        while *now < end {
            *now += gap;
            *reads += each;
            if let Some(wait) = moderation.park(*now, *reads) {
                assert!(wait <= limits::POLL_INTERVAL);
                slept += wait;
                *now += wait;
            }
        }
        slept
    }

    #[test]
    fn a_flood_of_single_packets_is_held_together_until_it_ends() {
        let mut now = Instant::now();
        let (mut moderation, mut reads) = (Moderation::new(now), 0);
        assert_eq!(run(&mut moderation, &mut now, &mut reads, 1000 * US, 1), Duration::ZERO);
        let slept = run(&mut moderation, &mut now, &mut reads, 100 * US, 1);
        assert!(slept > WINDOW, "{slept:?}");
        // With wake-ups held together it is the reads that tell that the flood goes on.
        let slept = run(&mut moderation, &mut now, &mut reads, 100 * US, 10);
        assert!(slept > 4 * WINDOW, "{slept:?}");
        run(&mut moderation, &mut now, &mut reads, 1000 * US, 1);
        assert_eq!(run(&mut moderation, &mut now, &mut reads, 1000 * US, 1), Duration::ZERO);
    }

    #[test]
    fn a_worker_that_is_busy_all_the_time_does_not_sleep() {
        let mut now = Instant::now();
        let (mut moderation, mut reads) = (Moderation::new(now), 0);
        run(&mut moderation, &mut now, &mut reads, 100 * US, 1);
        let slept = run(&mut moderation, &mut now, &mut reads, 2000 * US, 100);
        assert_eq!(slept, Duration::ZERO);
    }

    #[test]
    fn wake_ups_without_reads_are_left_alone() {
        let mut now = Instant::now();
        let (mut moderation, mut reads) = (Moderation::new(now), 0);
        assert_eq!(run(&mut moderation, &mut now, &mut reads, 100 * US, 0), Duration::ZERO);
    }
}
