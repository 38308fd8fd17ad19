//! Receives what a client sends while no head is waited for.

use std::io;
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
    /// direction only. What it sends meanwhile is kept, up to a bound.
    pub(super) async fn client_left(&self) {
        loop {
            if self.input.lock().buffer.len() >= limits::HTTP_READ_BYTES {
                return std::future::pending().await;
            }
            if self.socket.readable().await.is_err() {
                return;
            }
            let mut input = self.input.lock();
            match read_some(&self.socket, &mut input.buffer, limits::HTTP_READ_BYTES) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
        // Perhaps it only sends no more: then it waits for the response, which a disk may delay.
        tokio::time::sleep(limits::HTTP_HALF_CLOSED).await;
    }
}
