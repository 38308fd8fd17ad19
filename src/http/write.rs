//! Writes to the client: bytes, two buffers as one, and parts of files, at the rate of the response.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::Poll;

use tokio::time::timeout;

use super::exchange::Exchange;
use super::rate::{self, RateLimit};
use super::response::FilePart;
use crate::limits;
use crate::net::socket::Socket;
use crate::task::disk::{self, DiskWork};

/// Largest file that is copied behind the head, to be sent with it.
pub(super) const COPIED: u64 = 32 * 1024;

impl Exchange<'_> {
    /// Sends a part of a file behind what is in `output`, which is then empty.
    pub(super) async fn send_file(
        &mut self,
        output: &mut Vec<u8>,
        part: FilePart,
        rate: Option<RateLimit>,
    ) -> io::Result<()> {
        let plain = self.connection.socket.plain().is_some() && rate.is_none();
        let is_http2 = self.connection.socket.http2().is_some();
        let mut part = part;
        if part.length <= COPIED || !plain {
            while part.length > 0 {
                let room = COPIED.saturating_sub(output.len() as u64).max(1);
                let want =
                    usize::try_from(part.length.min(if is_http2 { room } else { COPIED })).unwrap_or(0);
                let read = append(output, &part, want).await?;
                part.start += read as u64;
                part.length -= read as u64;
                // What ends a response over HTTP/2 is sent with its end.
                if part.length > 0 && is_http2 && rate.is_none() {
                    self.write_most(output).await?;
                } else if part.length > 0 || (!plain && !is_http2) {
                    self.write(output, rate).await?;
                    output.clear();
                }
            }
            return Ok(());
        }
        if !output.is_empty() {
            self.write_more(output).await?;
            output.clear();
        }
        while part.length > 0 {
            make_present(&part).await?;
            let want = usize::try_from(part.length.min(limits::HTTP_SENDFILE_BYTES)).unwrap_or(0);
            match self.connection.socket.try_send_file(&part.file, part.start, want) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(sent) => {
                    part.start += sent as u64;
                    part.length -= sent as u64;
                    self.sent.bytes += sent as u64;
                }
                Err(error) => self.wait_for(error).await?,
            }
        }
        Ok(())
    }

    pub(super) async fn write(&mut self, bytes: &[u8], rate: Option<RateLimit>) -> io::Result<()> {
        self.write_both(bytes, b"", rate).await
    }

    /// Number of bytes that may be written now, after waiting until there are some.
    ///
    /// # Errors
    ///
    /// The client has closed meanwhile: as in nginx, that ends a response that waits for its rate.
    pub(super) async fn room(&self, rate: Option<RateLimit>) -> io::Result<usize> {
        let Some(rate) = rate else { return Ok(usize::MAX) };
        // Boxed, because most responses have no rate.
        Box::pin(async {
            tokio::select! {
                biased;
                room = rate::room(rate, self.sent.bytes) => Ok(room),
                () = self.connection.client_closed() => Err(io::ErrorKind::ConnectionReset.into()),
            }
        })
        .await
    }

    /// Writes two buffers as one.
    pub(super) async fn write_both(
        &mut self,
        first: &[u8],
        second: &[u8],
        rate: Option<RateLimit>,
    ) -> io::Result<()> {
        let (mut first, mut second) = (first, second);
        while !first.is_empty() || !second.is_empty() {
            let room = self.room(rate).await?;
            let (now, then) = (&first[..first.len().min(room)], second);
            let then = &then[..then.len().min(room - now.len())];
            let written = match (now, then) {
                (bytes, b"") | (b"", bytes) => self.connection.socket.try_write(bytes),
                (now, then) => {
                    self.connection.socket.try_write_vectored(&[IoSlice::new(now), IoSlice::new(then)])
                }
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.sent.bytes += written as u64;
                    let of_first = written.min(first.len());
                    first = &first[of_first..];
                    second = &second[written - of_first..];
                }
                Err(error) => self.wait_for(error).await?,
            }
        }
        Ok(())
    }

    /// Writes as [`Exchange::write`], but leaves in `output` what has to wait if there is room for more: it is sent with what
    /// follows.
    async fn write_most(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        while !output.is_empty() {
            match self.connection.socket.try_write(output) {
                Ok(written) => {
                    self.sent.bytes += written as u64;
                    output.drain(..written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && (output.len() as u64) < COPIED => {
                    return Ok(());
                }
                Err(error) => self.wait_for(error).await?,
            }
        }
        Ok(())
    }

    /// Writes what a file follows at once: a head that is sent for itself halves the rate of many connections.
    async fn write_more(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.connection.socket.try_write_more(bytes) {
                Ok(written) => {
                    self.sent.bytes += written as u64;
                    bytes = &bytes[written..];
                }
                Err(error) => self.wait_for(error).await?,
            }
        }
        Ok(())
    }

    /// Waits until the socket accepts data again, for `send_timeout` at most. Boxed, because most responses need no room for it.
    pub(super) fn wait_for(
        &self,
        error: io::Error,
    ) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send + '_>> {
        Box::pin(async move {
            match error.kind() {
                io::ErrorKind::WouldBlock => {}
                io::ErrorKind::Interrupted => return Ok(()),
                _ => return Err(error),
            }
            self.within_send_timeout(self.connection.socket.writable()).await
        })
    }

    /// Waits for what is sent, for `send_timeout` at most.
    async fn within_send_timeout(&self, sent: impl Future<Output = io::Result<()>>) -> io::Result<()> {
        match self.conf().send_timeout.nonzero() {
            None => sent.await,
            Some(patience) => timeout(patience, sent).await.map_err(|_| io::ErrorKind::TimedOut)?,
        }
    }

    pub(super) async fn flush(&self) -> io::Result<()> {
        let Socket::Tls(stream) = &*self.connection.socket else { return Ok(()) };
        // Most of the time nothing is left.
        if let Poll::Ready(flushed) = poll_fn(|cx| Poll::Ready(stream.poll_flush(cx))).await {
            return flushed;
        }
        Box::pin(self.within_send_timeout(stream.flush())).await
    }
}

/// Reads a part of a file behind `output`, if it is in memory. Returns whether it was read.
pub(super) fn append_present(output: &mut Vec<u8>, part: &FilePart) -> bool {
    let before = output.len();
    let Ok(length) = usize::try_from(part.length) else { return false };
    output.resize(before + length, 0);
    let read = crate::net::file::read_present(&part.file, &mut output[before..], part.start);
    let is_whole = matches!(read, Some(Ok(read)) if read == length);
    if !is_whole {
        output.truncate(before);
    }
    is_whole
}

/// Reads from a file behind `output`; from the disk on another thread.
async fn append(output: &mut Vec<u8>, part: &FilePart, want: usize) -> io::Result<usize> {
    let before = output.len();
    output.resize(before + want, 0);
    let read = match crate::net::file::read_present(&part.file, &mut output[before..], part.start) {
        Some(read) => read?,
        None => {
            let bytes = super::body_reader::read_later(part, want).await.map_err(io::Error::other)??;
            output[before..before + bytes.len()].copy_from_slice(&bytes);
            bytes.len()
        }
    };
    output.truncate(before + read);
    // The file is shorter than when it was opened, so the announced length cannot be kept.
    if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(read) }
}

/// Brings the beginning of a part into the page cache, so that sending it does not wait for the disk.
async fn make_present(part: &FilePart) -> io::Result<()> {
    let length = part.length.min(limits::HTTP_SENDFILE_BYTES);
    let mut byte = [0];
    let mut is_present = |at| crate::net::file::read_present(&part.file, &mut byte, at).is_some();
    let tested = (0..length).step_by(limits::HTTP_PRESENCE_STEP).chain([length - 1]);
    if tested.map(|at| part.start + at).all(&mut is_present) {
        return Ok(());
    }
    let (file, start) = (part.file.clone(), part.start);
    let read = disk::spawn(DiskWork::Served, move || {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        std::os::unix::fs::FileExt::read_at(&*file, &mut bytes, start).map(drop)
    });
    read.await.map_err(io::Error::other)?
}
