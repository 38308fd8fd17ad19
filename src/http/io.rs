//! hyper's view of the socket, and the handover of a live response from hyper to the delivery loop.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Read, ReadBufCursor, Write};
use parking_lot::Mutex;
use tokio::time::Sleep;

use super::heads::HeadTracker;
use super::player::HttpPlayer;
use crate::directive::Msec;
use crate::net::socket::Socket;

/// Bytes read for hyper at once; requests are small.
const READ: usize = 8 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// Handover of a live response: armed by the handler, flushed when hyper has written the head, then taken.
///
/// ```text
/// Idle --arm (handler)--> Armed --hyper flushed the head--> Flushed --take (connection task)--> Idle
/// ```
#[derive(Default)]
pub(super) struct LiveTakeover {
    state: Mutex<TakeoverState>,
    /// Send timeout in milliseconds; 0 means none.
    send_timeout: AtomicU64,
    /// Time at which the client last accepted data.
    written: Mutex<Option<Instant>>,
}

#[derive(Default)]
enum TakeoverState {
    #[default]
    Idle,
    Armed(Box<HttpPlayer>),
    Flushed(Box<HttpPlayer>),
}

impl LiveTakeover {
    /// Announces that the handler's response is live: `player` continues once its head is written.
    pub(super) fn arm(&self, player: HttpPlayer) {
        *self.state.lock() = TakeoverState::Armed(Box::new(player));
    }

    /// Sets the send timeout from the next wait on; zero means none.
    pub(super) fn set_send_timeout(&self, timeout: Msec) {
        self.send_timeout.store(timeout.0, Ordering::Relaxed);
    }

    /// Time at which the client last accepted data.
    pub(super) fn written(&self) -> Option<Instant> {
        *self.written.lock()
    }

    /// Whether the head is written.
    pub(super) fn is_flushed(&self) -> bool {
        matches!(*self.state.lock(), TakeoverState::Flushed(_))
    }

    /// The player, once the head is written.
    pub(super) fn take(&self) -> Option<Box<HttpPlayer>> {
        let mut state = self.state.lock();
        match std::mem::take(&mut *state) {
            TakeoverState::Flushed(player) => Some(player),
            TakeoverState::Idle | TakeoverState::Armed(_) => None,
        }
    }

    /// Called when hyper has written everything: for an armed live response this is the head, since its body is silent.
    fn flushed(&self) {
        let mut state = self.state.lock();
        *state = match std::mem::take(&mut *state) {
            TakeoverState::Armed(player) => TakeoverState::Flushed(player),
            other => other,
        };
    }
}

/// hyper's socket; see the module's documentation.
pub(super) struct HttpIo {
    socket: Arc<Socket>,
    takeover: Arc<LiveTakeover>,
    heads: Arc<HeadTracker>,
    /// Timer that runs while the client accepts nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl HttpIo {
    /// Wraps `socket`, which others may use after the handover.
    pub(super) fn new(socket: Arc<Socket>, takeover: Arc<LiveTakeover>, heads: Arc<HeadTracker>) -> Self {
        HttpIo { socket, takeover, heads, stalled: None }
    }

    /// Resolves when the client has accepted nothing for too long.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timeout = match self.takeover.send_timeout.load(Ordering::Relaxed) {
            0 => return Poll::Pending,
            millis => Duration::from_millis(millis),
        };
        self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout))).as_mut().poll(cx)
    }
}

impl Read for HttpIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            let read = BUFFER.with_borrow_mut(|buffer| {
                let want = buffer.len().min(buf.remaining());
                let n = self.socket.try_read(&mut buffer[..want])?;
                self.heads.follow(&buffer[..n]);
                buf.put_slice(&buffer[..n]);
                Ok(())
            });
            match read {
                Err(e) if io::Error::kind(&e) == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl Write for HttpIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.socket.poll_write_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => {
                    return self.poll_stalled(cx).map(|()| Err(io::ErrorKind::TimedOut.into()));
                }
            }
            match self.socket.try_write(buf) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                done => {
                    self.stalled = None;
                    *self.takeover.written.lock() = Some(Instant::now());
                    return Poll::Ready(done);
                }
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.socket.poll_flush(cx) {
            Poll::Ready(flushed) => flushed?,
            Poll::Pending => return self.poll_stalled(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
        }
        self.stalled = None;
        self.takeover.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.socket.poll_flush(cx).is_pending() {
            return self.poll_stalled(cx).map(|()| Err(io::ErrorKind::TimedOut.into()));
        }
        self.socket.shutdown_write();
        Poll::Ready(Ok(()))
    }
}
