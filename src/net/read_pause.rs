//! Scheduling of reads from a publisher's socket.
//!
//! Normally the socket is read as soon as data arrives. While all players of the stream wait for delivery times of
//! `send_delay`, the data is not needed sooner, and a wake-up per message would cost more than the message. Wake-ups
//! are then suppressed (SO_RCVLOWAT), and the socket is read at the delivery times.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::moderation;
use super::socket::Socket;
use crate::limits;

/// Function that reads a socket.
pub type ReadMethod = fn(&Socket, &mut [u8]) -> io::Result<usize>;

/// A publisher's socket. The end of the connection and [`limits::READ_REST_BYTES`] of unread data end its rest.
pub struct ReadPause {
    socket: Arc<Socket>,
    until: Option<Instant>,
}

impl ReadPause {
    /// Starts without rest. Until this is dropped the socket is treated as a media socket, whose input may be delayed.
    pub fn new(socket: &Arc<Socket>) -> Self {
        moderation::is_media(socket.descriptor());
        ReadPause { socket: socket.clone(), until: None }
    }

    /// Waits until the socket should be read, and returns the function to read it with.
    ///
    /// # Errors
    ///
    /// The socket's errors.
    pub async fn ready(&self) -> io::Result<ReadMethod> {
        let readable = poll_fn(|cx| self.socket.poll_read_ready(cx));
        let Some(until) = self.until else {
            readable.await?;
            return Ok(Socket::try_read);
        };
        tokio::select! {
            biased;
            ready = readable => ready.map(|()| Socket::try_read as ReadMethod),
            () = tokio::time::sleep_until(until.into()) => Ok(Socket::read_unasked),
        }
    }

    /// Called after a read: lets the socket rest until `moment`. `None` if nothing was read, or if more data is needed
    /// at once.
    pub fn until(&mut self, moment: Option<Instant>) {
        let before = std::mem::replace(&mut self.until, moment);
        if before.is_some() == moment.is_some() {
            return;
        }
        let bytes = if moment.is_some() { limits::READ_REST_BYTES } else { 1 };
        // Some sockets do not support it. Only a socket with suppressed wake-ups must be read without one.
        if self.socket.set_low_water(bytes).is_err() {
            self.until = None;
        }
    }
}

impl Drop for ReadPause {
    fn drop(&mut self) {
        self.until(None);
        moderation::is_prompt(self.socket.descriptor());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::pin::pin;
    use std::time::Duration;

    use super::*;

    /// Distant, and soon.
    const NEVER: Duration = Duration::from_secs(3600);
    const SOON: Duration = Duration::from_millis(20);

    fn pair() -> (TcpStream, Arc<Socket>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        far.set_nodelay(true).unwrap();
        let (near, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        (far, Arc::new(Socket::from(tokio::net::TcpStream::from_std(near).unwrap())))
    }

    /// A resting socket that has received a little data.
    fn resting() -> (TcpStream, Arc<Socket>, ReadPause) {
        let (mut far, socket) = pair();
        let mut pause = ReadPause::new(&socket);
        pause.until(Some(Instant::now() + NEVER));
        far.write_all(b"a little").unwrap();
        (far, socket, pause)
    }

    /// Reads whenever it is time until `bytes` bytes have arrived.
    async fn read(pause: &ReadPause, bytes: usize) {
        let (mut got, mut buffer) = (0, vec![0; 2 * limits::READ_REST_BYTES]);
        while got < bytes {
            let how = pause.ready().await.unwrap();
            match how(&pause.socket, &mut buffer) {
                Ok(0) => panic!("the end"),
                Ok(n) => got += n,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        assert_eq!(got, bytes);
    }

    async fn is_ready(pause: &ReadPause) -> bool {
        let ready = pin!(pause.ready());
        tokio::time::timeout(5 * SOON, ready).await.is_ok()
    }

    #[tokio::test]
    async fn a_little_waits_for_its_moment_and_much_does_not() {
        let (mut far, socket) = pair();
        let mut pause = ReadPause::new(&socket);
        far.write_all(b"before").unwrap();
        read(&pause, 6).await;
        pause.until(Some(Instant::now() + NEVER));
        far.write_all(b"a little").unwrap();
        assert!(!is_ready(&pause).await);
        pause.until(Some(Instant::now() + SOON));
        read(&pause, 8).await;
        pause.until(Some(Instant::now() + NEVER));
        far.write_all(&vec![0; limits::READ_REST_BYTES]).unwrap();
        read(&pause, limits::READ_REST_BYTES).await;
    }

    #[tokio::test]
    async fn what_came_during_a_rest_is_seen_when_it_ends() {
        let (mut far, socket, mut pause) = resting();
        assert!(!is_ready(&pause).await);
        pause.until(None);
        read(&pause, 8).await;
        pause.until(Some(Instant::now() + NEVER));
        far.write_all(b"more").unwrap();
        drop(pause);
        read(&ReadPause::new(&socket), 4).await;
    }

    #[tokio::test]
    async fn the_end_of_the_connection_ends_a_rest() {
        let (far, socket, pause) = resting();
        drop(far);
        let mut buffer = [0; 100];
        let how = pause.ready().await.unwrap();
        assert_eq!(how(&socket, &mut buffer).unwrap(), 8);
        let how = pause.ready().await.unwrap();
        assert_eq!(how(&socket, &mut buffer).unwrap(), 0);
    }

    #[tokio::test]
    async fn a_socket_that_cannot_rest_is_read_as_it_comes() {
        let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let socket = Arc::new(Socket::from(tokio::net::UnixStream::from_std(near).unwrap()));
        let mut pause = ReadPause::new(&socket);
        pause.until(Some(Instant::now() + NEVER));
        far.write_all(b"a little").unwrap();
        read(&pause, 8).await;
    }
}
