//! Receives what a client sends while no head is waited for.

use std::future::poll_fn;
use std::io;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::time::timeout;

use super::exchange::HttpConnection;
use super::input::read_some;
use crate::limits;

impl HttpConnection {
    /// Receives more bytes into the buffer; 0 if the client has closed.
    ///
    /// # Errors
    ///
    /// Errors of the system; [`io::ErrorKind::TimedOut`] if nothing came in time.
    pub(super) async fn receive(&self, patience: Duration) -> io::Result<usize> {
        loop {
            let read = {
                let mut input = self.input.lock();
                read_some(&self.socket, &mut input.buffer, limits::HTTP_READ_BYTES)
            };
            match read {
                Ok(length) => return Ok(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            timeout(patience, self.socket.readable()).await.map_err(|_| io::ErrorKind::TimedOut)??;
        }
    }

    /// Resolves when the client has closed while a response is being made, after a while: it may have closed its sending
    /// direction only. What it sends meanwhile is kept, up to a bound. While the request's body is read, its reader sees
    /// that the client has closed.
    pub(super) async fn client_left(&self) {
        poll_fn(|cx| {
            loop {
                let mut input = self.input.lock();
                if input.is_reading
                    || input.is_client_ignored
                    || input.buffer.len() >= limits::HTTP_READ_BYTES
                {
                    // The task that reads the body, and takes from the buffer, polls this again.
                    return Poll::Pending;
                }
                if ready!(self.socket.poll_read_ready(cx)).is_err() {
                    return Poll::Ready(());
                }
                match read_some(&self.socket, &mut input.buffer, limits::HTTP_READ_BYTES) {
                    Ok(0) => return Poll::Ready(()),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return Poll::Ready(()),
                }
            }
        })
        .await;
        // Perhaps it only sends no more: then it waits for the response, which a disk may delay.
        tokio::time::sleep(limits::HTTP_HALF_CLOSED).await;
    }
}
