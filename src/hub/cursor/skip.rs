//! Skipping: a player that lags too far is moved forward.

use strum::FromRepr;

use super::{Cursor, PlayerSettings};
use crate::hub::backlog::Backlog;
use crate::hub::stream::Stream;
use crate::limits;

/// Reason for moving a player forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRepr)]
#[repr(u8)]
pub enum SkipReason {
    /// More packets than `out_queue` were waiting.
    Queue = 1,
    /// The waiting packets were too old.
    Time,
    /// The worker was too late for the player's next packets.
    Lost,
    /// `low_latency` or `latency_time` requires the newest key frame.
    Latency,
    /// More bytes than `stream_backlog` allows were waiting.
    Bytes,
}

impl SkipReason {
    /// All reasons.
    pub const ALL: [SkipReason; 5] =
        [SkipReason::Queue, SkipReason::Time, SkipReason::Lost, SkipReason::Latency, SkipReason::Bytes];

    /// Name in logs and statistics.
    pub fn name(self) -> &'static str {
        match self {
            SkipReason::Queue => "out_queue",
            SkipReason::Time => "too old",
            SkipReason::Lost => "worker too slow",
            SkipReason::Latency => "low_latency",
            SkipReason::Bytes => "stream_backlog",
        }
    }
}

/// A skip of a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Reason.
    pub why: SkipReason,
    /// Number of packets skipped.
    pub packets: u64,
    /// Media skipped, in milliseconds.
    pub span: u32,
}

impl Cursor {
    /// Moves a player forward if it lags too far: to the newest key frame in the backlog, else to the end, where it
    /// waits for one. With `low_latency` it moves to every new key frame that it is behind,
    /// with `latency_time` to the newest one when it is too late.
    pub fn skip_if_behind(&mut self, backlog: &Backlog, stream: &Stream) -> Option<Skipped> {
        let behind = backlog.end().saturating_sub(self.next);
        let lost = backlog.base().saturating_sub(self.next);
        let most = limits::PLAYER_LAG_MS.saturating_add(self.settings.start.cache_time);
        let why = if backlog.was_trimmed(self.next) {
            SkipReason::Bytes
        } else if lost > 0 {
            SkipReason::Lost
        } else if behind > self.settings.out_queue {
            SkipReason::Queue
        } else if backlog.span_from(self.next) > most {
            SkipReason::Time
        } else if self.is_too_late(backlog) {
            SkipReason::Latency
        } else {
            return None;
        };
        let key = backlog.newest_key(self.next + 1);
        let target = match key {
            Some(key) => key,
            None if why != SkipReason::Latency => backlog.end(),
            None => return None,
        };
        // If the player lags too far even at the key frame, only the end helps.
        let target = if backlog.end() - target > self.settings.out_queue { backlog.end() } else { target };
        let span = backlog.span_from(self.next).saturating_sub(backlog.span_from(target));
        let skipped = Skipped { why, packets: target - self.next, span };
        self.next = target;
        self.synced = 0;
        self.need_key = true;
        if self.headers.is_none() && self.settings.sync > 0 && span > self.settings.sync {
            let timestamp = backlog.get(target).map_or(0, |p| self.player_time(p.timestamp()));
            self.push_headers(&stream.headers(), timestamp, timestamp);
        }
        Some(skipped)
    }

    /// Whether `low_latency` or `latency_time` moves the player, if there is a newer key frame.
    fn is_too_late(&self, backlog: &Backlog) -> bool {
        let PlayerSettings { start, latency, .. } = self.settings;
        let most = latency.saturating_add(start.cache_time);
        (start.low_latency && start.cache_time > 0) || (latency > 0 && backlog.span_from(self.next) > most)
    }
}
