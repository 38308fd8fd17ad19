//! The floor: the same request over kept connections by nothing but sockets.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const REQUEST: &[u8] =
    b"GET /publish?call=publish&act=start&domain=live.example&app=live&name=stream1&clientid=1\
    &ip=127.0.0.1&token=0123456789abcdef&user=7 HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n";

/// A client that keeps its connections.
pub struct Bare {
    server: SocketAddr,
    idle: Mutex<Vec<TcpStream>>,
}

impl Bare {
    /// Asks that server.
    pub fn new(server: SocketAddr) -> Self {
        Bare { server, idle: Mutex::default() }
    }

    /// One question and its answer.
    pub async fn ask(&self) -> io::Result<()> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut stream = match kept {
            Some(stream) => stream,
            None => TcpStream::connect(self.server).await?,
        };
        stream.set_nodelay(true)?;
        stream.write_all(REQUEST).await?;
        let mut answer = Vec::with_capacity(256);
        while !answer.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
        Ok(())
    }
}
