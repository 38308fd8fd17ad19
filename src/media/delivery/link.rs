//! What a session and the delivery loop know of each other.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::hub::cursor::{Behind, Skipped};

/// Why the delivery loop gave up on a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Writing failed.
    WriteError = 1,
    /// Nothing could be written for the whole send timeout.
    SendTimeout = 2,
    /// Too many control messages were waiting.
    Stalled = 3,
    /// More waited for all players together than `total_backlog` allows, and most of it for this one.
    Crowded = 4,
}

/// Where the loop keeps a player, so that it need not be searched for among thousands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Phase of its group.
    pub(super) phase: Option<usize>,
    /// Its number there.
    pub(super) index: usize,
}

/// Bits of a place's index; the phase stands above.
const INDEX_BITS: u32 = 48;

impl Place {
    /// Never 0.
    fn pack(self) -> u64 {
        let group = self.phase.map_or(1, |phase| phase as u64 + 2);
        group << INDEX_BITS | self.index as u64
    }

    fn unpack(packed: u64) -> Option<Self> {
        let phase = (packed >> INDEX_BITS).checked_sub(1)?.checked_sub(1);
        let index = usize::try_from(packed & ((1 << INDEX_BITS) - 1)).ok()?;
        Some(Place { phase: phase.and_then(|phase| usize::try_from(phase).ok()), index })
    }
}

/// Counters of a player, and its end. Written by the loop, read by the session and by statistics.
#[derive(Debug, Default)]
pub struct Link {
    /// Bytes handed to the socket by the loop.
    pub bytes_sent: AtomicU64,
    /// Packets the player was too slow for.
    pub dropped_total: AtomicU64,
    skip_reason: AtomicU8,
    gone: AtomicU8,
    left: AtomicBool,
    /// See [`Place`]. Only the loop reads and writes it.
    place: AtomicU64,
    rest: Mutex<VecDeque<Bytes>>,
    changed: Notify,
}

impl Link {
    /// Waits until the loop has given up on the player or has let it leave.
    pub async fn ended(&self) {
        loop {
            let changed = self.changed.notified();
            if self.gone().is_some() || self.left.load(Ordering::Acquire) {
                return;
            }
            changed.await;
        }
    }

    /// Why the loop gave up, if it did.
    pub fn gone(&self) -> Option<Gone> {
        match self.gone.load(Ordering::Acquire) {
            1 => Some(Gone::WriteError),
            2 => Some(Gone::SendTimeout),
            3 => Some(Gone::Stalled),
            4 => Some(Gone::Crowded),
            _ => None,
        }
    }

    /// What the loop had not sent yet of the last message when it let the player leave.
    pub fn take_rest(&self) -> VecDeque<Bytes> {
        std::mem::take(&mut self.rest.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// Why packets were last left out, if any were.
    pub fn skip_reason(&self) -> Option<Behind> {
        [Behind::Queue, Behind::Time, Behind::Lost, Behind::Latency, Behind::Bytes]
            .into_iter()
            .find(|why| *why as u8 == self.skip_reason.load(Ordering::Relaxed))
    }

    /// Notes what was left out; returns the packets left out so far.
    pub(super) fn skipped(&self, skipped: Skipped) -> u64 {
        self.skip_reason.store(skipped.why as u8, Ordering::Relaxed);
        self.dropped_total.fetch_add(skipped.packets, Ordering::Relaxed) + skipped.packets
    }

    /// Where the player is, if the loop has it.
    pub(super) fn place(&self) -> Option<Place> {
        Place::unpack(self.place.load(Ordering::Relaxed))
    }

    pub(super) fn set_place(&self, place: Option<Place>) {
        self.place.store(place.map_or(0, Place::pack), Ordering::Relaxed);
    }

    pub(super) fn give_up(&self, why: Gone) {
        self.gone.store(why as u8, Ordering::Release);
        self.changed.notify_one();
    }

    pub(super) fn let_go(&self, rest: VecDeque<Bytes>) {
        *self.rest.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = rest;
        self.left.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_kept_as_it_is() {
        let link = Link::default();
        assert_eq!(link.place(), None);
        for phase in [None, Some(0), Some(7)] {
            for index in [0, 1, 100_000] {
                let place = Place { phase, index };
                link.set_place(Some(place));
                assert_eq!(link.place(), Some(place));
            }
        }
        link.set_place(None);
        assert_eq!(link.place(), None);
    }
}
