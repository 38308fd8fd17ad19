//! When each message of each stream is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::Result;
use crate::media::Media;

/// Streams start spread over this time, as independent encoders would.
const SPREAD_NS: u64 = 40_000_000;

pub struct Pacer {
    start_ns: u64,
    loop_ms: u32,
    offsets_ms: Vec<u32>,
    /// Each stream's next message, the earliest on top.
    next: BinaryHeap<Reverse<Due>>,
    streams: u64,
}

/// Ordered by time; the count of messages sent tells which message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    pub at_ns: u64,
    pub stream: usize,
    count: u64,
}

impl Pacer {
    pub fn new(media: &Media, streams: usize, start_ns: u64) -> Pacer {
        let mut pacer = Pacer {
            start_ns,
            loop_ms: media.loop_ms(),
            offsets_ms: media.body.iter().map(|message| message.offset_ms).collect(),
            next: BinaryHeap::new(),
            streams: streams as u64,
        };
        for stream in 0..streams {
            let first = pacer.due(stream, 0);
            pacer.next.push(Reverse(first));
        }
        pacer
    }

    /// The earliest message that is due by `now_ns`.
    pub fn poll_due(&mut self, now_ns: u64) -> Option<Due> {
        let due = self.next.peek().map(|Reverse(due)| *due).filter(|due| due.at_ns <= now_ns)?;
        self.next.pop();
        let following = self.due(due.stream, due.count + 1);
        self.next.push(Reverse(following));
        Some(due)
    }

    pub fn next_ns(&self) -> u64 {
        self.next.peek().map_or(u64::MAX, |Reverse(due)| due.at_ns)
    }

    /// Which message of the loop this is.
    pub fn index(&self, due: Due) -> usize {
        (due.count % self.offsets_ms.len() as u64) as usize
    }

    /// The timestamp, which continues across the end of the loop.
    pub fn timestamp_ms(&self, due: Due) -> u32 {
        let rounds = due.count / self.offsets_ms.len() as u64;
        (rounds * u64::from(self.loop_ms)) as u32 + self.offsets_ms[self.index(due)]
    }

    fn due(&self, stream: usize, count: u64) -> Due {
        let unstarted = Due { at_ns: 0, stream, count };
        let phase_ns = SPREAD_NS * stream as u64 / self.streams;
        let at_ns = self.start_ns + phase_ns + u64::from(self.timestamp_ms(unstarted)) * 1_000_000;
        Due { at_ns, stream, count }
    }
}

/// A timer for epoll, finer than epoll's own milliseconds.
pub struct Alarm(pub TimerFd);

impl Alarm {
    pub fn new() -> Result<Alarm> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        Ok(Alarm(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?))
    }

    /// Setting it again also makes it unreadable, so it never has to be read.
    pub fn set(&self, at_ns: u64) -> Result<()> {
        let at = TimeSpec::new((at_ns / 1_000_000_000) as i64, (at_ns % 1_000_000_000) as i64);
        self.0.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
        Ok(())
    }
}
