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
    /// The empty buffer for the next connection that gathers output.
    static SPARE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What a connection has received and sent, shared by its socket and its owner.
#[derive(Debug, Default)]
pub struct Traffic {
    counts: Mutex<Counts>,
    output: Mutex<Output>,
}

/// Output that waits to be written. The crate h2 writes every response by itself; gathered, those to requests that came together
/// take one call of the system, and one record of TLS.
#[derive(Debug, Default)]
struct Output {
    gathers: bool,
    bytes: Vec<u8>,
    /// Number of bytes at the beginning that were written.
    written: usize,
}

impl Output {
    /// Adds the bytes, if there is room for all of them.
    fn add(&mut self, bufs: &[IoSlice<'_>], length: usize) -> bool {
        if self.bytes.len() + length > limits::HTTP2_GATHERED {
            return false;
        }
        if self.bytes.capacity() == 0 {
            self.bytes = SPARE.take();
        }
        bufs.iter().for_each(|buf| self.bytes.extend_from_slice(buf));
        true
    }

    /// Gives the memory of written output back.
    fn rest(&mut self) {
        self.written = 0;
        self.bytes.clear();
        if self.bytes.capacity() > 0 {
            SPARE.set(std::mem::take(&mut self.bytes));
        }
    }
}

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
        self.counts.lock().frames.is_incomplete()
    }

    /// The length of a head whose stream was reset without being passed on; only with `all_taken` of those behind the last request.
    pub fn take_refused(&self, all_taken: bool) -> Option<usize> {
        let mut traffic = self.counts.lock();
        if all_taken {
            traffic.frames.settle();
        }
        traffic.frames.take_refused()
    }

    /// See [`FrameReader::take_head`].
    pub fn take_head(&self, stream: u32) -> usize {
        self.counts.lock().frames.take_head(stream)
    }

    /// See [`FrameReader::rest`].
    pub fn rest(&self) {
        self.counts.lock().frames.rest();
    }

    /// Since when the peer has accepted nothing of what waits to be sent.
    pub fn blocked_since(&self) -> Option<Instant> {
        self.counts.lock().blocked
    }

    /// Whether the connection was given up because most of what came carries nothing.
    pub fn is_flooded(&self) -> bool {
        self.counts.lock().is_flooded
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
            counts.is_flooded = true;
            return Err(io::Error::other("http2 flood detected"));
        }
        Ok(())
    }

    fn sent(&self, bytes: usize) {
        let mut counts = self.counts.lock();
        counts.total += bytes as u64;
        counts.blocked = None;
    }

    fn is_full(&self) {
        self.counts.lock().blocked.get_or_insert_with(Instant::now);
    }

    /// From now on output is gathered until [`Traffic::poll_output`] is called, or there is enough of it.
    pub fn gather(&self) {
        self.output.lock().gathers = true;
    }

    /// Writes what was gathered.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn poll_output(&self, socket: &dyn Carrier, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut output = self.output.lock();
        while output.written < output.bytes.len() {
            let bytes = IoSlice::new(&output.bytes[output.written..]);
            output.written += ready!(self.poll_written(socket, &[bytes], cx))?;
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
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bufs.iter().map(|buf| buf.len()).sum();
        let is_gathered = {
            let mut output = self.traffic.output.lock();
            if output.gathers && length <= limits::HTTP2_GATHERED_WRITE && output.add(bufs, length) {
                return Poll::Ready(Ok(length));
            }
            output.gathers
        };
        if is_gathered {
            ready!(self.traffic.poll_output(&*self.socket, cx))?;
            if length <= limits::HTTP2_GATHERED_WRITE && self.traffic.output.lock().add(bufs, length) {
                return Poll::Ready(Ok(length));
            }
        }
        self.traffic.poll_written(&*self.socket, bufs, cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.traffic.output.lock().gathers {
            return Poll::Ready(Ok(()));
        }
        self.socket.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.traffic.poll_output(&*self.socket, cx))?;
        self.socket.shutdown_write();
        Poll::Ready(Ok(()))
    }
}
