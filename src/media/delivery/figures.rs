//! Figures of the workers, for metrics. Only the worker itself adds to them, so no worker waits for another one.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::hub::cursor::{SkipReason, Skipped};

/// Upper bounds of the classes of delays, in microseconds.
const DELAYS: &[u64] =
    &[250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000];
/// Upper bounds of the classes of times to the first frame, in microseconds.
const FIRST_FRAMES: &[u64] = &[
    5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
    30_000_000,
];

/// Number of reasons for skips.
const REASONS: usize = SkipReason::ALL.len();

/// Durations in classes.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One more than bounds: the last one counts the rest.
    classes: Box<[AtomicU64]>,
    /// Sum in microseconds.
    sum: AtomicU64,
}

/// Contents of a [`Histogram`].
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramCounts {
    /// Upper bound of each class in seconds, and number of durations in it alone; the last bound is infinite.
    pub classes: Vec<(f64, u64)>,
    /// Sum of all durations in seconds.
    pub sum: f64,
}

/// Figures of one worker. They outlive its thread, so that counters never fall.
#[derive(Debug)]
pub struct WorkerFigures {
    /// Times from the arrival of a publisher's batch to the moment at which a group of players has been sent it.
    pub send_delay: Histogram,
    /// Times from `play`, or the HTTP request, to the moment at which the first frame has been sent.
    pub first_frame: Histogram,
    skipped: [AtomicU64; REASONS],
    lost: AtomicU64,
    blocked: AtomicUsize,
    /// Busy time of threads that were replaced, in microseconds.
    busy: AtomicU64,
}

impl Default for WorkerFigures {
    fn default() -> Self {
        WorkerFigures {
            send_delay: Histogram::new(DELAYS),
            first_frame: Histogram::new(FIRST_FRAMES),
            skipped: Default::default(),
            lost: AtomicU64::new(0),
            blocked: AtomicUsize::new(0),
            busy: AtomicU64::new(0),
        }
    }
}

impl WorkerFigures {
    /// Counts packets that a player was not sent because it was too slow.
    pub(super) fn skipped(&self, skipped: Skipped) {
        self.skipped[skipped.why as usize - 1].fetch_add(skipped.packets, Ordering::Relaxed);
    }

    /// Counts packets that the worker was too late for.
    pub(super) fn lost(&self, packets: u64) {
        self.lost.fetch_add(packets, Ordering::Relaxed);
    }

    /// Sets the number of players whose socket is full.
    pub(super) fn set_blocked(&self, players: usize) {
        self.blocked.store(players, Ordering::Relaxed);
    }

    /// Adds the busy time of a thread that is replaced.
    pub fn add_busy(&self, time: Duration) {
        self.busy.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Busy time of threads that were replaced.
    pub fn busy(&self) -> Duration {
        Duration::from_micros(self.busy.load(Ordering::Relaxed))
    }

    /// Packets that players were not sent, by reason.
    pub fn skipped_total(&self) -> impl Iterator<Item = (SkipReason, u64)> {
        SkipReason::ALL.into_iter().zip(self.skipped.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// Packets that the worker was too late for.
    pub fn lost_total(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Number of players whose socket was full at the last attempt.
    pub fn blocked(&self) -> usize {
        self.blocked.load(Ordering::Relaxed)
    }
}

impl Histogram {
    /// With classes up to these bounds, ascending, in microseconds.
    pub fn new(bounds: &'static [u64]) -> Self {
        let classes = std::iter::repeat_with(AtomicU64::default).take(bounds.len() + 1).collect();
        Histogram { bounds, classes, sum: AtomicU64::new(0) }
    }

    /// Counts a duration.
    pub fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let class = self.bounds.partition_point(|bound| *bound < micros);
        self.classes[class].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(micros, Ordering::Relaxed);
    }

    /// The contents.
    pub fn counts(&self) -> HistogramCounts {
        let bounds = self.bounds.iter().map(|bound| *bound as f64 / 1e6).chain([f64::INFINITY]);
        let counts = self.classes.iter().map(|count| count.load(Ordering::Relaxed));
        HistogramCounts {
            classes: bounds.zip(counts).collect(),
            sum: self.sum.load(Ordering::Relaxed) as f64 / 1e6,
        }
    }
}

impl HistogramCounts {
    /// Adds those of a histogram with the same classes.
    pub fn add(&mut self, other: &HistogramCounts) {
        self.sum += other.sum;
        for (class, (_, count)) in self.classes.iter_mut().zip(&other.classes) {
            class.1 += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_in_their_classes() {
        let histogram = Histogram::new(&[1_000, 2_000]);
        for micros in [0, 1_000, 1_001, 2_000, 5_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let mut counts = histogram.counts();
        assert_eq!(counts.classes, [(0.001, 2), (0.002, 2), (f64::INFINITY, 1)]);
        assert!((counts.sum - 5.004_001).abs() < 1e-9);
        counts.add(&counts.clone());
        assert_eq!(counts.classes, [(0.001, 4), (0.002, 4), (f64::INFINITY, 2)]);
    }

    #[test]
    fn skips_are_counted_by_reason() {
        let figures = WorkerFigures::default();
        figures.skipped(Skipped { why: SkipReason::Bytes, packets: 7, span: 0 });
        figures.skipped(Skipped { why: SkipReason::Queue, packets: 2, span: 0 });
        let counts: Vec<_> = figures.skipped_total().map(|(why, count)| (why.name(), count)).collect();
        assert_eq!(
            counts,
            [
                ("out_queue", 2),
                ("too old", 0),
                ("worker too slow", 0),
                ("low_latency", 0),
                ("stream_backlog", 7)
            ]
        );
    }
}
