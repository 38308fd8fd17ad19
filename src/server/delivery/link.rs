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
