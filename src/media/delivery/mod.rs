//! The delivery loop: each worker thread owns the sending side of its players and walks them once per batch.
//!
//! Publishers wake a worker once per batch and stream; the loop fetches what is new, frames it once per
//! container and hands the same bytes to every player that is up to date. No task is woken per player and
//! frame, and no lock is held while sending. A player whose socket is full keeps its place in the stream
//! ([`Cursor`](crate::hub::cursor::Cursor)); it is tried again with the next batch and by a tick, which costs no
//! system call until the reactor has seen the socket writable.
//!
//! Where the system allows io_uring ([`Ring`]), players that are up to date and share their bytes are sent them by one
//! system call before they are walked; the walk then finds what came of it. Nothing is under way between two steps of the
//! loop, so a player that leaves or is closed has nothing to be cancelled.
//!
//! With `send_delay` a batch is what has come since the last moment of a player's phase ([`pace`](crate::hub::pace)).
//! Not for everybody: a player is served at once until it has had its first key frame, and so is a relay, whose
//! players wait at their own server.

mod ahead;
pub mod conf;
mod link;
mod local;
pub mod main_conf;
mod player;
mod total;
mod uring;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::runtime::{Handle, RuntimeMetrics};
use tokio::sync::mpsc;

pub use self::link::{Gone, Link};
use self::local::{LocalStream, Round, Totals};
pub use self::total::Total;
pub use self::uring::Ring;
use super::view::AppView;
use crate::hub::cursor::PlayerSettings;
use crate::hub::pace::{AutoDelay, Grid, LoadMeter};
use crate::hub::stream::{Stream, Wake};
use crate::limits;
use crate::media::log;
use crate::media::session::Reason;
use crate::net::socket::Socket;
use crate::task::fault;

/// How often blocked players are tried when no media comes.
const BLOCKED_TICK: Duration = Duration::from_millis(10);
/// Commands taken at once.
const COMMANDS: usize = 1024;

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
    /// Its application, for `send_delay`.
    pub view: AppView,
}

enum Command {
    Dirty(u64),
    Join(Box<Join>),
    Control { stream: u64, link: Arc<Link>, bytes: Bytes },
    Leave { stream: u64, link: Arc<Link>, flush: bool },
    Pause { stream: u64, link: Arc<Link>, paused: bool },
}

/// The way to a worker's delivery loop.
#[derive(Clone)]
pub struct Delivery {
    commands: mpsc::UnboundedSender<Command>,
}

impl Delivery {
    /// A loop for worker `worker`; run the second part on that worker. Without a ring each player is sent its own write.
    /// `grid` and `total` are the same for all workers.
    pub fn new(worker: usize, ring: Option<Ring>, grid: Grid, total: Arc<Total>) -> (Delivery, DeliveryLoop) {
        // Unbounded, yet bounded by its users: a stream is dirty at most once per worker, a session joins and
        // leaves once, and control messages answer what a session received.
        let (commands, inbox) = mpsc::unbounded_channel();
        let delivery = Delivery { commands };
        let wake = Arc::new(Waker { commands: delivery.commands.clone() });
        let now = Instant::now();
        let serving = DeliveryLoop {
            worker,
            inbox,
            wake,
            streams: FxHashMap::default(),
            blocked: FxHashSet::default(),
            tick: now,
            total,
            look: now,
            grid,
            due: BinaryHeap::new(),
            totals: Totals::default(),
            auto: AutoDelay::default(),
            ring,
        };
        (delivery, serving)
    }

    /// Hands the sending side of a session to the loop.
    pub fn join(&self, join: Join) {
        self.send(Command::Join(Box::new(join)));
    }

    /// Sends bytes of the session itself between two messages.
    pub fn control(&self, stream: u64, link: &Arc<Link>, bytes: Bytes) {
        self.send(Command::Control { stream, link: link.clone(), bytes });
    }

    /// Takes the sending side back in the middle of the stream; [`Link::ended`] tells when, [`Link::take_rest`] what is
    /// still to be sent of the last message.
    pub fn leave(&self, stream: u64, link: &Arc<Link>) {
        self.send(Command::Leave { stream, link: link.clone(), flush: false });
    }

    /// As [`Delivery::leave`], but first sends what the stream has brought so far, if the player takes it within
    /// [`limits::LEAVE_GRACE`].
    pub fn finish(&self, stream: u64, link: &Arc<Link>) {
        self.send(Command::Leave { stream, link: link.clone(), flush: true });
    }

    /// Sends a player no media, or media again from the next key frame on.
    pub fn pause(&self, stream: u64, link: &Arc<Link>, paused: bool) {
        self.send(Command::Pause { stream, link: link.clone(), paused });
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
    streams: FxHashMap<u64, LocalStream>,
    /// Streams with players whose socket was full when they were last served.
    blocked: FxHashSet<u64>,
    /// When blocked players are tried next.
    tick: Instant,
    total: Arc<Total>,
    /// When what waits for blocked players is added up next.
    look: Instant,
    /// Moments of `send_delay`.
    grid: Grid,
    /// Streams with a group that is due then; who has been served sooner, or is gone, may still stand here.
    due: BinaryHeap<Reverse<(Instant, u64)>>,
    totals: Totals,
    auto: AutoDelay,
    ring: Option<Ring>,
}

impl DeliveryLoop {
    /// Serves until every [`Delivery`] is dropped.
    pub async fn run(mut self) {
        let metrics = Handle::current().metrics();
        let mut meter = LoadMeter::new(Instant::now(), busy(&metrics));
        let mut commands = Vec::new();
        let mut dirty = Vec::new();
        loop {
            let timer = self.next_timer();
            tokio::select! {
                biased;
                taken = self.inbox.recv_many(&mut commands, COMMANDS) => if taken == 0 { return },
                () = tokio::time::sleep_until(timer.unwrap_or(self.tick).into()), if timer.is_some() => {}
            }
            fault::stall_at("delivery_stalls");
            fault::panic_at("delivery");
            let now = Instant::now();
            if let Some(load) = meter.sample(now, busy(&metrics)) {
                self.adapt(load);
            }
            for command in commands.drain(..) {
                self.handle(command, &mut dirty, now);
            }
            while let Some(Reverse((due, id))) = self.due.peek().copied()
                && due <= now
            {
                self.due.pop();
                dirty.push(id);
            }
            if self.totals.blocked > 0 && now >= self.tick {
                self.tick = now + BLOCKED_TICK;
                for id in std::mem::take(&mut self.blocked) {
                    self.retry(id, now).await;
                }
                if now >= self.look {
                    self.look = now + limits::TOTAL_BACKLOG_LOOK;
                    self.shed(&mut dirty);
                }
            }
            for id in dirty.drain(..) {
                self.serve(id, now).await;
            }
        }
    }

    /// When something has to be done although no command comes.
    fn next_timer(&mut self) -> Option<Instant> {
        while let Some(Reverse((due, id))) = self.due.peek()
            && !self.streams.get(id).is_some_and(|stream| stream.waits_for(*due))
        {
            self.due.pop();
        }
        let tick = (self.totals.blocked > 0).then_some(self.tick);
        let due = self.due.peek().map(|Reverse((due, _))| *due);
        tick.into_iter().chain(due).min()
    }

    fn adapt(&mut self, load: f64) {
        match self.streams.values().filter_map(LocalStream::auto_max).max() {
            Some(max) => self.auto.adapt(load, max),
            None => self.auto = AutoDelay::default(),
        }
    }

    fn handle(&mut self, command: Command, dirty: &mut Vec<u64>, now: Instant) {
        let stream = match command {
            Command::Dirty(id) => id,
            Command::Join(join) => {
                let id = join.stream.id();
                let local = self.streams.entry(id).or_insert_with(|| {
                    LocalStream::attach(&join.stream, &join.view, self.worker, self.wake.clone())
                });
                local.join(*join, now);
                id
            }
            Command::Control { stream, link, bytes } => {
                if let Some(local) = self.streams.get_mut(&stream) {
                    local.fetch(self.worker);
                    local.control(&link, bytes, now, &mut self.totals);
                }
                stream
            }
            Command::Leave { stream, link, flush } => {
                if let Some(local) = self.streams.get_mut(&stream) {
                    local.fetch(self.worker);
                    local.leave(&link, flush, now, &mut self.totals);
                }
                stream
            }
            Command::Pause { stream, link, paused } => {
                if let Some(local) = self.streams.get_mut(&stream) {
                    local.fetch(self.worker);
                    local.pause(&link, paused);
                }
                stream
            }
        };
        dirty.push(stream);
    }

    /// Fetches what is new of a stream and serves those of its players whose turn it is.
    async fn serve(&mut self, id: u64, now: Instant) {
        let Some(local) = self.streams.get_mut(&id) else { return };
        let dues = local.take_in(self.worker, &self.grid, self.auto.delay(), now);
        self.due.extend(dues.map(|due| Reverse((due, id))));
        while let Some(round) = local.next_round(now) {
            walk(local, round, &mut self.totals, &mut self.ring).await;
        }
        if local.blocked() > 0 {
            self.blocked.insert(id);
        }
        if local.is_deserted()
            && let Some(local) = self.streams.remove(&id)
        {
            local.detach(self.worker, &mut self.totals);
        }
    }

    /// Closes the players for which most waits, while too much waits for all players of the server together.
    fn shed(&mut self, dirty: &mut Vec<u64>) {
        let blocked = || self.blocked.iter().filter_map(|id| Some((*id, self.streams.get(id)?)));
        let (mut seen, mut bytes, mut most) = (FxHashSet::default(), 0, None);
        for (_, stream) in blocked() {
            bytes += stream.waiting(&mut seen);
            most = stream.total_backlog();
        }
        let mut over = self.total.tell(self.worker, bytes, most);
        if over == 0 {
            return;
        }
        let waiters =
            blocked().flat_map(|(id, stream)| stream.waiters().map(move |(bytes, link)| (bytes, id, link)));
        let mut waiters: Vec<_> = waiters.collect();
        waiters.sort_unstable_by_key(|(bytes, ..)| Reverse(*bytes));
        for (bytes, id, link) in waiters {
            if let Some(stream) = self.streams.get_mut(&id).filter(|_| over > 0) {
                stream.close(&link, bytes);
                dirty.push(id);
                over = over.saturating_sub(bytes);
            }
        }
    }

    /// Tries the players of a stream whose socket was full.
    async fn retry(&mut self, id: u64, now: Instant) {
        let Some(local) = self.streams.get_mut(&id) else { return };
        for round in local.retries(now) {
            walk(local, round, &mut self.totals, &mut self.ring).await;
        }
        if local.blocked() > 0 {
            self.blocked.insert(id);
        }
    }
}

impl Drop for DeliveryLoop {
    fn drop(&mut self) {
        // By a panic: streams must not wait for a loop that is gone, and the next one has the same number.
        for (_, local) in self.streams.drain() {
            local.detach(self.worker, &mut Totals::default());
        }
        self.total.tell(self.worker, 0, None);
    }
}

/// Walks a group of players. Thousands are not walked without a pause: sessions of this worker come in between.
async fn walk(local: &mut LocalStream, round: Round, totals: &mut Totals, ring: &mut Option<Ring>) {
    let mut left = Some(round);
    while let Some(round) = left {
        left = local.serve(round, totals, ring.as_mut());
        if let Some(error) = ring.as_ref().and_then(Ring::error) {
            log::uring_lost(error);
            *ring = None;
        }
        if totals.take_turn() {
            tokio::task::yield_now().await;
        }
    }
}

/// How long the worker's thread has worked so far.
fn busy(metrics: &RuntimeMetrics) -> Duration {
    metrics.worker_total_busy_duration(0)
}

/// The session's reason for what the delivery loop found.
pub fn reason_of(gone: Gone) -> Reason {
    match gone {
        Gone::WriteError => Reason::RtmpSendErr,
        Gone::SendTimeout | Gone::Stalled | Gone::Crowded => Reason::RtmpSendTimeout,
    }
}
