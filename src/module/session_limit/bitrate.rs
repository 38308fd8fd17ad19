//! `max_bitrate`: measures a publisher's bit rate, a second at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answered::answered;
use super::conf::{Current, MaxBitrate};
use super::log;
use crate::media::extension::{BatchSummary, PublishObserver};
use crate::media::session::{Reason, Session};
use crate::media::view::AppView;

/// Length of a measurement.
const WINDOW: Duration = Duration::from_secs(1);

/// Ends a publisher that is above its limit for too long.
pub(super) struct BitrateWatch {
    view: AppView,
    session: Arc<Session>,
    /// Configuration generation for which the limit was read.
    generation: Option<u64>,
    limit: MaxBitrate,
    /// Limit of the callback's answer, which reloads do not change.
    answered: Option<MaxBitrate>,
    meter: BitrateMeter,
}

/// Bit rate of a publisher.
#[derive(Debug, Default)]
struct BitrateMeter {
    /// Begin of the measurement under way.
    since: Option<Instant>,
    bytes: u64,
    /// Begin of the first of the measurements above the limit.
    over_since: Option<Instant>,
}

impl BitrateWatch {
    pub(super) fn new(view: &AppView, session: &Arc<Session>) -> BitrateWatch {
        let answered = answered(session, |limits| &limits.max_bitrate, "Max-Bitrate", MaxBitrate::in_header);
        BitrateWatch {
            view: view.clone(),
            session: session.clone(),
            generation: None,
            limit: answered.unwrap_or_else(|| view.current().get::<Current>().max_bitrate),
            answered,
            meter: BitrateMeter::default(),
        }
    }
}

impl PublishObserver for BitrateWatch {
    fn batch_ingested(&mut self, summary: BatchSummary) {
        let generation = Some(self.view.generation());
        if self.answered.is_none() && self.generation != generation {
            self.generation = generation;
            self.limit = self.view.current().get::<Current>().max_bitrate;
        }
        if self.limit.bits == 0 {
            self.meter = BitrateMeter::default();
            return;
        }
        if let Some(bits) = self.meter.add(summary.bytes as u64, self.limit, Instant::now()) {
            log::bitrate_too_high(&self.session, bits, self.limit.bits);
            self.session.close(Reason::OverLimit);
        }
    }
}

impl BitrateMeter {
    /// Adds bytes. Returns the bit rate if it has been too high for too long.
    fn add(&mut self, bytes: u64, limit: MaxBitrate, now: Instant) -> Option<u64> {
        let since = *self.since.get_or_insert(now);
        self.bytes = self.bytes.saturating_add(bytes);
        let lasted = now.duration_since(since);
        if lasted < WINDOW {
            return None;
        }
        let bits = u64::try_from(u128::from(self.bytes) * 8_000 / lasted.as_millis().max(1));
        let bits = bits.unwrap_or(u64::MAX);
        (self.since, self.bytes) = (Some(now), 0);
        if bits <= limit.bits {
            self.over_since = None;
            return None;
        }
        let over_since = *self.over_since.get_or_insert(since);
        (now.duration_since(over_since) >= limit.grace.duration()).then_some(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::Msec;

    /// What the meter says after each second with this many bits.
    fn after(limit: MaxBitrate, seconds: &[u64]) -> Vec<Option<u64>> {
        let mut meter = BitrateMeter::default();
        let begin = Instant::now();
        assert_eq!(meter.add(0, limit, begin), None);
        let at = |n: usize| begin + Duration::from_secs(n as u64 + 1);
        seconds.iter().enumerate().map(|(n, bits)| meter.add(bits / 8, limit, at(n))).collect()
    }

    #[test]
    fn a_rate_above_the_limit_counts_once_the_grace_is_over() {
        let limit = MaxBitrate { bits: 1_000, grace: Msec(3_000) };
        assert_eq!(after(limit, &[2_000, 2_000, 2_000]), [None, None, Some(2_000)]);
        assert_eq!(after(limit, &[2_000, 2_000, 800, 2_000, 2_000]), [None; 5], "it has recovered");
        assert_eq!(after(limit, &[1_000; 5]), [None; 5]);
        let strict = MaxBitrate { grace: Msec(0), ..limit };
        assert_eq!(after(strict, &[800, 1_600]), [None, Some(1_600)]);
        assert_eq!(after(strict, &[u64::MAX]), [Some(u64::MAX / 8 * 8)], "no overflow");
    }
}
