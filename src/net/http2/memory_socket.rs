//! A socket of tests.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;

use super::carrier::Carrier;
use crate::net::plain::PlainSocket;
use crate::net::tls::TlsInfo;

/// A socket in memory.
#[derive(Debug)]
pub(super) struct MemorySocket {
    /// What the peer has sent.
    pub(super) input: Mutex<VecDeque<u8>>,
    /// Whether the peer has closed.
    pub(super) has_ended: Mutex<bool>,
    /// Number of bytes that it accepts.
    pub(super) room: Mutex<usize>,
    /// What was written, call by call.
    pub(super) calls: Mutex<Vec<Vec<u8>>>,
}

impl Default for MemorySocket {
    fn default() -> Self {
        MemorySocket {
            input: Mutex::default(),
            has_ended: Mutex::default(),
            room: Mutex::new(usize::MAX),
            calls: Mutex::default(),
        }
    }
}

impl MemorySocket {
    /// Length of what was written, call by call.
    pub(super) fn lengths(&self) -> Vec<usize> {
        self.calls.lock().iter().map(Vec::len).collect()
    }

    /// Takes what was written.
    pub(super) fn take_output(&self) -> Vec<u8> {
        std::mem::take(&mut *self.calls.lock()).concat()
    }
}

impl Carrier for MemorySocket {
    fn without_tls(&self) -> &PlainSocket {
        unreachable!("nothing asks for it")
    }

    fn is_tls(&self) -> bool {
        false
    }

    fn tls_info(&self) -> Option<&Arc<TlsInfo>> {
        None
    }

    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut input = self.input.lock();
        if input.is_empty() && !*self.has_ended.lock() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = input.len().min(buf.len());
        buf[..length].iter_mut().zip(input.drain(..length)).for_each(|(place, byte)| *place = byte);
        Ok(length)
    }

    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut room = self.room.lock();
        if *room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        bytes.truncate(*room);
        let length = bytes.len();
        *room -= length;
        self.calls.lock().push(bytes);
        Ok(length)
    }

    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.input.lock().is_empty() && !*self.has_ended.lock() {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }

    fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self.room.lock() {
            0 => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_flush(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn shutdown_write(&self) {}
}
