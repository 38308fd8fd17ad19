//! Tunnels of connections that were upgraded (WebSocket).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::time::{Instant, sleep_until};

use super::body::Afterwards;
use super::link::BackendConnection;
use crate::http::response::Tunnel;
use crate::limits;
use crate::net::socket::Socket;

/// A connection to a backend that was upgraded.
#[derive(Debug)]
pub(super) struct UpgradedLink {
    pub(super) link: BackendConnection,
    pub(super) afterwards: Afterwards,
    /// Time without bytes from the backend, and without bytes that either side takes.
    pub(super) patience: Duration,
}

/// One direction.
struct Direction {
    from: Arc<Socket>,
    to: Arc<Socket>,
    buffer: BytesMut,
    /// Whether nothing more comes.
    is_ended: bool,
    passed: u64,
}

impl Direction {
    /// Passes on what can be; whether something was. An error ends both directions.
    fn work(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut has_worked = false;
        for _ in 0..limits::PROXY_TUNNEL_TURNS {
            if !self.buffer.is_empty() {
                match self.to.try_write(&self.buffer) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => {
                        self.buffer.advance(written);
                        self.passed += written as u64;
                        has_worked = true;
                        continue;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        match self.to.poll_write_ready(cx) {
                            Poll::Ready(ready) => ready?,
                            Poll::Pending => return Ok(has_worked),
                        }
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            if self.is_ended {
                // As in nginx, the end of one side is the end of both once everything is passed on.
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match self.from.read_some(&mut self.buffer, limits::PROXY_TUNNEL_BYTES) {
                Ok(0) => self.is_ended = true,
                Ok(_) => has_worked = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.to.poll_flush(cx)?.is_pending() {
                        has_worked = true;
                    }
                    match self.from.poll_read_ready(cx) {
                        Poll::Ready(ready) => ready?,
                        Poll::Pending => return Ok(has_worked),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        // The other tasks of the worker are due.
        cx.waker().wake_by_ref();
        Ok(true)
    }
}

impl Tunnel for UpgradedLink {
    fn run(
        self: Box<Self>,
        client: Arc<Socket>,
        received: Bytes,
    ) -> Pin<Box<dyn Future<Output = u64> + Send>> {
        Box::pin(async move {
            let UpgradedLink { link, afterwards, patience } = *self;
            let backend = link.connection.socket.clone();
            let direction = |from: &Arc<Socket>, to: &Arc<Socket>, buffer| Direction {
                from: from.clone(),
                to: to.clone(),
                buffer,
                is_ended: false,
                passed: 0,
            };
            let mut up = direction(&client, &backend, BytesMut::from(&received[..]));
            let early = link.received.len() as u64;
            let mut down = direction(&backend, &client, link.received.clone());
            let mut timer = Box::pin(sleep_until(Instant::now() + patience));
            poll_fn(|cx| {
                // Both are looked at, so that each is woken by its own sockets.
                let worked = (up.work(cx), down.work(cx));
                let (Ok(up), Ok(down)) = worked else { return Poll::Ready(()) };
                if up || down {
                    timer.as_mut().reset(Instant::now() + patience);
                }
                timer.as_mut().poll(cx)
            })
            .await;
            let (sent, received) = (up.passed, down.passed);
            // What came with the head is counted already; nginx counts nothing as the body.
            let later = received.saturating_sub(early);
            afterwards.attempts.latest(|attempt| {
                attempt.received += later;
                attempt.sent = link.sent() + sent;
            });
            afterwards.attempts.end();
            received
        })
    }
}
