//! Data shared between a session and the delivery loop.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use strum::FromRepr;
use tokio::sync::Notify;

use crate::hub::counters::MediaTimes;
use crate::hub::cursor::{SkipReason, Skipped};

/// Reason why the delivery loop gave up a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRepr)]
#[repr(u8)]
pub enum RemovalReason {
    /// Writing failed. The value 0 means that the loop has not given up the player.
    WriteError = 1,
    /// Nothing could be written during the send timeout.
    SendTimeout,
    /// Too many control messages were queued.
    Stalled,
    /// More bytes than `total_backlog` allows waited for all players together, and most of them for this one.
    Crowded,
}

/// Position of a player in the delivery loop, which saves a search among thousands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlayerSlot {
    /// Phase of its group.
    pub(super) phase: Option<usize>,
    /// Index in the group.
    pub(super) index: usize,
}

/// Number of index bits in a packed position; the phase is stored above them.
const INDEX_BITS: u32 = 48;

impl PlayerSlot {
    /// Packed form; never 0.
    fn pack(self) -> u64 {
        let group = self.phase.map_or(1, |phase| phase as u64 + 2);
        group << INDEX_BITS | self.index as u64
    }

    fn unpack(packed: u64) -> Option<Self> {
        let phase = (packed >> INDEX_BITS).checked_sub(1)?.checked_sub(1);
        let index = usize::try_from(packed & ((1 << INDEX_BITS) - 1)).ok()?;
        Some(PlayerSlot { phase: phase.and_then(|phase| usize::try_from(phase).ok()), index })
    }
}

/// A player's counters and end. Written by the loop, read by the session and by statistics.
#[derive(Debug, Default)]
pub struct PlayerLink {
    /// Bytes that the loop has written to the socket.
    pub bytes_sent: AtomicU64,
    /// Video frames that the loop has taken up for the player.
    pub frames_sent: AtomicU64,
    /// Number of packets skipped because the player was too slow.
    pub dropped_total: AtomicU64,
    /// See [`PlayerLink::asked`].
    asked: u64,
    /// See [`PlayerLink::times`].
    times: AtomicU64,
    skip_reason: AtomicU8,
    gone: AtomicU8,
    left: AtomicBool,
    /// See [`PlayerSlot`]. Used only by the loop.
    place: AtomicU64,
    rest: Mutex<VecDeque<Bytes>>,
    changed: Notify,
    /// See [`PlayerLink::drained`].
    drained: Notify,
}

impl PlayerLink {
    /// Of a player that asked for its stream at this time, in milliseconds of the server's clock; 0 if it did not.
    pub fn of_request(asked: u64) -> Self {
        PlayerLink { asked, ..PlayerLink::default() }
    }

    /// Time at which the player asked for its stream, in milliseconds of the server's clock.
    pub fn asked(&self) -> Option<u64> {
        (self.asked != 0).then_some(self.asked)
    }

    /// Waits until the loop has given up the player or released it.
    pub async fn ended(&self) {
        loop {
            let changed = self.changed.notified();
            if self.gone().is_some() || self.left.load(Ordering::Acquire) {
                return;
            }
            changed.await;
        }
    }

    /// Waits until the socket has taken all that was queued for a player that is held. It may have been so before the call: then at
    /// most one more piece is queued.
    pub async fn drained(&self) {
        self.drained.notified().await;
    }

    pub(super) fn tell_drained(&self) {
        self.drained.notify_one();
    }

    /// Reason why the loop gave up the player, if it did.
    pub fn gone(&self) -> Option<RemovalReason> {
        RemovalReason::from_repr(self.gone.load(Ordering::Acquire))
    }

    /// Unsent rest of the last message when the loop released the player.
    pub fn take_rest(&self) -> VecDeque<Bytes> {
        std::mem::take(&mut self.rest.lock())
    }

    /// Reason of the last skip, if any.
    pub fn skip_reason(&self) -> Option<SkipReason> {
        SkipReason::from_repr(self.skip_reason.load(Ordering::Relaxed))
    }

    /// Records a skip; returns the number of packets skipped so far.
    pub(super) fn skipped(&self, skipped: Skipped) -> u64 {
        self.skip_reason.store(skipped.why as u8, Ordering::Relaxed);
        self.dropped_total.fetch_add(skipped.packets, Ordering::Relaxed) + skipped.packets
    }

    /// Newest timestamps of the frames sent to the player, as the player sees them.
    pub fn times(&self) -> MediaTimes {
        MediaTimes::unpack(self.times.load(Ordering::Relaxed))
    }

    pub(super) fn set_times(&self, times: MediaTimes) {
        self.times.store(times.pack(), Ordering::Relaxed);
    }

    /// Position of the player, if the loop has it.
    pub(super) fn place(&self) -> Option<PlayerSlot> {
        PlayerSlot::unpack(self.place.load(Ordering::Relaxed))
    }

    pub(super) fn set_place(&self, place: Option<PlayerSlot>) {
        self.place.store(place.map_or(0, PlayerSlot::pack), Ordering::Relaxed);
    }

    pub(super) fn give_up(&self, why: RemovalReason) {
        self.gone.store(why as u8, Ordering::Release);
        self.changed.notify_one();
    }

    pub(super) fn let_go(&self, rest: VecDeque<Bytes>) {
        *self.rest.lock() = rest;
        self.left.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_kept_as_it_is() {
        let link = PlayerLink::default();
        assert_eq!(link.place(), None);
        for phase in [None, Some(0), Some(7)] {
            for index in [0, 1, 100_000] {
                let place = PlayerSlot { phase, index };
                link.set_place(Some(place));
                assert_eq!(link.place(), Some(place));
            }
        }
        link.set_place(None);
        assert_eq!(link.place(), None);
    }
}
