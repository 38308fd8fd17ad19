//! Players that fall too far behind are moved forward.

use super::Cursor;
use crate::hub::backlog::Backlog;
use crate::hub::stream::Stream;
use crate::limits;

/// Why a player was moved forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Behind {
    /// More packets than `out_queue` waited for it.
    Queue = 1,
    /// What waited for it was too old.
    Time,
    /// The worker itself came too late for what the player was to be sent.
    Lost,
    /// `low_latency` wants the newest key frame.
    Latency,
    /// More bytes than `stream_backlog` allows waited for it.
    Bytes,
}

impl Behind {
    /// As logs and statistics say it.
    pub fn name(self) -> &'static str {
        match self {
            Behind::Queue => "out_queue",
            Behind::Time => "too old",
            Behind::Lost => "worker too slow",
            Behind::Latency => "low_latency",
            Behind::Bytes => "stream_backlog",
        }
    }
}

/// A player that fell too far behind was moved forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Why.
    pub why: Behind,
    /// Packets left out.
    pub packets: u64,
    /// Milliseconds of media left out.
    pub span: u32,
}

impl Cursor {
    /// Moves a player forward that is too far behind: to the newest key frame in the backlog, else to the end,
    /// where it waits for one. `latest` moves it to a new key frame whenever it is behind (`low_latency`).
    pub fn skip_if_behind(&mut self, backlog: &Backlog, stream: &Stream) -> Option<Skipped> {
        let behind = backlog.end().saturating_sub(self.next);
        let lost = backlog.base().saturating_sub(self.next);
        let most = limits::PLAYER_LAG_MS.saturating_add(self.settings.start.cache_time);
        let why = if backlog.was_trimmed(self.next) {
            Behind::Bytes
        } else if lost > 0 {
            Behind::Lost
        } else if behind > self.settings.out_queue {
            Behind::Queue
        } else if backlog.span_from(self.next) > most {
            Behind::Time
        } else if self.settings.start.low_latency && self.settings.start.cache_time > 0 {
            Behind::Latency
        } else {
            return None;
        };
        let key = backlog.newest_key(self.next + 1);
        let target = match key {
            Some(key) => key,
            None if why != Behind::Latency => backlog.end(),
            None => return None,
        };
        // With a key frame at hand but still too much behind it, only the end helps.
        let target = if backlog.end() - target > self.settings.out_queue { backlog.end() } else { target };
        let span = backlog.span_from(self.next).saturating_sub(backlog.span_from(target));
        let skipped = Skipped { why, packets: target - self.next, span };
        self.next = target;
        self.synced = 0;
        self.need_key = true;
        if self.headers.is_none() && self.settings.sync > 0 && span > self.settings.sync {
            let timestamp = backlog.get(target).map_or(0, |p| self.player_time(p.timestamp()));
            self.push_headers(&stream.headers(), timestamp);
        }
        Some(skipped)
    }
}
