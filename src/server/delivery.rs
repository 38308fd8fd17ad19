//! The delivery loop: each worker thread owns the sending side of its players and walks them once per batch.
//!
//! Publishers wake a worker once per batch and stream; the loop fetches what is new, frames it once per
//! container and hands the same bytes to every player that is up to date. No task is woken per player and
//! frame, and no lock is held while sending. A player whose socket is full keeps its place in the stream
//! ([`Cursor`]); it is tried again with the next batch and by a tick, which costs no system call until the
//! reactor has seen the socket writable.

use std::collections::{HashMap, VecDeque};
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use crate::hub::backlog::Backlog;
use crate::hub::cursor::{Cursor, PlayerSettings, Progress, kinds_of};
use crate::hub::packet::{Container, Packet};
use crate::hub::stream::{Stream, Wake};
use crate::limits;
use crate::server::event;
use crate::server::socket::Socket;

/// How often blocked players are tried when no media comes.
const BLOCKED_TICK: Duration = Duration::from_millis(10);
/// Commands taken at once.
const COMMANDS: usize = 1024;

/// Why the delivery loop gave up on a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Writing failed.
    WriteError = 1,
    /// Nothing could be written for the whole send timeout.
    SendTimeout = 2,
    /// Too many control messages were waiting.
    Stalled = 3,
}

/// What a session and the delivery loop know of each other.
#[derive(Debug, Default)]
pub struct Link {
    /// Bytes handed to the socket by the loop.
    pub bytes_sent: AtomicU64,
    /// Packets the player was too slow for.
    pub dropped_total: AtomicU64,
    gone: AtomicU8,
    left: AtomicBool,
    rest: Mutex<VecDeque<Bytes>>,
    changed: Notify,
}

impl Link {
    /// Waits until the loop has given up on the player or has let it leave.
    pub async fn ended(&self) {
        loop {
            let changed = self.changed.notified();
            if self.gone().is_some() || self.left.load(Ordering::Acquire) {
                return;
            }
            changed.await;
        }
    }

    /// Why the loop gave up, if it did.
    pub fn gone(&self) -> Option<Gone> {
        match self.gone.load(Ordering::Acquire) {
            1 => Some(Gone::WriteError),
            2 => Some(Gone::SendTimeout),
            3 => Some(Gone::Stalled),
            _ => None,
        }
    }

    fn give_up(&self, why: Gone) {
        self.gone.store(why as u8, Ordering::Release);
        self.changed.notify_one();
    }

    /// What the loop had not sent yet of the last message when it let the player leave.
    pub fn take_rest(&self) -> VecDeque<Bytes> {
        std::mem::take(&mut self.rest.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    fn let_go(&self, rest: VecDeque<Bytes>) {
        *self.rest.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = rest;
        self.left.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}

/// A session's request to be sent a stream.
#[derive(Debug)]
pub struct Join {
    /// Number of the session.
    pub session: u64,
    /// What to send.
    pub stream: Arc<Stream>,
    /// Where to.
    pub socket: Arc<Socket>,
    /// How.
    pub settings: PlayerSettings,
    /// Bytes that go before the media, in the same write where the socket takes them.
    pub lead: Bytes,
    /// Counters and the end.
    pub link: Arc<Link>,
    /// A player that takes nothing for this long is given up; zero never.
    pub send_timeout: Duration,
}

enum Command {
    Dirty(u64),
    Join(Box<Join>),
    Control { stream: u64, session: u64, bytes: Bytes },
    Leave { stream: u64, session: u64 },
}

/// The way to a worker's delivery loop.
#[derive(Clone)]
pub struct Delivery {
    commands: mpsc::UnboundedSender<Command>,
}

impl Delivery {
    /// A loop for worker `worker`; run the second part on that worker.
    pub fn new(worker: usize) -> (Delivery, DeliveryLoop) {
        // Unbounded, yet bounded by its users: a stream is dirty at most once per worker, a session joins and
        // leaves once, and control messages answer what a session received.
        let (commands, inbox) = mpsc::unbounded_channel();
        let delivery = Delivery { commands };
        let wake = Arc::new(Waker { commands: delivery.commands.clone() });
        let serving =
            DeliveryLoop { worker, inbox, wake, streams: HashMap::new(), blocked: 0, tick: Instant::now() };
        (delivery, serving)
    }

    /// Hands the sending side of a session to the loop.
    pub fn join(&self, join: Join) {
        self.send(Command::Join(Box::new(join)));
    }

    /// Sends bytes of the session itself between two messages.
    pub fn control(&self, stream: u64, session: u64, bytes: Bytes) {
        self.send(Command::Control { stream, session, bytes });
    }

    /// Takes the sending side back; [`Link::ended`] tells when, [`Link::take_rest`] what is still to be sent.
    pub fn leave(&self, stream: u64, session: u64) {
        self.send(Command::Leave { stream, session });
    }

    fn send(&self, command: Command) {
        // The loop ends with its worker; so do the sessions that could send this.
        let _ = self.commands.send(command);
    }
}

struct Waker {
    commands: mpsc::UnboundedSender<Command>,
}

impl Wake for Waker {
    fn wake(&self, stream: u64) {
        let _ = self.commands.send(Command::Dirty(stream));
    }
}

/// One worker's players. See the module's documentation.
pub struct DeliveryLoop {
    worker: usize,
    inbox: mpsc::UnboundedReceiver<Command>,
    wake: Arc<Waker>,
    streams: HashMap<u64, LocalStream>,
    /// Players whose socket was full when last tried.
    blocked: usize,
    /// When blocked players are tried next.
    tick: Instant,
}

struct LocalStream {
    stream: Arc<Stream>,
    backlog: Backlog,
    players: Vec<Player>,
    /// Scratch for fetching.
    fetched: Vec<Arc<Packet>>,
    blocked: usize,
}

struct Player {
    session: u64,
    socket: Arc<Socket>,
    cursor: Cursor,
    link: Arc<Link>,
    bytes_sent: u64,
    send_timeout: Duration,
    blocked_since: Option<Instant>,
}

/// The bytes of one batch that all steady players of a container share.
struct Shared {
    container: Container,
    slices: Vec<Bytes>,
    len: usize,
}

impl DeliveryLoop {
    /// Serves until every [`Delivery`] is dropped.
    pub async fn run(mut self) {
        let mut commands = Vec::new();
        let mut dirty = Vec::new();
        loop {
            tokio::select! {
                biased;
                taken = self.inbox.recv_many(&mut commands, COMMANDS) => if taken == 0 { return },
                () = tokio::time::sleep_until(self.tick.into()), if self.blocked > 0 => {}
            }
            let now = Instant::now();
            for command in commands.drain(..) {
                self.handle(command, &mut dirty);
            }
            if now >= self.tick {
                self.tick = now + BLOCKED_TICK;
                dirty.extend(self.streams.iter().filter(|(_, s)| s.blocked > 0).map(|(id, _)| *id));
            }
            for id in dirty.drain(..) {
                self.serve(id, now);
                // Thousands of players are walked without a pause; sessions of this worker come in between.
                tokio::task::consume_budget().await;
            }
        }
    }

    fn handle(&mut self, command: Command, dirty: &mut Vec<u64>) {
        match command {
            Command::Dirty(id) => dirty.push(id),
            Command::Join(join) => {
                let id = join.stream.id();
                self.join(*join);
                dirty.push(id);
            }
            Command::Control { stream, session, bytes } => {
                if let Some((local, index)) = self.find(stream, session) {
                    let player = &mut local.players[index];
                    if !player.cursor.push_control(bytes) {
                        player.link.give_up(Gone::Stalled);
                        local.players.swap_remove(index);
                    }
                    dirty.push(stream);
                }
            }
            Command::Leave { stream, session } => {
                if let Some((local, index)) = self.find(stream, session) {
                    let player = local.players.swap_remove(index);
                    player.link.let_go(player.cursor.into_pending());
                    dirty.push(stream);
                }
            }
        }
    }

    fn find(&mut self, stream: u64, session: u64) -> Option<(&mut LocalStream, usize)> {
        let local = self.streams.get_mut(&stream)?;
        let index = local.players.iter().position(|p| p.session == session)?;
        Some((local, index))
    }

    fn join(&mut self, join: Join) {
        let Join { session, stream, socket, settings, lead, link, send_timeout } = join;
        let local = self.streams.entry(stream.id()).or_insert_with(|| {
            let base = stream.attach(self.worker, self.wake.clone());
            LocalStream {
                stream: stream.clone(),
                backlog: Backlog::starting_at(base),
                players: Vec::new(),
                fetched: Vec::new(),
                blocked: 0,
            }
        });
        let joined = stream.join(settings.start, local.backlog.base());
        local.backlog.prepend(joined.older.iter().cloned());
        let cursor = Cursor::join(settings, &joined, lead);
        local.players.push(Player {
            session,
            socket,
            cursor,
            link,
            bytes_sent: 0,
            send_timeout,
            blocked_since: None,
        });
    }

    /// Fetches what is new of a stream and walks its players.
    fn serve(&mut self, id: u64, now: Instant) {
        let Some(local) = self.streams.get_mut(&id) else { return };
        self.blocked -= local.blocked;
        local.serve(self.worker, now);
        self.blocked += local.blocked;
        if local.players.is_empty() {
            local.stream.detach(self.worker);
            self.streams.remove(&id);
        }
    }
}

impl LocalStream {
    fn serve(&mut self, worker: usize, now: Instant) {
        let start = self.stream.fetch(worker, &mut self.fetched);
        if !self.fetched.is_empty() {
            let lost = self.backlog.append(start, self.fetched.drain(..));
            if lost > 0 {
                event::packets_lost(&self.stream, lost);
            }
        }
        let first = start.max(self.backlog.base());
        let kinds = kinds_of(self.backlog.from(first));
        let end = self.backlog.end();
        let mut batches: [Option<Shared>; Container::COUNT] = Default::default();
        let mut keep = end;
        let mut index = 0;
        self.blocked = 0;
        while let Some(player) = self.players.get_mut(index) {
            let steady = first < end && player.cursor.is_steady(first, kinds);
            let outcome = if steady {
                let container = player.cursor.settings().container;
                let batch = batches[container as usize]
                    .get_or_insert_with(|| Shared::new(container, &self.backlog, first));
                player.write_shared(batch, end)
            } else {
                player.catch_up(&self.backlog, &self.stream)
            };
            match outcome.and_then(|progress| player.settle(progress, now)) {
                Ok(progress) => {
                    self.blocked += usize::from(progress == Progress::Blocked);
                    keep = keep.min(player.cursor.next());
                    index += 1;
                }
                Err(why) => {
                    player.link.give_up(why);
                    self.players.swap_remove(index);
                }
            }
        }
        self.backlog.release(keep);
    }
}

impl Shared {
    fn new(container: Container, backlog: &Backlog, first: u64) -> Self {
        let slices: Vec<Bytes> = backlog.from(first).map(|p| p.shared(container).clone()).collect();
        let len = slices.iter().map(Bytes::len).sum();
        Shared { container, slices, len }
    }
}

impl Player {
    /// Sends a steady player the shared bytes of the batch that ends at `end`.
    fn write_shared(&mut self, batch: &Shared, end: u64) -> Result<Progress, Gone> {
        debug_assert_eq!(batch.container, self.cursor.settings().container);
        let mut slices = [IoSlice::new(&[]); limits::WRITE_SLICES];
        let count = batch.slices.len().min(slices.len());
        for (slot, bytes) in slices.iter_mut().zip(&batch.slices) {
            *slot = IoSlice::new(bytes);
        }
        let written = match self.socket.try_write_vectored(&slices[..count]) {
            Ok(written) => written,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => return Err(Gone::WriteError),
        };
        self.bytes_sent += written as u64;
        self.cursor.advance_steady(&batch.slices, written, end);
        Ok(if written == batch.len { Progress::CaughtUp } else { Progress::Blocked })
    }

    /// Sends any other player what it is due, after moving it forward if it is too far behind.
    fn catch_up(&mut self, backlog: &Backlog, stream: &Stream) -> Result<Progress, Gone> {
        let gap = self.cursor.next() < backlog.base();
        let mut progress = if gap { Progress::Blocked } else { self.write(backlog)? };
        if progress == Progress::Blocked
            && let Some(skipped) = self.cursor.skip_if_behind(backlog, stream)
        {
            let total = self.link.dropped_total.fetch_add(skipped.packets, Ordering::Relaxed);
            event::player_skipped(self.session, stream, skipped, total + skipped.packets);
            progress = self.write(backlog)?;
        }
        Ok(progress)
    }

    fn write(&mut self, backlog: &Backlog) -> Result<Progress, Gone> {
        let socket = &self.socket;
        let (progress, written) = self
            .cursor
            .write(backlog, &mut |slices| socket.try_write_vectored(slices))
            .map_err(|_| Gone::WriteError)?;
        self.bytes_sent += written as u64;
        Ok(progress)
    }

    /// Publishes counters and applies the send timeout.
    fn settle(&mut self, progress: Progress, now: Instant) -> Result<Progress, Gone> {
        let before = self.link.bytes_sent.load(Ordering::Relaxed);
        if before != self.bytes_sent {
            self.link.bytes_sent.store(self.bytes_sent, Ordering::Relaxed);
            self.blocked_since = None;
        }
        if progress == Progress::CaughtUp {
            self.blocked_since = None;
            return Ok(progress);
        }
        let since = *self.blocked_since.get_or_insert(now);
        if !self.send_timeout.is_zero() && now.duration_since(since) > self.send_timeout {
            return Err(Gone::SendTimeout);
        }
        Ok(progress)
    }
}
