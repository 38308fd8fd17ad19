//! Tunnels of connections that were upgraded (WebSocket).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use tokio::time::Sleep;

use super::body::Afterwards;
use super::link::BackendConnection;
use crate::http::tunnel::{Tunnel, TunnelFailure, TunnelSide};
use crate::limits;
use crate::net::socket::Socket;
use crate::task::patience::end_since;

/// A connection to a backend that was upgraded.
#[derive(Debug)]
pub(super) struct UpgradedLink {
    link: BackendConnection,
    afterwards: Afterwards,
    times: TunnelTimes,
    /// Bytes from the client to the backend, and back.
    counts: [Counts; 2],
}

/// Times of a tunnel with a backend.
#[derive(Clone, Copy, Debug)]
pub(super) struct TunnelTimes {
    /// In which the backend must take more (`proxy_send_timeout`).
    pub(super) send: Duration,
    /// In which something must happen while the backend may send (`proxy_read_timeout`).
    pub(super) read: Duration,
}

/// Bytes of one direction.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    received: u64,
    sent: u64,
}

/// One direction.
struct Direction<'a> {
    from: Arc<Socket>,
    to: Arc<Socket>,
    sides: (TunnelSide, TunnelSide),
    buffer: BytesMut,
    counts: &'a mut Counts,
    /// Whether nothing more comes.
    is_ended: bool,
    /// Why, if the sending side has not closed.
    failure: Option<TunnelFailure>,
    /// Whether there is room for more, which has not come.
    waits_to_read: bool,
    /// Whether something is left that the receiving side does not take.
    waits_to_write: bool,
}

impl Direction<'_> {
    /// Passes on what can be; whether something was. `is_woken_by_socket` tells that no timer is the reason for this call.
    ///
    /// # Errors
    ///
    /// Nothing more can be written.
    fn work(&mut self, cx: &mut Context<'_>, is_woken_by_socket: bool) -> io::Result<bool> {
        (self.waits_to_read, self.waits_to_write) = (false, false);
        let mut has_worked = false;
        for _ in 0..limits::PROXY_TUNNEL_TURNS {
            has_worked |= self.write(cx)?;
            if self.read() {
                has_worked = true;
                continue;
            }
            if self.buffer.is_empty() && self.to.poll_flush(cx)?.is_pending() {
                self.waits_to_write = true;
            }
            // How much TLS holds back is not known, but a socket that wakes the task has taken some of it.
            has_worked |= self.waits_to_write && is_woken_by_socket && self.to.is_tls();
            if self.is_ended || self.buffer.len() >= limits::PROXY_TUNNEL_BYTES {
                return Ok(has_worked);
            }
            match self.from.poll_read_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => self.end(error),
                Poll::Pending => {
                    self.waits_to_read = true;
                    return Ok(has_worked);
                }
            }
        }
        // The other tasks of the worker are due.
        cx.waker().wake_by_ref();
        Ok(true)
    }

    /// Writes what is there, as far as the receiving side takes it; whether it has taken something.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut has_written = false;
        self.waits_to_write = false;
        while !self.buffer.is_empty() {
            match self.to.try_write(&self.buffer) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.buffer.advance(written);
                    self.counts.sent += written as u64;
                    has_written = true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.to.poll_write_ready(cx)?.is_pending() {
                        self.waits_to_write = true;
                        return Ok(has_written);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(has_written)
    }

    /// Reads what fits; whether something has come, or the end.
    fn read(&mut self) -> bool {
        let room = limits::PROXY_TUNNEL_BYTES.saturating_sub(self.buffer.len());
        if self.is_ended || room == 0 {
            return false;
        }
        match self.from.read_some(&mut self.buffer, room) {
            Ok(0) => self.is_ended = true,
            Ok(length) => self.counts.received += length as u64,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => self.end(error),
        }
        true
    }

    /// Notes that nothing more can be read. As in nginx, what was read is still passed on.
    fn end(&mut self, error: io::Error) {
        self.is_ended = true;
        self.failure = Some(TunnelFailure::Failed { side: self.sides.0, call: "recv", error });
    }

    /// Whether everything is passed on.
    fn is_done(&self) -> bool {
        self.is_ended && self.buffer.is_empty() && !self.waits_to_write
    }
}

/// A tunnel that passes bytes on.
struct Running<'a> {
    /// From the client to the backend, and back.
    directions: [Direction<'a>; 2],
    times: TunnelTimes,
    /// Time in which the client must take more.
    client: Option<Duration>,
    /// When something was passed on last.
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Running<'_> {
    /// Resolves at the end.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TunnelFailure>> {
        match self.work(cx) {
            Ok(true) => self.poll_timed_out(cx),
            Ok(false) => {
                let failed = self.directions.iter_mut().find_map(|direction| direction.failure.take());
                Poll::Ready(failed.map_or(Ok(()), Err))
            }
            Err(failure) => Poll::Ready(Err(failure)),
        }
    }

    /// Passes on what can be. Returns whether more may follow.
    fn work(&mut self, cx: &mut Context<'_>) -> Result<bool, TunnelFailure> {
        let is_woken_by_socket = !self.timer.is_elapsed();
        let [up, down] = &self.directions;
        // A socket is read before it is written to, so that a reset shows where nginx sees it.
        let order = if up.buffer.is_empty() || !down.buffer.is_empty() { [0, 1] } else { [1, 0] };
        // Both are looked at, so that each is woken by its own sockets.
        let worked = order.map(|at| self.directions[at].work(cx, is_woken_by_socket));
        for (at, worked) in order.into_iter().zip(worked) {
            let direction = &mut self.directions[at];
            match worked {
                Ok(true) => self.since = Instant::now(),
                Ok(false) => {}
                Err(error) => {
                    return Err(TunnelFailure::Failed { side: direction.sides.1, call: "send", error });
                }
            }
            // As in nginx, the end of one side is the end of both once everything is passed on.
            if direction.is_done() {
                return Ok(false);
            }
        }
        Ok(self.directions.iter().any(|direction| !direction.is_ended))
    }

    /// Waits for the end of the shortest time that runs. As in nginx, all of them begin anew with whatever is passed on.
    fn poll_timed_out(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TunnelFailure>> {
        let [up, down] = &self.directions;
        let running = [
            self.client.filter(|_| down.waits_to_write).map(|time| (time, TunnelFailure::ClientTimedOut)),
            up.waits_to_write.then_some((self.times.send, TunnelFailure::UpstreamTimedOut)),
            down.waits_to_read.then_some((self.times.read, TunnelFailure::UpstreamTimedOut)),
        ];
        let Some((time, failure)) = running.into_iter().flatten().min_by_key(|(time, _)| *time) else {
            return Poll::Pending;
        };
        let until = end_since(self.since, time).into();
        if self.timer.deadline() != until || self.timer.is_elapsed() {
            self.timer.as_mut().reset(until);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(Err(failure))
    }
}

impl UpgradedLink {
    pub(super) fn new(link: BackendConnection, afterwards: Afterwards, times: TunnelTimes) -> UpgradedLink {
        UpgradedLink { link, afterwards, times, counts: Default::default() }
    }
}

impl Tunnel for UpgradedLink {
    fn run<'a>(
        &'a mut self,
        client: Arc<Socket>,
        received: Bytes,
        send_timeout: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = Result<(), TunnelFailure>> + Send + 'a>> {
        let backend = self.link.connection.socket.clone();
        // What came with the head is counted already; nginx counts nothing as the body.
        let early = self.link.received.split();
        let [up, down] = &mut self.counts;
        let direction = |from: (&Arc<Socket>, _), to: (&Arc<Socket>, _), buffer, counts| Direction {
            from: from.0.clone(),
            to: to.0.clone(),
            sides: (from.1, to.1),
            buffer,
            counts,
            is_ended: false,
            failure: None,
            waits_to_read: false,
            waits_to_write: false,
        };
        let (client, backend) = ((&client, TunnelSide::Client), (&backend, TunnelSide::Upstream));
        let up = direction(client, backend, BytesMut::from(&received[..]), up);
        let down = direction(backend, client, early, down);
        let (since, times) = (Instant::now(), self.times);
        Box::pin(async move {
            let timer = Box::pin(tokio::time::sleep_until(end_since(since, times.read).into()));
            let mut running = Running { directions: [up, down], times, client: send_timeout, since, timer };
            poll_fn(|cx| running.poll(cx)).await
        })
    }

    fn sent(&self) -> u64 {
        self.counts[1].sent
    }
}

impl Drop for UpgradedLink {
    fn drop(&mut self) {
        let [up, down] = self.counts;
        self.afterwards.attempts.latest(|attempt| {
            attempt.received += down.received;
            attempt.sent = self.link.sent() + up.sent;
        });
        self.afterwards.attempts.end();
    }
}
