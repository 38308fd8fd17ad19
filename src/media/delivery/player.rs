//! A player's sending side.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::link::{Gone, Link};
use crate::hub::backlog::Backlog;
use crate::hub::cursor::{Cursor, Progress};
use crate::hub::packet::{Container, Packet};
use crate::hub::stream::Stream;
use crate::limits;
use crate::media::log;
use crate::net::socket::Socket;

/// Packets of a small batch.
const FEW: usize = 4;
/// Players from which on a batch is put into one piece.
const MANY: usize = 8;

/// One player of a worker.
pub(super) struct Player {
    pub(super) session: u64,
    pub(super) socket: Arc<Socket>,
    pub(super) cursor: Cursor,
    pub(super) link: Arc<Link>,
    pub(super) bytes_sent: u64,
    pub(super) send_timeout: Duration,
    /// Since when the socket takes nothing.
    pub(super) blocked_since: Option<Instant>,
    /// It is to leave once everything has been sent, at the latest then.
    pub(super) leaving: Option<Instant>,
    /// It was sent its batch before its turn, and this came of it.
    pub(super) ahead: Option<Result<Progress, Gone>>,
}

/// The bytes of one batch that all steady players of a container share.
pub(super) struct Shared {
    container: Container,
    first: u64,
    end: u64,
    slices: Vec<Bytes>,
    /// The slices in one piece, where that pays.
    whole: Option<Bytes>,
    len: usize,
}

impl Shared {
    /// The packets of `backlog` from number `first` on, for about so many players.
    pub(super) fn new(container: Container, backlog: &Backlog, first: u64, players: usize) -> Self {
        let slices: Vec<Bytes> = backlog.from(first).map(|p| p.shared(container).clone()).collect();
        let len = slices.iter().map(Bytes::len).sum();
        // For each player the kernel walks the slices; copied once, there is one to walk.
        let joins = slices.len() > 1 && players >= MANY && len <= 2 * limits::BATCH_BYTES;
        let whole = joins.then(|| slices.concat().into());
        Shared { container, first, end: backlog.end(), slices, whole, len }
    }

    /// The one among `batches` for `container`, which is made for about `players` if it is missing.
    pub(super) fn find<'a>(
        batches: &'a mut Vec<Shared>,
        container: Container,
        backlog: &Backlog,
        first: u64,
        players: usize,
    ) -> &'a Shared {
        let at = batches.iter().position(|batch| batch.is_for(container, first)).unwrap_or_else(|| {
            batches.push(Shared::new(container, backlog, first, players));
            batches.len() - 1
        });
        &batches[at]
    }

    /// Its bytes, in as many pieces as they are sent in.
    pub(super) fn parts(&self) -> &[Bytes] {
        if self.whole.is_some() { self.whole.as_slice() } else { &self.slices }
    }

    /// Whether it is what a player of `container` needs who has been sent everything below `first`.
    pub(super) fn is_for(&self, container: Container, first: u64) -> bool {
        self.container == container && self.first == first
    }
}

impl Player {
    /// Sends a steady player a shared batch.
    pub(super) fn write_shared(&mut self, batch: &Shared) -> Result<Progress, Gone> {
        debug_assert_eq!(batch.container, self.cursor.settings().container);
        let mut written = 0;
        if let [whole] = batch.parts() {
            written = took(self.socket.try_write(whole))?;
        } else {
            for part in batch.parts().chunks(limits::WRITE_SLICES) {
                // Few packets are the usual case; preparing slots for many costs more than they do.
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

    /// Sends a steady player `packet`, after which number `end` comes.
    pub(super) fn write_packet(&mut self, packet: &Packet, end: u64) -> Result<Progress, Gone> {
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
        // Only what is left is put together.
        let slices = if written < len { std::slice::from_ref(packet.shared(container)) } else { &[] };
        Ok(self.advance(slices, written, len, end))
    }

    /// A steady player was sent so much of a shared batch.
    pub(super) fn took(&mut self, batch: &Shared, written: usize) -> Progress {
        self.advance(&batch.slices, written, batch.len, batch.end)
    }

    fn advance(&mut self, slices: &[Bytes], written: usize, len: usize, end: u64) -> Progress {
        self.bytes_sent += written as u64;
        self.cursor.advance_steady(slices, written, end);
        if written == len { Progress::CaughtUp } else { Progress::Blocked }
    }

    /// Sends any other player what it is due below `limit`, after moving it forward if it is too far behind.
    pub(super) fn catch_up(
        &mut self,
        backlog: &Backlog,
        limit: u64,
        stream: &Stream,
    ) -> Result<Progress, Gone> {
        let gap = self.cursor.next() < backlog.base();
        let mut progress = if gap { Progress::Blocked } else { self.write(backlog, limit)? };
        if progress == Progress::Blocked
            && let Some(skipped) = self.cursor.skip_if_behind(backlog, stream)
        {
            let total = self.link.skipped(skipped);
            log::player_skipped(self.session, stream, skipped, total);
            progress = self.write(backlog, limit)?;
        }
        Ok(progress)
    }

    /// Publishes counters and applies the send timeout.
    pub(super) fn settle(&mut self, progress: Progress, now: Instant) -> Result<Progress, Gone> {
        let before = self.link.bytes_sent.load(Ordering::Relaxed);
        if before != self.bytes_sent {
            self.link.bytes_sent.store(self.bytes_sent, Ordering::Relaxed);
            self.blocked_since = None;
        }
        if progress == Progress::CaughtUp {
            self.blocked_since = None;
            return Ok(progress);
        }
        let since = *self.blocked_since.get_or_insert(now);
        if !self.send_timeout.is_zero() && now.duration_since(since) > self.send_timeout {
            return Err(Gone::SendTimeout);
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

    fn write(&mut self, backlog: &Backlog, limit: u64) -> Result<Progress, Gone> {
        let socket = &self.socket;
        let (progress, written) = self
            .cursor
            .write(backlog, limit, &mut |slices| match slices {
                [slice] => socket.try_write(slice),
                _ => socket.try_write_vectored(slices),
            })
            .map_err(|_| Gone::WriteError)?;
        self.bytes_sent += written as u64;
        Ok(progress)
    }
}

/// Bytes that the socket took; none when it was full.
fn took(outcome: io::Result<usize>) -> Result<usize, Gone> {
    match outcome {
        Ok(took) => Ok(took),
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
        Err(_) => Err(Gone::WriteError),
    }
}
