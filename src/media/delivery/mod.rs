//! Delivery loop: each worker thread owns the sending side of its players and walks them once per batch.
//!
//! Publishers wake a worker once per batch and stream. The loop fetches new packets, frames them once per container and
//! sends the same bytes to every player that is up to date. No task is woken per player and frame, and no lock is held
//! while sending. A player whose socket is full keeps its position in the stream
//! ([`Cursor`](crate::hub::cursor::Cursor)); it is retried with the next batch and by a tick, which costs no system
//! call until the reactor has seen the socket writable.
//!
//! If the system allows io_uring ([`IoRing`]), steady players that share their bytes are sent them with one system call
//! before the walk, which then processes the outcomes. No operation is pending between two steps of the loop, so
//! nothing must be cancelled when a player leaves or is closed.
//!
//! With `send_delay`, a batch is what has arrived since the last delivery time of a player's phase
//! ([`pace`](crate::hub::pace)). Two kinds of players are served at once instead: new ones until their first key frame,
//! and relays, because their players are delayed at the next server.

mod ahead;
pub mod conf;
pub mod figures;
mod group;
mod join;
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

use self::figures::WorkerFigures;
use self::group::{GroupRound, WorkerTotals};
pub use self::join::{Join, SentBeforeJoin, Start};
pub use self::link::{PlayerLink, RemovalReason};
use self::local::LocalStream;
pub use self::total::BacklogTotal;
pub use self::uring::IoRing;
use crate::hub::pace::{AutoDelay, Grid, LoadMeter};
use crate::hub::stream::StreamWaker;
use crate::limits;
use crate::media::log;
use crate::media::session::Reason;
use crate::task::fault;

/// Retry interval of blocked players while no media arrives.
const BLOCKED_TICK: Duration = Duration::from_millis(10);
/// Maximum number of commands processed at once.
const COMMANDS: usize = 1024;

enum LoopCommand {
    /// New packets of a stream arrived at this time.
    Dirty(u64, Instant),
    Join(Box<Join>),
    Control {
        stream: u64,
        link: Arc<PlayerLink>,
        bytes: Bytes,
    },
    Media {
        stream: u64,
        link: Arc<PlayerLink>,
        bytes: Bytes,
    },
    Begin {
        stream: u64,
        link: Arc<PlayerLink>,
        sent: Option<SentBeforeJoin>,
    },
    Leave {
        stream: u64,
        link: Arc<PlayerLink>,
        flush: bool,
    },
    Pause {
        stream: u64,
        link: Arc<PlayerLink>,
        paused: bool,
    },
}

/// Handle to a worker's delivery loop.
#[derive(Clone)]
pub struct Delivery {
    commands: mpsc::UnboundedSender<LoopCommand>,
}

impl Delivery {
    /// Creates the loop of worker `worker`, which must run on that worker. Without a ring each player gets its own
    /// write. `grid` and `total` are shared by all workers; `figures` are those of the worker.
    pub fn new(
        worker: usize,
        ring: Option<IoRing>,
        grid: Grid,
        total: Arc<BacklogTotal>,
        figures: Arc<WorkerFigures>,
    ) -> (Delivery, DeliveryLoop) {
        // The channel is unbounded, but its users bound it: a stream is dirty at most once per worker, a session joins
        // and leaves once, control messages answer received ones, and media from elsewhere waits for what was sent before.
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
            totals: WorkerTotals::default(),
            figures,
            auto: AutoDelay::default(),
            ring,
        };
        (delivery, serving)
    }

    /// Passes the sending side of a session to the loop.
    pub fn join(&self, join: Join) {
        self.send(LoopCommand::Join(Box::new(join)));
    }

    /// Sends control bytes of a session between two messages.
    pub fn control(&self, stream: u64, link: &Arc<PlayerLink>, bytes: Bytes) {
        self.send(LoopCommand::Control { stream, link: link.clone(), bytes });
    }

    /// Sends whole messages to a player that is held ([`Start::Held`]). The caller waits for [`PlayerLink::drained`] before it
    /// sends more.
    pub fn media(&self, stream: u64, link: &Arc<PlayerLink>, bytes: Bytes) {
        self.send(LoopCommand::Media { stream, link: link.clone(), bytes });
    }

    /// Lets a player that is held begin with the stream: behind what it was sent, otherwise as its settings say.
    pub fn begin(&self, stream: u64, link: &Arc<PlayerLink>, sent: Option<SentBeforeJoin>) {
        self.send(LoopCommand::Begin { stream, link: link.clone(), sent });
    }

    /// Takes the sending side back in mid-stream; [`PlayerLink::ended`] resolves when that is done, and [`PlayerLink::take_rest`]
    /// returns the unsent rest of the last message.
    pub fn leave(&self, stream: u64, link: &Arc<PlayerLink>) {
        self.send(LoopCommand::Leave { stream, link: link.clone(), flush: false });
    }

    /// As [`Delivery::leave`], but first sends the media that has arrived, if the player accepts it within
    /// [`limits::LEAVE_GRACE`].
    pub fn finish(&self, stream: u64, link: &Arc<PlayerLink>) {
        self.send(LoopCommand::Leave { stream, link: link.clone(), flush: true });
    }

    /// Pauses a player's media, or resumes it with the next key frame.
    pub fn pause(&self, stream: u64, link: &Arc<PlayerLink>, paused: bool) {
        self.send(LoopCommand::Pause { stream, link: link.clone(), paused });
    }

    fn send(&self, command: LoopCommand) {
        // The loop ends together with its worker, and so do the sessions that could send this.
        let _ = self.commands.send(command);
    }
}

struct Waker {
    commands: mpsc::UnboundedSender<LoopCommand>,
}

impl StreamWaker for Waker {
    fn wake(&self, stream: u64) {
        let _ = self.commands.send(LoopCommand::Dirty(stream, Instant::now()));
    }
}

/// Delivery loop of one worker; see the module's documentation.
pub struct DeliveryLoop {
    worker: usize,
    inbox: mpsc::UnboundedReceiver<LoopCommand>,
    wake: Arc<Waker>,
    streams: FxHashMap<u64, LocalStream>,
    /// Streams with players whose socket was full at the last attempt.
    blocked: FxHashSet<u64>,
    /// Time of the next retry of blocked players.
    tick: Instant,
    total: Arc<BacklogTotal>,
    /// Time at which the backlog of blocked players is summed next.
    look: Instant,
    /// Delivery times of `send_delay`.
    grid: Grid,
    /// Streams with a group that is due at this time. Entries may be outdated because the group was served earlier or
    /// is gone.
    due: BinaryHeap<Reverse<(Instant, u64)>>,
    totals: WorkerTotals,
    figures: Arc<WorkerFigures>,
    auto: AutoDelay,
    ring: Option<IoRing>,
}

impl DeliveryLoop {
    /// Runs until every [`Delivery`] is dropped.
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
            self.figures.set_blocked(self.totals.blocked);
        }
    }

    /// Time at which something must be done even if no command arrives.
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

    fn handle(&mut self, command: LoopCommand, dirty: &mut Vec<u64>, now: Instant) {
        let stream = match command {
            LoopCommand::Dirty(id, at) => {
                if let Some(local) = self.streams.get_mut(&id) {
                    local.arrived(at);
                }
                id
            }
            LoopCommand::Join(join) => {
                let id = join.stream.id();
                let local = self.streams.entry(id).or_insert_with(|| {
                    LocalStream::attach(
                        &join.stream,
                        &join.view,
                        self.worker,
                        self.wake.clone(),
                        &self.figures,
                    )
                });
                local.join(*join, now);
                id
            }
            LoopCommand::Control { stream, link, bytes } => {
                if let Some(local) = self.streams.get_mut(&stream) {
                    local.fetch(self.worker);
                    local.control(&link, bytes, now, &mut self.totals);
                }
                stream
            }
            LoopCommand::Media { stream, link, bytes } => {
                if let Some(local) = self.streams.get_mut(&stream) {
                    local.media(&link, bytes, now, &mut self.totals);
                }
                stream
            }
            LoopCommand::Begin { stream, link, sent } => {
                if let Some(local) = self.streams.get_mut(&stream) {
                    local.begin(&link, sent, now);
                }
                stream
            }
            LoopCommand::Leave { stream, link, flush } => {
                if let Some(local) = self.streams.get_mut(&stream) {
                    local.fetch(self.worker);
                    local.leave(&link, flush, now, &mut self.totals);
                }
                stream
            }
            LoopCommand::Pause { stream, link, paused } => {
                if let Some(local) = self.streams.get_mut(&stream) {
                    local.fetch(self.worker);
                    local.pause(&link, paused);
                }
                stream
            }
        };
        dirty.push(stream);
    }

    /// Fetches new packets of a stream and serves the players that are due.
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

    /// Closes the players with the largest backlogs while the backlog of all players of the server exceeds its limit.
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

    /// Retries the blocked players of a stream.
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
        // After a panic: streams must not wait for a dead loop, and the next one has the same worker number.
        for (_, local) in self.streams.drain() {
            local.detach(self.worker, &mut WorkerTotals::default());
        }
        self.total.tell(self.worker, 0, None);
        self.figures.set_blocked(0);
    }
}

/// Walks a group of players. Long walks yield to sessions of this worker in between.
async fn walk(
    local: &mut LocalStream,
    round: GroupRound,
    totals: &mut WorkerTotals,
    ring: &mut Option<IoRing>,
) {
    let mut left = Some(round);
    while let Some(round) = left {
        left = local.serve(round, totals, ring.as_mut());
        if let Some(error) = ring.as_ref().and_then(IoRing::error) {
            log::uring_lost(error);
            *ring = None;
        }
        if totals.take_turn() {
            tokio::task::yield_now().await;
        }
    }
}

/// Total busy time of the worker's thread.
fn busy(metrics: &RuntimeMetrics) -> Duration {
    metrics.worker_total_busy_duration(0)
}

/// The session's end reason for the delivery loop's reason.
pub fn reason_of(gone: RemovalReason) -> Reason {
    match gone {
        RemovalReason::WriteError => Reason::RtmpSendErr,
        RemovalReason::SendTimeout | RemovalReason::Stalled | RemovalReason::Crowded => {
            Reason::RtmpSendTimeout
        }
    }
}
