//! A connection to a backend during a request: sends, receives, and counts.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;

use crate::http::upstream::idle::PeerConnection;
use crate::net::socket::Socket;
use crate::task::patience::end_of;

/// A connection in use.
#[derive(Debug)]
pub(super) struct BackendConnection {
    pub(super) connection: PeerConnection,
    /// What was received and not processed.
    pub(super) received: BytesMut,
    /// Whether it was idle before.
    pub(super) is_cached: bool,
    /// Bytes sent for this request.
    pub(super) sent: u64,
}

/// How sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendOutcome {
    /// Everything is sent.
    All,
    /// The backend has answered before.
    Early,
}

/// Why a call has failed.
#[derive(Debug)]
pub(super) enum LinkError {
    /// The system's call, and its error.
    Failed(&'static str, io::Error),
    TimedOut,
    /// The backend has closed.
    Closed,
}

enum Ready {
    Write,
    Read,
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl BackendConnection {
    pub(super) fn new(connection: PeerConnection, is_cached: bool) -> BackendConnection {
        BackendConnection { connection, received: BytesMut::new(), is_cached, sent: 0 }
    }

    fn socket(&self) -> &Arc<Socket> {
        &self.connection.socket
    }

    /// Sends bytes, unless the backend answers before it has taken them. `patience` is the time between two writes.
    pub(super) async fn send(
        &mut self,
        mut bytes: &[u8],
        patience: Duration,
    ) -> Result<SendOutcome, LinkError> {
        while !bytes.is_empty() {
            match self.socket().try_write(bytes) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(written) => {
                    self.sent += written as u64;
                    bytes = &bytes[written..];
                    continue;
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(LinkError::Failed("send", error)),
            }
            let ready = |socket: &Socket, cx: &mut Context<'_>| {
                if let Poll::Ready(ready) = socket.poll_write_ready(cx) {
                    return Poll::Ready(ready.map(|()| Ready::Write));
                }
                socket.poll_read_ready(cx).map(|ready| ready.map(|()| Ready::Read))
            };
            match self.within(patience, ready).await {
                None => return Err(LinkError::TimedOut),
                Some(Err(error)) => return Err(LinkError::Failed("send", error)),
                Some(Ok(Ready::Write)) => {}
                Some(Ok(Ready::Read)) => {
                    if self.has_input()? {
                        return Ok(SendOutcome::Early);
                    }
                }
            }
        }
        Ok(SendOutcome::All)
    }

    /// Sends what TLS holds back.
    pub(super) async fn flush(&mut self, patience: Duration) -> Result<(), LinkError> {
        match self.within(patience, |socket, cx| socket.poll_flush(cx)).await {
            None => Err(LinkError::TimedOut),
            Some(flushed) => flushed.map_err(|error| LinkError::Failed("send", error)),
        }
    }

    /// Whether the backend has sent something.
    fn has_input(&mut self) -> Result<bool, LinkError> {
        let socket = self.socket().clone();
        match socket.read_some(&mut self.received, 1) {
            Ok(0) => Err(LinkError::Closed),
            Ok(_) => Ok(true),
            Err(error) if is_passing(&error) => Ok(false),
            Err(error) => Err(LinkError::Failed("recv", error)),
        }
    }

    /// Waits until the backend sends something, although it was not asked completely.
    pub(super) async fn answered(&mut self) -> Result<(), LinkError> {
        let socket = self.socket().clone();
        loop {
            poll_fn(|cx| socket.poll_read_ready(cx))
                .await
                .map_err(|error| LinkError::Failed("recv", error))?;
            if self.has_input()? {
                return Ok(());
            }
        }
    }

    /// Receives `room` bytes at most; returns how many, at least one. `patience` is the time between two reads.
    pub(super) async fn receive(&mut self, room: usize, patience: Duration) -> Result<usize, LinkError> {
        loop {
            match self.connection.socket.read_some(&mut self.received, room) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(length) => return Ok(length),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(LinkError::Failed("recv", error)),
            }
            match self.within(patience, |socket, cx| socket.poll_read_ready(cx)).await {
                None => return Err(LinkError::TimedOut),
                Some(ready) => ready.map_err(|error| LinkError::Failed("recv", error))?,
            }
        }
    }

    /// Waits for the socket, for this time at most; `None` after that.
    async fn within<T>(
        &mut self,
        patience: Duration,
        ready: impl Fn(&Socket, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Option<io::Result<T>> {
        let connection = &mut self.connection;
        let mut until = None;
        poll_fn(|cx| {
            if let Poll::Ready(ready) = ready(&connection.socket, cx) {
                return Poll::Ready(Some(ready));
            }
            let until = *until.get_or_insert_with(|| end_of(patience));
            connection.patience.poll_over(until, cx).map(|()| None)
        })
        .await
    }
}
