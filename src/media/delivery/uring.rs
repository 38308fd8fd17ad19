//! Sending one batch to many sockets with one system call, through io_uring.
//!
//! The only module with `unsafe`: the kernel reads descriptors and memory named by a submission queue entry after the
//! call that wrote the entry has returned. [`IoRing::send`] therefore returns only when no entry is left in the queue and
//! each one has completed. That does not block: a send with `MSG_DONTWAIT` is attempted during submission, completes
//! with the bytes written or with `EAGAIN`, and never continues in the background.
#![allow(unsafe_code)]

use std::io::{self, IoSlice, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use bytes::Bytes;
use io_uring::squeue::Entry;
use io_uring::{IoUring, opcode, types};
use nix::libc;

use super::conf::BackEnd;
use crate::limits;
use crate::media::log;

/// Submission and completion queues of a worker.
pub struct IoRing {
    ring: IoUring,
    entries: Vec<Entry>,
    outcomes: Vec<SendOutcome>,
    /// Error after which it is no longer used.
    broken: Option<io::Error>,
}

/// Outcome of one send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendOutcome {
    /// Index of the socket in the call.
    pub place: usize,
    /// Bytes written, or the system's error number.
    pub result: Result<usize, i32>,
}

/// With these flags a full socket or a closed peer is an outcome, without blocking or a signal.
const FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

impl IoRing {
    /// One ring for each worker, or none if the `delivery` directive or the system forbids it.
    pub fn for_workers(count: usize, how: BackEnd) -> Vec<IoRing> {
        if how == BackEnd::Writev {
            return Vec::new();
        }
        let rings: io::Result<Vec<IoRing>> = (0..count).map(|_| IoRing::new()).collect();
        rings.unwrap_or_else(|error| {
            log::no_uring(how == BackEnd::Uring, &error);
            Vec::new()
        })
    }

    /// Creates and tests the queues. Fails if the kernel is too old (before Linux 5.18), if `kernel.io_uring_disabled`
    /// is set, and if seccomp refuses, as in most containers.
    ///
    /// # Errors
    ///
    /// io_uring is not available or lacks a required feature.
    pub fn new() -> io::Result<IoRing> {
        let ring = IoUring::builder().dontfork().setup_submit_all().build(limits::PLAYERS_PER_TURN as u32)?;
        let mut ring = IoRing { ring, entries: Vec::new(), outcomes: Vec::new(), broken: None };
        ring.check()?;
        Ok(ring)
    }

    /// Sends a message of one slice and one of two slices.
    fn check(&mut self) -> io::Result<()> {
        let (near, mut far) = UnixStream::pair()?;
        let part = Bytes::from_static(b"ab");
        let mut sent = 0;
        for parts in [&[part.clone()][..], &[part.clone(), part]] {
            for outcome in self.send(parts, [(0, near.as_fd())].into_iter()) {
                sent += outcome.result.map_err(io::Error::from_raw_os_error)?;
            }
        }
        drop(near);
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let mut got = Vec::new();
        far.read_to_end(&mut got)?;
        if got == b"ababab" && sent == got.len() { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// Sends the same bytes, at most [`limits::WRITE_SLICES`] slices, to each of `sockets`, at most
    /// [`limits::PLAYERS_PER_TURN`], in order. A socket without an outcome was sent nothing.
    pub fn send<'a>(
        &mut self,
        parts: &'a [Bytes],
        sockets: impl Iterator<Item = (usize, BorrowedFd<'a>)>,
    ) -> &[SendOutcome] {
        self.outcomes.clear();
        self.entries.clear();
        if self.broken.is_some() {
            return &self.outcomes;
        }
        let mut slices = [IoSlice::new(&[]); limits::WRITE_SLICES];
        for (slice, part) in slices.iter_mut().zip(parts) {
            *slice = IoSlice::new(part);
        }
        // SAFETY: every field of a `msghdr` is a number or a pointer that may be null.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        // `IoSlice` is an `iovec` by its documentation; a send does not write through it.
        message.msg_iov = slices.as_mut_ptr().cast();
        // Its type is another one in musl; the number is at most `WRITE_SLICES`.
        message.msg_iovlen = parts.len().min(slices.len()) as _;
        let entry = |fd: types::Fd| match parts {
            [part] => {
                let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
                opcode::Send::new(fd, part.as_ptr(), len).flags(FLAGS).build()
            }
            _ => opcode::SendMsg::new(fd, &message).flags(FLAGS as u32).build(),
        };
        self.entries.extend(
            sockets
                .take(limits::PLAYERS_PER_TURN)
                .map(|(place, fd)| entry(types::Fd(fd.as_raw_fd())).user_data(place as u64)),
        );
        // SAFETY: entries name descriptors, bytes, slices and the message. All of them are borrowed or owned here until
        // this function returns, and `complete` takes all entries off the queue and sees each completed, or gives up
        // the ring.
        let queued = unsafe { self.ring.submission().push_multiple(&self.entries) };
        if queued.is_ok()
            && let Err(error) = self.complete()
        {
            self.broken = Some(error);
        }
        &self.outcomes
    }

    /// Error after which the ring sends nothing.
    pub fn error(&self) -> Option<&io::Error> {
        self.broken.as_ref()
    }

    /// Submits the queued entries and collects the outcomes.
    ///
    /// After an error no further call to the kernel is allowed, because it would send the entries still in the queue.
    /// Entries that the kernel has taken are complete in any case, see the module's documentation.
    fn complete(&mut self) -> io::Result<()> {
        while self.outcomes.len() < self.entries.len() {
            let submitted = self.ring.submit_and_wait(self.entries.len() - self.outcomes.len());
            self.outcomes.extend(self.ring.completion().map(|done| SendOutcome {
                place: done.user_data() as usize,
                result: usize::try_from(done.result()).map_err(|_| -done.result()),
            }));
            match submitted {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// `None` if the system does not allow io_uring, so that there is nothing to test.
    fn ring() -> Option<IoRing> {
        IoRing::new().inspect_err(|error| eprintln!("no io_uring: {error}")).ok()
    }

    fn pair() -> (UnixStream, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        far.set_nonblocking(true).unwrap();
        (near, far)
    }

    fn drain(mut far: &UnixStream) -> Vec<u8> {
        let mut got = Vec::new();
        match far.read_to_end(&mut got) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => panic!("{error}"),
            _ => got,
        }
    }

    fn sorted(outcomes: &[SendOutcome]) -> Vec<(usize, Result<usize, i32>)> {
        let mut all: Vec<_> = outcomes.iter().map(|outcome| (outcome.place, outcome.result)).collect();
        all.sort();
        all
    }

    #[test]
    fn every_socket_is_sent_the_same_bytes() {
        let Some(mut ring) = ring() else { return };
        let pairs: Vec<_> = (0..limits::PLAYERS_PER_TURN).map(|_| pair()).collect();
        let mut expected = Vec::new();
        for parts in 1..6_u8 {
            let bytes: Vec<Bytes> = (0..parts).map(|n| vec![10 * parts + n; 300].into()).collect();
            let sockets = pairs.iter().enumerate().map(|(place, (near, _))| (1000 + place, near.as_fd()));
            let outcomes = sorted(ring.send(&bytes, sockets));
            let all = |n| (1000 + n, Ok(300 * usize::from(parts)));
            assert_eq!(outcomes, (0..pairs.len()).map(all).collect::<Vec<_>>());
            expected.extend(bytes.concat());
        }
        assert!(pairs.iter().all(|(_, far)| drain(far) == expected));
        assert!(ring.error().is_none());
    }

    #[test]
    fn a_full_socket_takes_a_part_and_then_nothing() {
        let Some(mut ring) = ring() else { return };
        let (full, free) = (pair(), pair());
        // 251 is prime to every size here, so no other part looks alike.
        let large: Bytes = (0..4 * 251_000_u32).map(|n| (n % 251) as u8).collect::<Vec<u8>>().into();
        // An inet stream socket may accept a part; a Unix one may accept all or nothing.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        near.set_nonblocking(true).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        socket2::SockRef::from(&near).set_send_buffer_size(20_000).unwrap();
        let mut sent = 0;
        let refused = loop {
            let at = sent % 251;
            let parts = [large.slice(at..at + 30_000), large.slice(at + 30_000..at + 500_000)];
            let outcome = ring.send(&parts, [(7, near.as_fd())].into_iter())[0];
            match outcome.result {
                Ok(0) => panic!("sent nothing"),
                Ok(n) => sent += n,
                Err(error) => break error,
            }
        };
        assert_eq!(refused, libc::EAGAIN);
        while (&full.0).write(&large).is_ok() {}
        let sockets = [(0, full.0.as_fd()), (1, free.0.as_fd()), (2, near.as_fd())];
        let outcomes = sorted(ring.send(&[large.slice(..10)], sockets.into_iter()));
        assert_eq!(outcomes, [(0, Err(libc::EAGAIN)), (1, Ok(10)), (2, Err(libc::EAGAIN))]);
        assert_eq!(drain(&free.1), large[..10]);
        drop(near);
        let mut got = Vec::new();
        far.read_to_end(&mut got).unwrap();
        // What was counted as sent has been sent, and nothing twice.
        assert_eq!(got.len(), sent);
        assert!(got.iter().enumerate().all(|(n, byte)| usize::from(*byte) == n % 251));
    }

    #[test]
    fn a_socket_that_is_gone_is_an_error_of_its_own() {
        let Some(mut ring) = ring() else { return };
        let (gone, there) = (pair(), pair());
        drop(gone.1);
        let parts = [Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        for _ in 0..3 {
            let sockets = [(0, gone.0.as_fd()), (1, there.0.as_fd())];
            assert_eq!(sorted(ring.send(&parts, sockets.into_iter())), [(0, Err(libc::EPIPE)), (1, Ok(2))]);
        }
        assert_eq!(drain(&there.1), b"ababab");
    }

    #[test]
    fn a_ring_that_fails_says_so_and_leaves_everything_to_others() {
        let Some(mut ring) = ring() else { return };
        let null = std::fs::File::open("/dev/null").unwrap();
        // SAFETY: the number stays that of an open file, which the ring closes in the end.
        assert!(unsafe { libc::dup2(null.as_raw_fd(), ring.ring.as_raw_fd()) } >= 0);
        let (near, far) = pair();
        for _ in 0..2 {
            assert_eq!(ring.send(&[Bytes::from_static(b"a")], [(0, near.as_fd())].into_iter()), []);
            assert!(ring.error().is_some());
        }
        drop(ring);
        assert_eq!(drain(&far), b"");
    }

    #[test]
    fn without_parts_or_sockets_nothing_happens() {
        let Some(mut ring) = ring() else { return };
        assert_eq!(ring.send(&[Bytes::from_static(b"a")], std::iter::empty()), []);
        let (near, far) = pair();
        assert_eq!(sorted(ring.send(&[], [(3, near.as_fd())].into_iter())), [(3, Ok(0))]);
        assert_eq!(drain(&far), b"");
    }
}
