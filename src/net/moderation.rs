//! Poll moderation: one wake-up for many packets, similar to interrupt moderation of network adapters.
//!
//! Hundreds of publishers wake a worker thousands of times a second, for one packet each, and sleeping and waking cost
//! more than the packet. In that state a worker waits a moment before it polls the kernel. At lower rates, and when the
//! worker does not sleep anyway, nothing is delayed.
//!
//! Only media is counted and delayed. Other sockets (HTTP requests, handshakes, commands) are `PromptSockets`: input on one of
//! them, or a new connection, ends the wait. A publisher's socket stops being prompt with its first media
//! ([`ReadPause`](super::read_pause::ReadPause)). Sockets are marked as prompt only while the worker waits at all, because each mark
//! makes every arrival dearer: a connection that is older is delayed once, and is marked when it next waits for a request.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;

use crate::limits;

/// Decides when to wait; one per worker thread.
#[derive(Debug)]
pub struct Moderation {
    window: Instant,
    parks: u32,
    reads_before: u64,
    moderates: bool,
    /// Time of the last poll.
    polled: Instant,
}

/// Window in which wake-ups and reads are counted.
const WINDOW: Duration = Duration::from_millis(10);
/// Number of wake-ups and reads per window from which on moderation starts.
const MANY: u32 = 30;
/// Number of reads per window below which moderation ends.
const FEW: u64 = 20;

/// Maximum number of events taken from prompt sockets at once.
const EVENTS: usize = 64;

thread_local! {
    static READS: Cell<u64> = const { Cell::new(0) };
    static MODERATION: RefCell<Moderation> = RefCell::new(Moderation::new(Instant::now()));
    /// Set on worker threads only; other threads never wait.
    static PROMPT: OnceCell<PromptSockets> = const { OnceCell::new() };
}

/// Ends a worker's wait from another thread when a connection is passed to it.
#[derive(Clone, Debug)]
pub struct WorkerWaker(Arc<Bell>);

#[derive(Debug)]
struct Bell {
    event: EventFd,
    /// Whether the worker waits before it polls.
    moderates: AtomicBool,
}

impl WorkerWaker {
    /// Creates a bell; no worker listens to it yet.
    ///
    /// # Errors
    ///
    /// The system provides no event descriptor.
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let event = EventFd::from_value_and_flags(0, flags)?;
        Ok(WorkerWaker(Arc::new(Bell { event, moderates: AtomicBool::new(false) })))
    }

    /// Ends the current wait, or else the next one, of a worker that waits before it polls. One that begins to at this moment may
    /// finish its first wait, of [`limits::POLL_INTERVAL`] at most.
    pub fn ring(&self) {
        if self.0.moderates.load(Ordering::Relaxed) {
            // Fails only after 2^64 rings; the cost is one early poll missed.
            let _ = self.0.event.write(1);
        }
    }
}

/// A worker's sockets without media. Each arrival is reported once, during a wait or between waits.
struct PromptSockets {
    epoll: Epoll,
    /// Kept open, because the epoll set refers to its descriptor.
    bell: WorkerWaker,
}

/// Outcome of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WaitOutcome {
    /// The time elapsed.
    Through,
    /// Something other than media arrived.
    Cut,
}

impl PromptSockets {
    fn new(waker: WorkerWaker) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&waker.0.event, arrivals())?;
        Ok(PromptSockets { epoll, bell: waker })
    }

    /// Lets input on a socket end a wait.
    fn mark(&self, socket: BorrowedFd<'_>) {
        match self.epoll.add(socket, arrivals()) {
            // Without a free slot, the socket is delayed as media sockets are.
            Ok(()) | Err(_) => {}
        }
    }

    /// Waits for `time`, or until something arrives on one of the sockets.
    fn wait(&self, time: Duration) -> WaitOutcome {
        let mut set = [PollFd::new(self.epoll.0.as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut set, Some(TimeSpec::from_duration(time)), None) {
            Ok(0) => return WaitOutcome::Through,
            Ok(_) => {}
            Err(_) => return WaitOutcome::Cut,
        }
        let mut events = [EpollEvent::empty(); EVENTS];
        while self.epoll.wait(&mut events, EpollTimeout::ZERO) == Ok(EVENTS) {}
        WaitOutcome::Cut
    }
}

/// Edge-triggered: reported at each arrival, not while something is unread.
fn arrivals() -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0)
}

/// Makes the calling thread a worker's thread that `waker` can reach. If the system lacks the means to end a wait, the
/// worker never waits.
///
/// # Errors
///
/// The system provides no event descriptor.
pub fn begin(waker: WorkerWaker) -> io::Result<()> {
    let prompt = PromptSockets::new(waker)?;
    PROMPT.with(|cell| drop(cell.set(prompt)));
    Ok(())
}

/// Marks a socket of the calling worker as prompt, if the worker waits before it polls: input on it ends a wait. Closing the socket
/// removes the mark.
pub fn is_prompt(socket: BorrowedFd<'_>) {
    if MODERATION.with_borrow(|moderation| moderation.moderates) {
        with_prompt(|prompt| prompt.mark(socket));
    }
}

/// Marks a socket that lives longer than a wait as prompt, whether or not the calling worker waits before it polls now.
pub fn is_always_prompt(socket: BorrowedFd<'_>) {
    with_prompt(|prompt| prompt.mark(socket));
}

/// Marks a socket as carrying media from now on.
pub fn is_media(socket: BorrowedFd<'_>) {
    with_prompt(|prompt| match prompt.epoll.delete(socket) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(error) => debug_assert!(false, "{error}"),
    });
}

fn with_prompt(work: impl FnOnce(&PromptSockets)) {
    // While a thread ends, its sockets may be closed after the epoll set.
    let _ = PROMPT.try_with(|cell| cell.get().map(work));
}

/// Counts a read of media on this thread.
pub fn count_read() {
    READS.set(READS.get() + 1);
}

/// Called on a worker's thread before it waits for events.
pub fn before_park() {
    PROMPT.with(|cell| {
        let Some(prompt) = cell.get() else { return };
        let reads = READS.get();
        // A worker without media needs no clock.
        if MODERATION.with_borrow(|moderation| moderation.is_at_rest(reads)) {
            return;
        }
        let (wait, moderates) = MODERATION.with_borrow_mut(|moderation| {
            let wait = moderation.park(Instant::now(), reads);
            (wait, moderation.moderates)
        });
        prompt.bell.0.moderates.store(moderates, Ordering::Relaxed);
        if let Some(wait) = wait
            && prompt.wait(wait) == WaitOutcome::Cut
        {
            MODERATION.with_borrow_mut(|moderation| moderation.cut(Instant::now()));
        }
    });
}

impl Moderation {
    /// Starts counting at `now`.
    pub fn new(now: Instant) -> Self {
        Moderation { window: now, parks: 0, reads_before: 0, moderates: false, polled: now }
    }

    /// Whether nothing of media was read since the last call of [`Moderation::park`] that saw any, and polls are not delayed.
    fn is_at_rest(&self, reads: u64) -> bool {
        !self.moderates && reads == self.reads_before
    }

    /// Called when the worker is idle. Returns how long to wait before the next poll. `reads` is the number of media
    /// reads so far.
    pub fn park(&mut self, now: Instant, reads: u64) -> Option<Duration> {
        self.parks += 1;
        if now.saturating_duration_since(self.window) >= WINDOW {
            let read = reads.saturating_sub(self.reads_before);
            self.moderates =
                if self.moderates { read >= FEW } else { self.parks >= MANY && read >= u64::from(MANY) };
            (self.window, self.parks, self.reads_before) = (now, 0, reads);
        }
        if !self.moderates {
            return None;
        }
        let due = self.polled + limits::POLL_INTERVAL;
        self.polled = due.max(now);
        due.checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    /// Records that a wait was cut short and the kernel is polled at `now`.
    fn cut(&mut self, now: Instant) {
        self.polled = now;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::net::socket::Socket;

    const US: Duration = Duration::from_micros(1);

    /// Parks every `gap` for `windows` windows, with `reads` reads between two parks. Returns the total sleep; `now`
    /// advances.
    fn run(
        moderation: &mut Moderation,
        now: &mut Instant,
        reads: &mut u64,
        gap: Duration,
        each: u64,
    ) -> Duration {
        let mut slept = Duration::ZERO;
        let end = *now + 5 * WINDOW;
        while *now < end {
            *now += gap;
            *reads += each;
            if let Some(wait) = moderation.park(*now, *reads) {
                assert!(wait <= limits::POLL_INTERVAL);
                slept += wait;
                *now += wait;
            }
        }
        slept
    }

    #[test]
    fn a_flood_of_single_packets_is_held_together_until_it_ends() {
        let mut now = Instant::now();
        let (mut moderation, mut reads) = (Moderation::new(now), 0);
        assert_eq!(run(&mut moderation, &mut now, &mut reads, 1000 * US, 1), Duration::ZERO);
        let slept = run(&mut moderation, &mut now, &mut reads, 100 * US, 1);
        assert!(slept > WINDOW, "{slept:?}");
        // With wake-ups combined, the reads show that the flood continues.
        let slept = run(&mut moderation, &mut now, &mut reads, 100 * US, 10);
        assert!(slept > 4 * WINDOW, "{slept:?}");
        run(&mut moderation, &mut now, &mut reads, 1000 * US, 1);
        assert_eq!(run(&mut moderation, &mut now, &mut reads, 1000 * US, 1), Duration::ZERO);
    }

    #[test]
    fn a_worker_that_is_busy_all_the_time_does_not_sleep() {
        let mut now = Instant::now();
        let (mut moderation, mut reads) = (Moderation::new(now), 0);
        run(&mut moderation, &mut now, &mut reads, 100 * US, 1);
        let slept = run(&mut moderation, &mut now, &mut reads, 2000 * US, 100);
        assert_eq!(slept, Duration::ZERO);
    }

    #[test]
    fn wake_ups_without_reads_are_left_alone() {
        let mut now = Instant::now();
        let (mut moderation, mut reads) = (Moderation::new(now), 0);
        assert_eq!(run(&mut moderation, &mut now, &mut reads, 100 * US, 0), Duration::ZERO);
    }

    #[test]
    fn a_wait_that_was_cut_does_not_make_the_next_one_longer() {
        let mut now = Instant::now();
        let (mut moderation, mut reads) = (Moderation::new(now), 0);
        run(&mut moderation, &mut now, &mut reads, 100 * US, 1);
        for _ in 0..100 {
            reads += 1;
            now += 10 * US;
            if let Some(wait) = moderation.park(now, reads) {
                assert!(wait <= limits::POLL_INTERVAL, "{wait:?}");
                now += wait / 10;
                moderation.cut(now);
            }
        }
    }

    /// Longer than any test runs.
    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn only_media_wait() {
        let waker = WorkerWaker::new().unwrap();
        let (mut far, near) = UnixStream::pair().unwrap();
        begin(waker.clone()).unwrap();

        let waits = |time| PROMPT.with(|cell| cell.get().unwrap().wait(time));
        let is_prompt = |socket: &UnixStream| with_prompt(|prompt| prompt.mark(socket.as_fd()));
        is_prompt(&near);
        far.write_all(b"GET / HTTP/1.1").unwrap();
        assert_eq!(waits(LONG), WaitOutcome::Cut);
        // Reported once: a peer that sends more than is read does not keep the worker awake.
        assert_eq!(waits(US), WaitOutcome::Through);
        far.write_all(b"more").unwrap();
        assert_eq!(waits(LONG), WaitOutcome::Cut);
        is_media(near.as_fd());
        far.write_all(b"media").unwrap();
        assert_eq!(waits(limits::POLL_INTERVAL), WaitOutcome::Through);
        waker.ring();
        assert_eq!(waits(US), WaitOutcome::Through, "a worker that does not moderate has nothing to end");
        waker.0.moderates.store(true, Ordering::Relaxed);
        waker.ring();
        assert_eq!(waits(LONG), WaitOutcome::Cut);
        assert_eq!(waits(US), WaitOutcome::Through);
        // Unread input counts as an arrival when the mark is set.
        is_prompt(&near);
        assert_eq!(waits(LONG), WaitOutcome::Cut);
        drop(far);
        assert_eq!(waits(LONG), WaitOutcome::Cut);
        drop(near);
        assert_eq!(waits(US), WaitOutcome::Through);
    }

    #[tokio::test]
    async fn a_read_of_a_socket_alone_counts_for_nothing() {
        let (mut far, near) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let socket = Socket::from(tokio::net::UnixStream::from_std(near).unwrap());
        far.write_all(b"GET / HTTP/1.1").unwrap();
        socket.readable().await.unwrap();
        let before = READS.get();
        assert_eq!(socket.try_read(&mut [0; 100]).unwrap(), 14);
        assert_eq!(READS.get(), before);
    }
}
