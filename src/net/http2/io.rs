//! The socket of an HTTP/2 connection, for the crate h2.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::carrier::Carrier;
use super::frames::FrameReader;
use crate::limits;

thread_local! {
    /// What was read last.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; limits::READ_BYTES].into());
}

/// What a connection has received and sent, shared by its socket and its owner.
#[derive(Debug, Default)]
pub struct Traffic(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    frames: FrameReader,
    /// Bytes received and sent.
    total: u64,
    /// Bytes of bodies that were sent.
    sent_payload: u64,
    /// Since when the peer has accepted nothing.
    blocked: Option<Instant>,
    is_flooded: bool,
}

impl Traffic {
    /// Whether a frame or the head of a request has begun and not ended.
    pub fn is_incomplete(&self) -> bool {
        self.0.lock().frames.is_incomplete()
    }

    /// The length of a head whose stream was reset without being passed on; only with `all_taken` of those behind the last request.
    pub fn take_refused(&self, all_taken: bool) -> Option<usize> {
        let mut traffic = self.0.lock();
        if all_taken {
            traffic.frames.settle();
        }
        traffic.frames.take_refused()
    }

    /// See [`FrameReader::take_head`].
    pub fn take_head(&self, stream: u32) -> usize {
        self.0.lock().frames.take_head(stream)
    }

    /// See [`FrameReader::rest`].
    pub fn rest(&self) {
        self.0.lock().frames.rest();
    }

    /// Since when the peer has accepted nothing of what waits to be sent.
    pub fn blocked_since(&self) -> Option<Instant> {
        self.0.lock().blocked
    }

    /// Whether the connection was given up because most of what came carries nothing.
    pub fn is_flooded(&self) -> bool {
        self.0.lock().is_flooded
    }

    /// Counts bytes of a body that were sent.
    pub(super) fn sent_payload(&self, bytes: usize) {
        self.0.lock().sent_payload += bytes as u64;
    }

    /// Reads along.
    ///
    /// # Errors
    ///
    /// Most of what came so far carries nothing.
    fn received(&self, bytes: &[u8]) -> io::Result<()> {
        let mut counts = self.0.lock();
        counts.frames.read(bytes);
        counts.total += bytes.len() as u64;
        let payload = counts.frames.payload + counts.sent_payload;
        if counts.total / limits::HTTP2_FLOOD_SHARE > payload + limits::HTTP2_FLOOD_BYTES {
            counts.is_flooded = true;
            return Err(io::Error::other("http2 flood detected"));
        }
        Ok(())
    }

    fn sent(&self, bytes: usize) {
        let mut counts = self.0.lock();
        counts.total += bytes as u64;
        counts.blocked = None;
    }

    fn is_full(&self) {
        self.0.lock().blocked.get_or_insert_with(Instant::now);
    }
}

/// A connection's socket. What was read of it before comes first.
#[derive(Debug)]
pub struct Http2Io {
    socket: Arc<dyn Carrier>,
    before: Bytes,
    traffic: Arc<Traffic>,
}

impl Http2Io {
    /// The socket, of which `before` was read already.
    pub fn new(socket: Arc<dyn Carrier>, before: Bytes, traffic: Arc<Traffic>) -> Self {
        Http2Io { socket, before, traffic }
    }

    /// Reads by way of a buffer of the thread's. The one of the connection would be written with zeros from end to end, which costs
    /// more than to copy what has come, and keeps all of its pages resident.
    fn read(&self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        SCRATCH.with_borrow_mut(|scratch| {
            let room = buf.remaining().min(scratch.len());
            let length = self.socket.try_read(&mut scratch[..room])?;
            buf.put_slice(&scratch[..length]);
            self.traffic.received(&scratch[..length])
        })
    }

    fn poll_written(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&dyn Carrier) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write(&*self.socket) {
                Ok(length) => {
                    self.traffic.sent(length);
                    return Poll::Ready(Ok(length));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.traffic.is_full();
                    ready!(self.socket.poll_write_ready(cx))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncRead for Http2Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.before.is_empty() {
            let length = self.before.len().min(buf.remaining());
            self.traffic.received(&self.before[..length])?;
            buf.put_slice(&self.before[..length]);
            self.before.advance(length);
            return Poll::Ready(Ok(()));
        }
        loop {
            match self.read(buf) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_read_ready(cx))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Http2Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_written(cx, |socket| socket.try_write_vectored(&[IoSlice::new(buf)]))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_written(cx, |socket| socket.try_write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.shutdown_write();
        Poll::Ready(Ok(()))
    }
}
