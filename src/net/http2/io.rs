//! The socket of an HTTP/2 connection, for the crate h2.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf, Bytes};
use h2::Reason;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::carrier::Carrier;
use super::frames::FrameReader;
use super::framing::{DATA, END_STREAM, FrameWalk, HEADERS, Part, RST_STREAM, without_priority_frames};
use super::hpack::HeadBounds;
use super::intake::{ClientReset, Intake, ReceivedHead, Terms};
use super::order::SendOrder;
use super::output::Output;
use super::parked::{Account, Replay, Replayed};
use super::violation::Violation;
use crate::limits;

thread_local! {
    /// Bytes that were read last.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; limits::READ_BYTES].into());
    /// What the crate gets for them.
    static PASSED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Numbers of bytes that a connection has received and sent, and output that waits to be written. Shared by the connection's
/// socket and its owner.
#[derive(Debug, Default)]
pub struct Traffic {
    counts: Mutex<Counts>,
    /// Of a client's connection.
    client: Option<Mutex<Client>>,
    /// The order in which streams send; none for a backend's.
    order: Option<Arc<SendOrder>>,
    output: Mutex<Output>,
    /// Frames that the crate is to get and the client has not sent.
    made: Mutex<Vec<u8>>,
    /// Whether the crate has read everything that came.
    is_read: AtomicBool,
    /// Whether everything that the crate has to say was accepted.
    is_flushed: AtomicBool,
}

/// What goes along with the frames of a client's connection.
#[derive(Debug)]
struct Client {
    /// Makes the client's bytes ready for the crate h2.
    intake: Intake,
    account: Account,
    /// Goes along with what the crate sends.
    sent: FrameWalk,
    /// Number of streams that were refused.
    refused: u64,
    /// Those that were not told to the owner.
    newly_refused: u64,
}

#[derive(Debug, Default)]
struct Counts {
    frames: FrameReader,
    /// Bytes received and sent.
    total: u64,
    /// Those of them that were sent.
    sent: u64,
    /// Bytes of bodies that were sent.
    sent_payload: u64,
    /// Since when the peer has accepted nothing.
    blocked: Option<Instant>,
    fault: Option<Fault>,
}

/// Why a connection is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Most of what came carries nothing.
    Flood,
    /// A frame or a head that the client may not send.
    Frame(Violation),
}

impl Traffic {
    /// Of a connection to a backend.
    pub(super) fn of_backend() -> Traffic {
        let counts = Counts { frames: FrameReader::of_backend(), ..Counts::default() };
        Traffic { counts: Mutex::new(counts), ..Traffic::default() }
    }

    /// Of a connection of a client, whose heads have these bounds.
    pub fn of_client(bounds: HeadBounds) -> Traffic {
        let intake = Intake::new(bounds);
        let order = intake.order().clone();
        let (account, sent) = (Account::new(), FrameWalk::default());
        let client = Client { intake, account, sent, refused: 0, newly_refused: 0 };
        Traffic { client: Some(Mutex::new(client)), order: Some(order), ..Traffic::default() }
    }

    /// Bytes received and sent.
    pub(super) fn counts(&self) -> (u64, u64) {
        let counts = self.counts.lock();
        (counts.total - counts.sent, counts.sent)
    }

    /// Whether a frame or the head of a request has begun and not ended, and is waited for.
    pub fn is_incomplete(&self) -> bool {
        let is_late = || self.client.as_ref().is_some_and(|client| client.lock().intake.has_late_head());
        self.counts.lock().frames.is_incomplete() && !is_late()
    }

    /// See [`Intake::take_head`].
    pub fn take_head(&self, stream: u32) -> Option<ReceivedHead> {
        self.client.as_ref()?.lock().intake.take_head(stream)
    }

    /// The order in which streams send.
    pub(super) fn order(&self) -> Option<&SendOrder> {
        self.order.as_deref()
    }

    /// Sets how long requests are taken.
    pub fn set_terms(&self, terms: Terms) {
        if let Some(client) = &self.client {
            client.lock().intake.set_terms(terms);
        }
    }

    /// Tells the client that requests behind the last one that has come are not answered.
    pub fn leave(&self) {
        if let Some(client) = &self.client {
            client.lock().intake.leave();
        }
    }

    /// Whether the client was told that no further requests are answered.
    pub fn is_ending(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.lock().intake.is_ending())
    }

    /// See [`Intake::take_reset`].
    pub(super) fn take_reset(&self, stream: u32) -> Option<ClientReset> {
        self.client.as_ref()?.lock().intake.take_reset(stream)
    }

    /// Streams that were refused because too many were open, since this was last asked, and all of them.
    pub fn take_refused(&self) -> (u64, u64) {
        let Some(client) = &self.client else { return (0, 0) };
        let mut client = client.lock();
        (std::mem::take(&mut client.newly_refused), client.refused)
    }

    /// Whether everything that the connection has to say was accepted by the socket.
    pub fn has_said_all(&self) -> bool {
        self.is_flushed.load(Ordering::Relaxed)
            && self.output.lock().bytes.is_empty()
            && self.client.as_ref().is_none_or(|client| client.lock().intake.replies().is_empty())
    }

    /// Lets frames that are not the crate's be written next, if the crate has written whole ones.
    fn add_replies(&self) {
        let Some(client) = &self.client else { return };
        let mut client = client.lock();
        if client.sent.is_between() && !client.intake.replies().is_empty() {
            self.output.lock().bytes.append(client.intake.replies());
        }
    }

    /// Number of heads that the connection has not taken.
    fn waiting_heads(&self) -> usize {
        self.client.as_ref().map_or(0, |client| client.lock().intake.waiting_heads())
    }

    /// See [`Intake::incomplete_head`].
    pub fn incomplete_head(&self) -> Option<ReceivedHead> {
        self.client.as_ref()?.lock().intake.incomplete_head()
    }

    /// Gives up a head that has begun and not ended, so that its stream can be reset. False if there is none.
    pub fn give_up_head(&self) -> bool {
        let Some(client) = &self.client else { return false };
        client.lock().intake.give_up_head(&mut self.made.lock())
    }

    /// Takes what the crate is to get and the client has not sent, if it may come now and has room.
    fn take_made(&self, room: usize) -> Option<Vec<u8>> {
        let mut client = self.client.as_ref()?.lock();
        let mut made = self.made.lock();
        if made.is_empty() || made.len() > room || !client.intake.is_between_frames() {
            return None;
        }
        client.account.received(&made);
        Some(std::mem::take(&mut *made))
    }

    /// Lets the streams whose turn it is to send go on; to be called when the connection has done what it can.
    pub fn call_next(&self, cx: &mut Context<'_>) {
        if let Some(order) = &self.order {
            order.call_next(cx);
        }
    }

    /// See [`Intake::rest`].
    pub fn rest(&self) {
        if let Some(client) = &self.client {
            client.lock().intake.rest();
        }
    }

    /// Whether nothing is under way between the crate and the client, so that the connection may be parked.
    pub(super) fn is_settled(&self) -> bool {
        self.is_read.load(Ordering::Relaxed)
            && self.is_flushed.load(Ordering::Relaxed)
            && self.output.lock().bytes.is_empty()
            && self.made.lock().is_empty()
            && self.client.as_ref().is_some_and(|client| {
                let mut client = client.lock();
                !client.intake.has_open_head()
                    && client.intake.replies().is_empty()
                    && client.account.is_settled()
                    && client.sent.is_between()
            })
    }

    /// Calls `with` with what both sides of a client's connection have agreed on.
    pub(super) fn account<T>(&self, with: impl FnOnce(&mut Account) -> T) -> Option<T> {
        Some(with(&mut self.client.as_ref()?.lock().account))
    }

    /// Since when the peer has accepted nothing of what waits to be sent.
    pub fn blocked_since(&self) -> Option<Instant> {
        self.counts.lock().blocked
    }

    /// Why the connection was given up, if it was.
    pub fn fault(&self) -> Option<Fault> {
        self.counts.lock().fault.clone()
    }

    /// Counts bytes of a body that were sent.
    pub(super) fn sent_payload(&self, bytes: usize) {
        self.counts.lock().sent_payload += bytes as u64;
    }

    /// Reads along.
    ///
    /// # Errors
    ///
    /// Most of what came so far carries nothing.
    fn received(&self, bytes: &[u8]) -> io::Result<()> {
        let mut counts = self.counts.lock();
        counts.frames.read(bytes);
        counts.total += bytes.len() as u64;
        let payload = counts.frames.payload + counts.sent_payload;
        if counts.total / limits::HTTP2_FLOOD_SHARE > payload + limits::HTTP2_FLOOD_BYTES {
            counts.fault = Some(Fault::Flood);
            return Err(io::Error::other("http2 flood detected"));
        }
        Ok(())
    }

    /// Takes bytes that were received, and appends what the crate gets for them.
    ///
    /// # Errors
    ///
    /// The connection is given up: what the crate gets comes first.
    fn take(&self, bytes: &[u8], passed: &mut Vec<u8>) -> io::Result<()> {
        self.received(bytes)?;
        let Some(client) = &self.client else {
            passed.extend_from_slice(bytes);
            return Ok(());
        };
        let taken = {
            let mut client = client.lock();
            let taken = client.intake.take(bytes, passed);
            client.account.received(passed);
            taken
        };
        taken.map_err(|violation| {
            self.counts.lock().fault = Some(Fault::Frame(violation));
            io::Error::other("a frame that the client may not send")
        })
    }

    /// Takes note of bytes of the crate's that were accepted.
    fn accepted(&self, bufs: &[IoSlice<'_>], mut length: usize) {
        let Some(client) = &self.client else { return };
        let Client { account, sent, intake, refused, newly_refused } = &mut *client.lock();
        for buf in bufs {
            let mut bytes = &buf[..length.min(buf.len())];
            length -= bytes.len();
            while let Some(part) = sent.next(&mut bytes) {
                account.sent(&part);
                match part {
                    Part::Frame { kind: DATA | HEADERS, flags, stream, .. } if flags & END_STREAM != 0 => {
                        intake.streams().sent(stream);
                    }
                    Part::Frame { kind: RST_STREAM, stream, .. } => {
                        let follows_response = intake.streams().cut(stream);
                        if follows_response {
                            self.output.lock().end_before_frame(bytes.len() + length);
                        }
                    }
                    Part::Reset(Reason::REFUSED_STREAM) => {
                        intake.refused();
                        *refused += 1;
                        *newly_refused += 1;
                    }
                    _ => {}
                }
                if let Some(order) = &self.order {
                    order.wrote(&part);
                }
            }
        }
    }

    fn sent(&self, bytes: usize) {
        let mut counts = self.counts.lock();
        counts.total += bytes as u64;
        counts.sent += bytes as u64;
        counts.blocked = None;
    }

    fn is_full(&self) {
        self.counts.lock().blocked.get_or_insert_with(Instant::now);
    }

    /// From now on output is gathered until [`Traffic::poll_output`] is called, or there is enough of it.
    pub fn gather(&self) {
        self.output.lock().gathers = true;
    }

    /// Adds short frames to an output that is empty, so that there is room for them: that of a connection that was parked, or has
    /// just begun.
    pub(super) fn say(&self, frames: &[u8]) {
        if !frames.is_empty() {
            self.output.lock().add(&[IoSlice::new(frames)], frames.len());
        }
    }

    /// Writes what was gathered.
    ///
    /// # Errors
    ///
    /// Errors of the socket.
    pub fn poll_output(&self, socket: &dyn Carrier, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.add_replies();
        let mut output = self.output.lock();
        while output.written < output.bytes.len() {
            let bytes = IoSlice::new(output.next());
            let written = ready!(self.poll_written(socket, &[bytes], cx))?;
            output.written += written;
        }
        output.rest();
        drop(output);
        socket.poll_flush(cx)
    }

    fn poll_written(
        &self,
        socket: &dyn Carrier,
        bufs: &[IoSlice<'_>],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match socket.try_write_vectored(bufs) {
                Ok(length) => {
                    self.sent(length);
                    return Poll::Ready(Ok(length));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_full();
                    ready!(socket.poll_write_ready(cx))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// A connection's socket. What was read of it before comes first.
#[derive(Debug)]
pub(super) struct Http2Io {
    socket: Arc<dyn Carrier>,
    before: Bytes,
    /// What the crate is still to get.
    pending: Bytes,
    /// How the connection ends behind it: with an error, or because the peer has closed.
    ending: Option<io::Result<()>>,
    /// Number of requests that the connection had to take when the end was put off.
    put_off: Option<usize>,
    traffic: Arc<Traffic>,
    /// Whether something was written.
    has_begun: bool,
    /// What stands in for the socket, until it has ended.
    replay: Option<Arc<Replay>>,
}

impl Http2Io {
    /// The socket, of which `before` was read already.
    pub(super) fn new(socket: Arc<dyn Carrier>, before: Bytes, traffic: Arc<Traffic>) -> Self {
        let (pending, ending, put_off) = (Bytes::new(), None, None);
        Http2Io { socket, before, pending, ending, put_off, traffic, has_begun: false, replay: None }
    }

    /// The socket of a connection that was parked.
    pub(super) fn resumed(socket: Arc<dyn Carrier>, traffic: Arc<Traffic>, replay: Arc<Replay>) -> Self {
        Http2Io { replay: Some(replay), has_begun: true, ..Http2Io::new(socket, Bytes::new(), traffic) }
    }

    /// Whether what is written is for the stand-in, which drops it.
    fn is_replaying(&self) -> bool {
        self.replay.as_ref().is_some_and(|replay| !replay.has_ended())
    }

    /// Reads by way of a buffer of the thread's. The one of the connection would be written with zeros from end to end, which costs
    /// more than to copy what has come, and keeps all of its pages resident.
    fn read(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        SCRATCH.with_borrow_mut(|scratch| {
            let room = buf.remaining().min(scratch.len());
            let length = match self.before.is_empty() {
                true => self.socket.try_read(&mut scratch[..room])?,
                false => {
                    let length = self.before.len().min(room);
                    self.before.copy_to_slice(&mut scratch[..length]);
                    length
                }
            };
            PASSED.with_borrow_mut(|passed| {
                passed.clear();
                self.ending = match self.traffic.take(&scratch[..length], passed) {
                    Ok(()) => (length == 0).then_some(Ok(())),
                    Err(error) => Some(Err(error)),
                };
                let (now, later) = passed.split_at(passed.len().min(buf.remaining()));
                buf.put_slice(now);
                self.pending = Bytes::copy_from_slice(later);
            });
            Ok(())
        })
    }

    /// Gathers output or writes it; how much of it.
    fn poll_accepted(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let length = bufs.iter().map(|buf| buf.len()).sum();
        if !std::mem::replace(&mut self.has_begun, true) && self.traffic.order.is_some() {
            let beginning: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
            if let Some(changed) = without_priority_frames(&beginning) {
                self.traffic.output.lock().bytes = changed;
                return Poll::Ready(Ok(length));
            }
        }
        self.traffic.add_replies();
        let (gathers, waits) = {
            let mut output = self.traffic.output.lock();
            if output.gathers && length <= limits::HTTP2_GATHERED_WRITE && output.add(bufs, length) {
                return Poll::Ready(Ok(length));
            }
            (output.gathers, !output.bytes.is_empty())
        };
        if waits {
            ready!(self.traffic.poll_output(&*self.socket, cx))?;
        }
        if gathers && length <= limits::HTTP2_GATHERED_WRITE && self.traffic.output.lock().add(bufs, length) {
            return Poll::Ready(Ok(length));
        }
        self.traffic.poll_written(&*self.socket, bufs, cx)
    }
}

impl AsyncRead for Http2Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(replay) = &self.replay {
            match replay.read(buf) {
                Replayed::Bytes => return Poll::Ready(Ok(())),
                Replayed::Nothing => return Poll::Pending,
                Replayed::Ended => self.replay = None,
            }
        }
        if !self.pending.is_empty() {
            let length = self.pending.len().min(buf.remaining());
            buf.put_slice(&self.pending.split_to(length));
            return Poll::Ready(Ok(()));
        }
        self.traffic.is_read.store(false, Ordering::Relaxed);
        let before = buf.filled().len();
        loop {
            if let Some(ending) = self.ending.take() {
                // As in nginx, requests that came before are answered: the crate would not pass them on.
                let waiting = self.traffic.waiting_heads();
                if self.put_off.replace(waiting) != Some(waiting) {
                    self.ending = Some(ending);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                return Poll::Ready(ending);
            }
            if let Some(made) = self.traffic.take_made(buf.remaining()) {
                buf.put_slice(&made);
                return Poll::Ready(Ok(()));
            }
            match self.read(buf) {
                Ok(()) if buf.filled().len() > before => return Poll::Ready(Ok(())),
                // What came may be nothing for the crate.
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.socket.poll_read_ready(cx)?.is_pending() {
                        self.traffic.is_read.store(true, Ordering::Relaxed);
                        return Poll::Pending;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.ending = Some(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Http2Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_replaying() {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        self.traffic.is_flushed.store(false, Ordering::Relaxed);
        let accepted = ready!(self.poll_accepted(cx, bufs))?;
        self.traffic.accepted(bufs, accepted);
        Poll::Ready(Ok(accepted))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_replaying() {
            if !self.traffic.output.lock().gathers {
                ready!(self.traffic.poll_output(&*self.socket, cx))?;
            }
            self.traffic.is_flushed.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.traffic.poll_output(&*self.socket, cx))?;
        self.socket.shutdown_write();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
