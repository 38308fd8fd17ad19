//! Sending side of a player.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::figures::WorkerFigures;
use super::link::{PlayerLink, RemovalReason};
use crate::hub::backlog::Backlog;
use crate::hub::counters::SentFrames;
use crate::hub::cursor::{Cursor, Progress};
use crate::hub::packet::{Container, Packet};
use crate::hub::stream::Stream;
use crate::limits;
use crate::media::log;
use crate::net::socket::Socket;

/// Maximum number of packets in a small batch.
const FEW: usize = 4;
/// Number of players from which on a batch is joined into one byte string.
const MANY: usize = 8;

/// One player of a worker.
pub(super) struct WorkerPlayer {
    pub(super) session: u64,
    pub(super) socket: Arc<Socket>,
    pub(super) cursor: Cursor,
    pub(super) link: Arc<PlayerLink>,
    pub(super) bytes_sent: u64,
    pub(super) send_timeout: Duration,
    /// Time since which the socket accepts nothing.
    pub(super) blocked_since: Option<Instant>,
    /// Deadline at which it leaves; earlier if everything was sent.
    pub(super) leaving: Option<Instant>,
    /// Outcome of a batch that was sent before the player's turn.
    pub(super) ahead: Option<Result<Progress, RemovalReason>>,
}

/// Bytes of one batch, shared by all steady players of a container.
pub(super) struct SharedBytes {
    container: Container,
    first: u64,
    end: u64,
    slices: Vec<Bytes>,
    /// The slices joined into one byte string, if worthwhile.
    whole: Option<Bytes>,
    len: usize,
    /// Frames in it.
    frames: SentFrames,
}

impl SharedBytes {
    /// Packets of `backlog` from number `first` on, for about `players` players.
    pub(super) fn new(container: Container, backlog: &Backlog, first: u64, players: usize) -> Self {
        let slices: Vec<Bytes> = backlog.from(first).map(|p| p.shared(container).clone()).collect();
        let frames = SentFrames::of(backlog.from(first).map(|packet| &**packet));
        let len = slices.iter().map(Bytes::len).sum();
        // The kernel walks the slices for each player; joining them once reduces that to one.
        let joins = slices.len() > 1 && players >= MANY && len <= 2 * limits::BATCH_BYTES;
        let whole = joins.then(|| slices.concat().into());
        SharedBytes { container, first, end: backlog.end(), slices, whole, len, frames }
    }

    /// The batch for `container` in `batches`; if missing, it is created for about `players` players.
    pub(super) fn find<'a>(
        batches: &'a mut Vec<SharedBytes>,
        container: Container,
        backlog: &Backlog,
        first: u64,
        players: usize,
    ) -> &'a SharedBytes {
        let at = batches.iter().position(|batch| batch.is_for(container, first)).unwrap_or_else(|| {
            batches.push(SharedBytes::new(container, backlog, first, players));
            batches.len() - 1
        });
        &batches[at]
    }

    /// Its bytes, in the slices to be sent.
    pub(super) fn parts(&self) -> &[Bytes] {
        if self.whole.is_some() { self.whole.as_slice() } else { &self.slices }
    }

    /// Whether it fits a player of `container` that was sent everything below `first`.
    pub(super) fn is_for(&self, container: Container, first: u64) -> bool {
        self.container == container && self.first == first
    }
}

impl WorkerPlayer {
    /// Sends a shared batch to a steady player.
    pub(super) fn write_shared(&mut self, batch: &SharedBytes) -> Result<Progress, RemovalReason> {
        debug_assert_eq!(batch.container, self.cursor.settings().container);
        let mut written = 0;
        if let [whole] = batch.parts() {
            written = took(self.socket.try_write(whole))?;
        } else {
            for part in batch.parts().chunks(limits::WRITE_SLICES) {
                // Few packets are the usual case; preparing slots for many costs more than the packets.
                let part_written = took(if part.len() <= FEW {
                    self.offer::<FEW>(part)
                } else {
                    self.offer::<{ limits::WRITE_SLICES }>(part)
                })?;
                written += part_written;
                if part_written < part.iter().map(Bytes::len).sum() {
                    break;
                }
            }
        }
        Ok(self.took(batch, written))
    }

    /// Sends `packet` to a steady player; `end` is the number after it.
    pub(super) fn write_packet(&mut self, packet: &Packet, end: u64) -> Result<Progress, RemovalReason> {
        let container = self.cursor.settings().container;
        let (written, len) = match packet.apart(container) {
            Some((head, payload)) => {
                let parts = [IoSlice::new(&head), IoSlice::new(payload)];
                (self.socket.try_write_vectored(&parts), head.len() + payload.len())
            }
            None => {
                let bytes = packet.shared(container);
                (self.socket.try_write(bytes), bytes.len())
            }
        };
        let written = took(written)?;
        // Only the unsent rest is joined.
        let slices = if written < len { std::slice::from_ref(packet.shared(container)) } else { &[] };
        Ok(self.advance(slices, written, len, (end, SentFrames::of([packet]))))
    }

    /// Records that a steady player was sent `written` bytes of a shared batch.
    pub(super) fn took(&mut self, batch: &SharedBytes, written: usize) -> Progress {
        self.advance(&batch.slices, written, batch.len, (batch.end, batch.frames))
    }

    fn advance(
        &mut self,
        slices: &[Bytes],
        written: usize,
        len: usize,
        (end, frames): (u64, SentFrames),
    ) -> Progress {
        self.bytes_sent += written as u64;
        self.cursor.advance_steady(slices, written, end, frames);
        if written == len { Progress::CaughtUp } else { Progress::Blocked }
    }

    /// Sends any other player its packets due below `limit`, after moving it forward if it lags too far.
    pub(super) fn catch_up(
        &mut self,
        backlog: &Backlog,
        limit: u64,
        stream: &Stream,
        figures: &WorkerFigures,
    ) -> Result<Progress, RemovalReason> {
        let gap = self.cursor.next() < backlog.base();
        let mut progress = if gap { Progress::Blocked } else { self.write(backlog, limit)? };
        if progress == Progress::Blocked
            && let Some(skipped) = self.cursor.skip_if_behind(backlog, stream)
        {
            figures.skipped(skipped);
            let total = self.link.skipped(skipped);
            log::player_skipped(self.session, stream, skipped, total);
            progress = self.write(backlog, limit)?;
        }
        Ok(progress)
    }

    /// Updates counters and applies the send timeout.
    pub(super) fn settle(&mut self, progress: Progress, now: Instant) -> Result<Progress, RemovalReason> {
        let before = self.link.bytes_sent.load(Ordering::Relaxed);
        if before != self.bytes_sent {
            self.link.bytes_sent.store(self.bytes_sent, Ordering::Relaxed);
            self.link.frames_sent.store(self.cursor.frames(), Ordering::Relaxed);
            self.link.set_times(self.cursor.times());
            self.blocked_since = None;
        }
        if progress == Progress::CaughtUp {
            self.blocked_since = None;
            if self.cursor.is_held() {
                self.link.tell_drained();
            }
            return Ok(progress);
        }
        let since = *self.blocked_since.get_or_insert(now);
        if !self.send_timeout.is_zero() && now.duration_since(since) > self.send_timeout {
            return Err(RemovalReason::SendTimeout);
        }
        Ok(progress)
    }

    fn offer<const N: usize>(&self, part: &[Bytes]) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); N];
        for (slot, bytes) in slices.iter_mut().zip(part) {
            *slot = IoSlice::new(bytes);
        }
        self.socket.try_write_vectored(&slices[..part.len().min(N)])
    }

    fn write(&mut self, backlog: &Backlog, limit: u64) -> Result<Progress, RemovalReason> {
        let socket = &self.socket;
        let (progress, written) = self
            .cursor
            .write(backlog, limit, &mut |slices| match slices {
                [slice] => socket.try_write(slice),
                _ => socket.try_write_vectored(slices),
            })
            .map_err(|_| RemovalReason::WriteError)?;
        self.bytes_sent += written as u64;
        Ok(progress)
    }
}

/// Number of bytes written; 0 if the socket was full.
fn took(outcome: io::Result<usize>) -> Result<usize, RemovalReason> {
    match outcome {
        Ok(took) => Ok(took),
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
        Err(_) => Err(RemovalReason::WriteError),
    }
}
