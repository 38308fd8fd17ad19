//! A stream and its players on one worker.

mod held;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustc_hash::FxHashSet;

use super::ahead;
use super::conf::Current;
use super::conf::SendDelay;
use super::figures::WorkerFigures;
use super::group::{GroupRound, GroupTurn, PlayerGroup, SPARE_PLAYERS, WorkerTotals};
use super::join::{Join, SentBeforeJoin, Start};
use super::link::{PlayerLink, PlayerSlot, RemovalReason};
use super::player::{SharedBytes, WorkerPlayer};
use super::uring::IoRing;
use crate::hub::backlog::Backlog;
use crate::hub::cursor::{Cursor, Progress, lanes_of};
use crate::hub::gop::StartSettings;
use crate::hub::pace::{Grid, PHASES, Waiting, interval, phase};
use crate::hub::packet::Packet;
use crate::hub::stream::{JoinedPlayer, Stream, StreamWaker};
use crate::limits;
use crate::media::log;
use crate::media::session;
use crate::media::view::AppView;
use crate::wire::MediaKind;

/// A stream on one worker; see the module's documentation.
pub(super) struct LocalStream {
    stream: Arc<Stream>,
    /// Access to the configuration, from the newest player.
    view: AppView,
    /// Configuration generation for which `send_delay` was read.
    generation: u64,
    send_delay: SendDelay,
    /// Batching interval reported to the stream; see [`Stream::set_patience`].
    patience: Duration,
    backlog: Backlog,
    /// In service order: the group that is served at once, then one per phase. Most streams have few players; groups
    /// without players are dropped before the next batch.
    groups: Vec<PlayerGroup>,
    has_video: bool,
    /// Buffer for fetching.
    fetched: Vec<Arc<Packet>>,
    /// Arrival of the oldest packets that were not fetched yet.
    arrived: Option<Instant>,
    /// Figures of the worker.
    figures: Arc<WorkerFigures>,
}

impl LocalStream {
    /// Starts serving `stream`.
    pub(super) fn attach(
        stream: &Arc<Stream>,
        view: &AppView,
        worker: usize,
        wake: Arc<dyn StreamWaker>,
        figures: &Arc<WorkerFigures>,
    ) -> Self {
        let base = stream.attach(worker, wake);
        LocalStream {
            stream: stream.clone(),
            view: view.clone(),
            generation: 0,
            send_delay: SendDelay::Fixed(Duration::ZERO),
            patience: Duration::ZERO,
            backlog: Backlog::starting_at(base),
            groups: Vec::new(),
            has_video: false,
            fetched: Vec::new(),
            arrived: None,
            figures: figures.clone(),
        }
    }

    /// Records that packets arrived at this time.
    pub(super) fn arrived(&mut self, at: Instant) {
        self.arrived.get_or_insert(at);
    }

    /// Adds a player.
    pub(super) fn join(&mut self, join: Join, now: Instant) {
        let Join { session, stream, socket, settings, start, lead, link, send_timeout, view } = join;
        stream.uses(settings.container);
        let (settings_start, sent) = match start {
            Start::AsSet => (settings.start, None),
            Start::Behind(sent) => (settings.start, Some(sent)),
            // What it begins with is not wanted yet.
            Start::Held => (StartSettings { cache_time: 0, ..settings.start }, None),
        };
        let joined = self.joined(settings_start, sent);
        let mut cursor = Cursor::join(settings, &joined, lead);
        match start {
            Start::AsSet => {}
            Start::Behind(sent) => cursor.continue_at(sent.next, sent.origin),
            Start::Held => cursor.hold(),
        }
        self.view = view;
        self.generation = 0;
        let prompt = self.prompt();
        prompt.push(WorkerPlayer {
            session,
            socket,
            cursor,
            link,
            bytes_sent: sent.map_or(0, |sent| sent.bytes),
            send_timeout,
            blocked_since: None,
            leaving: None,
            ahead: None,
        });
        prompt.schedule.hurry(now);
    }

    /// Where a player begins that was sent this.
    fn joined(&mut self, start: StartSettings, sent: Option<SentBeforeJoin>) -> JoinedPlayer {
        let joined = match sent {
            Some(sent) => self.stream.join_at(sent.next, self.backlog.base()),
            None => self.stream.join(start, self.backlog.base()),
        };
        self.has_video |= joined.headers.has_video();
        self.backlog.prepend(joined.older.iter().cloned());
        joined
    }

    /// The group that is served at once. Must not be called during a round, since it may move other groups.
    fn prompt(&mut self) -> &mut PlayerGroup {
        if self.groups.first().is_none_or(|group| group.phase.is_some()) {
            self.groups.insert(0, PlayerGroup::new(None, self.backlog.end()));
        }
        &mut self.groups[0]
    }

    /// Index of a phase's group.
    fn of_phase(&mut self, phase: usize) -> usize {
        self.groups.iter().position(|group| group.phase == Some(phase)).unwrap_or_else(|| {
            self.groups.push(PlayerGroup::new(Some(phase), self.backlog.end()));
            self.groups.len() - 1
        })
    }

    /// Queues control bytes of the session after the media that has arrived, and sends both.
    pub(super) fn control(
        &mut self,
        link: &Arc<PlayerLink>,
        bytes: Bytes,
        now: Instant,
        totals: &mut WorkerTotals,
    ) {
        let Some((group, index)) = self.find(link) else { return };
        let end = self.backlog.end();
        let player = &mut self.groups[group].players[index];
        player.cursor.take_up(&self.backlog, end);
        if !player.cursor.push_control(bytes) {
            self.groups[group].take(index).link.give_up(RemovalReason::Stalled);
            return;
        }
        self.serve_player(group, index, now, totals);
    }

    /// Pauses a player after the media that has arrived, or resumes it.
    pub(super) fn pause(&mut self, link: &Arc<PlayerLink>, paused: bool) {
        let Some((group, index)) = self.find(link) else { return };
        let end = self.backlog.end();
        let cursor = &mut self.groups[group].players[index].cursor;
        cursor.take_up(&self.backlog, end);
        match paused {
            true => cursor.pause(),
            false => cursor.resume(self.stream.headers()),
        }
    }

    /// Releases a player's sending side; with `flush`, after it was sent what has arrived, at most after
    /// [`limits::LEAVE_GRACE`].
    pub(super) fn leave(
        &mut self,
        link: &Arc<PlayerLink>,
        flush: bool,
        now: Instant,
        totals: &mut WorkerTotals,
    ) {
        let Some((group, index)) = self.find(link) else { return };
        let mut player = self.groups[group].take(index);
        if flush && player.leaving.is_none() {
            player.leaving = Some(now + limits::LEAVE_GRACE);
            player.cursor.uncork();
            let last = self.prompt().push(player);
            self.serve_player(0, last, now, totals);
            return;
        }
        player.link.let_go(player.cursor.into_pending());
    }

    /// Fetches new packets of the stream and schedules the groups: at once, or at the next delivery time of their
    /// phase. Returns the future delivery times.
    pub(super) fn take_in(
        &mut self,
        worker: usize,
        grid: &Grid,
        auto: Duration,
        now: Instant,
    ) -> impl Iterator<Item = Instant> {
        // Players that left may still count as blocked until the next retry.
        self.groups.retain(|group| !group.players.is_empty() || group.blocked > 0);
        let arrived = self.fetch(worker);
        let delay = self.delay(auto);
        let interval = interval(delay, self.groups.iter().filter_map(|group| group.phase));
        self.tell_patience(worker, interval);
        let mut dues = [None; PHASES];
        for group in self.groups.iter_mut().filter(|group| !group.waiting.is_empty()) {
            match group.phase {
                Some(phase) if !delay.is_zero() && !group.waiting.is_due() => {
                    dues[phase] = group.schedule.wait(grid, phase, (delay, interval), now, arrived);
                }
                _ => group.schedule.hurry(now),
            }
        }
        dues.into_iter().flatten()
    }

    /// Reports this worker's batching interval to the stream.
    fn tell_patience(&mut self, worker: usize, interval: Duration) {
        // Players that are held need nothing of the stream yet.
        let hurries = |group: &PlayerGroup| {
            group.phase.is_none() && !group.players.iter().all(|player| player.cursor.is_held())
        };
        let hurried = self.groups.iter().any(hurries);
        let patience = if hurried { Duration::ZERO } else { interval };
        if self.patience != patience {
            self.patience = patience;
            self.stream.set_patience(worker, patience);
        }
    }

    /// The next group to be served now.
    pub(super) fn next_round(&mut self, now: Instant) -> Option<GroupRound> {
        let group = self.groups.iter().position(|group| group.schedule.is_due(now))?;
        Some(GroupRound { group, turn: GroupTurn::Batch, now, index: 0 })
    }

    /// Groups with blocked players.
    pub(super) fn retries(&self, now: Instant) -> impl Iterator<Item = GroupRound> + use<> {
        let blocked: Vec<bool> = self.groups.iter().map(|group| group.blocked > 0).collect();
        let places = blocked.into_iter().enumerate().filter(|(_, blocked)| *blocked);
        places.map(move |(group, _)| GroupRound { group, turn: GroupTurn::Retry, now, index: 0 })
    }

    /// Serves some players of a group. Returns the rest of the round.
    pub(super) fn serve(
        &mut self,
        round: GroupRound,
        totals: &mut WorkerTotals,
        ring: Option<&mut IoRing>,
    ) -> Option<GroupRound> {
        let GroupRound { group: number, turn, now, mut index } = round;
        let end = self.backlog.end();
        let group = &mut self.groups[number];
        let first = group.sent.max(self.backlog.base());
        let lanes = lanes_of(self.backlog.from(first));
        let limit = if turn == GroupTurn::Batch || group.phase.is_none() { end } else { group.sent };
        if index == 0 {
            group.keep = end;
            totals.blocked -= std::mem::take(&mut group.blocked);
        }
        let mut batches: Vec<SharedBytes> = Vec::new();
        let alike = self.groups[number].players.len() - index;
        // For one player a batch of its own is not worthwhile; a single packet needs none.
        let batch = turn == GroupTurn::Batch && first < end;
        let shares = batch && self.groups[number].players.len() > 1;
        let single = batch && !shares && first + 1 == end;
        if let Some(ring) = ring.filter(|_| shares) {
            let players = &mut self.groups[number].players[index..];
            let most = alike.min(limits::PLAYERS_PER_TURN.saturating_sub(totals.served));
            ahead::send(ring, &mut players[..most], &self.backlog, (first, lanes), &mut batches);
        }
        while totals.served < limits::PLAYERS_PER_TURN
            && let Some(player) = self.groups[number].players.get_mut(index)
        {
            let outcome = if let Some(outcome) = player.ahead.take() {
                outcome
            } else if shares && player.cursor.is_steady(first, lanes) {
                let container = player.cursor.settings().container;
                player.write_shared(SharedBytes::find(&mut batches, container, &self.backlog, first, alike))
            } else if single
                && player.cursor.is_steady(first, lanes)
                && let Some(packet) = self.backlog.get(first)
            {
                player.write_packet(packet, end)
            } else if turn == GroupTurn::Batch || player.blocked_since.is_some() {
                player.catch_up(&self.backlog, limit, &self.stream, &self.figures)
            } else {
                Ok(Progress::CaughtUp)
            };
            let outcome = outcome.and_then(|progress| player.settle(progress, now));
            totals.served += 1;
            index += usize::from(self.settled(number, index, outcome, now, totals));
        }
        if index < self.groups[number].players.len() {
            return Some(GroupRound { index, ..round });
        }
        if turn == GroupTurn::Batch {
            let group = &mut self.groups[number];
            (group.sent, group.waiting) = (end, Waiting::default());
            group.schedule.served();
            if let Some(since) = group.since.take().filter(|_| !group.players.is_empty()) {
                self.figures.send_delay.observe(since.elapsed());
            }
            // Hundreds of players may wait for a key frame together; release the capacity once they have left.
            if group.players.capacity() > SPARE_PLAYERS.max(4 * group.players.len()) {
                group.players.shrink_to(SPARE_PLAYERS.max(2 * group.players.len()));
            }
        }
        self.release();
        None
    }

    /// Whether there are no players, so that the stream need not be served.
    pub(super) fn is_deserted(&self) -> bool {
        self.groups.iter().all(|group| group.players.is_empty())
    }

    /// Detaches from the stream.
    pub(super) fn detach(self, worker: usize, totals: &mut WorkerTotals) {
        totals.blocked = totals.blocked.saturating_sub(self.blocked());
        self.stream.detach(worker);
    }

    /// Number of players whose socket was full at the last attempt.
    pub(super) fn blocked(&self) -> usize {
        self.groups.iter().map(|group| group.blocked).sum()
    }

    /// Bytes queued for blocked players. Byte strings that several players share, those in `seen`, count once.
    pub(super) fn waiting(&self, seen: &mut FxHashSet<*const u8>) -> usize {
        let pieces = self.slow().flat_map(|player| player.cursor.outgoing().iter());
        let pieces: usize = pieces.filter(|piece| seen.insert(piece.as_ptr())).map(Bytes::len).sum();
        pieces + self.backlog.bytes() * self.stream.copies()
    }

    /// Blocked players with the number of bytes queued for each.
    pub(super) fn waiters(&self) -> impl Iterator<Item = (usize, Arc<PlayerLink>)> {
        self.slow().map(|player| {
            let behind: usize =
                self.backlog.from(player.cursor.next()).map(|packet| packet.payload().len()).sum();
            (player.cursor.outgoing().bytes() + behind, player.link.clone())
        })
    }

    /// Closes one of them.
    pub(super) fn close(&mut self, link: &Arc<PlayerLink>, waits: usize) {
        let Some((group, index)) = self.find(link) else { return };
        let player = self.groups[group].take(index);
        log::player_crowded(player.session, &self.stream, waits);
        player.link.give_up(RemovalReason::Crowded);
    }

    /// Value of `total_backlog`, if set.
    pub(super) fn total_backlog(&self) -> Option<usize> {
        self.view.total_backlog()
    }

    fn slow(&self) -> impl Iterator<Item = &WorkerPlayer> {
        let players = self.groups.iter().flat_map(|group| &group.players);
        players.filter(|player| player.blocked_since.is_some())
    }

    /// Upper bound of `send_delay auto` for this stream.
    pub(super) fn auto_max(&self) -> Option<Duration> {
        match self.send_delay {
            SendDelay::Auto { max } => Some(max),
            SendDelay::Fixed(_) => None,
        }
    }

    /// Group and index of a player, in constant time.
    fn find(&self, link: &Arc<PlayerLink>) -> Option<(usize, usize)> {
        let PlayerSlot { phase, index } = link.place()?;
        let number = self.groups.iter().position(|group| group.phase == phase)?;
        let player = self.groups[number].players.get(index)?;
        Arc::ptr_eq(&player.link, link).then_some((number, index))
    }

    /// Fetches new packets of the stream; returns whether there were any.
    pub(super) fn fetch(&mut self, worker: usize) -> bool {
        let (start, arrived) = (self.stream.fetch(worker, &mut self.fetched), self.arrived.take());
        if self.fetched.is_empty() {
            return false;
        }
        for packet in &self.fetched {
            let header = packet.header().is_some();
            self.has_video |= packet.kind() == MediaKind::Video;
            for group in &mut self.groups {
                group.waiting.add(packet.payload().len(), header);
            }
        }
        for group in &mut self.groups {
            group.since = group.since.or(arrived);
        }
        let lost = self.backlog.append(start, self.fetched.drain(..));
        self.backlog.trim(self.stream.window());
        if lost > 0 {
            self.figures.lost(lost);
            log::packets_lost(&self.stream, lost);
        }
        true
    }

    /// Whether a group is due at this time.
    pub(super) fn waits_for(&self, due: Instant) -> bool {
        self.groups.iter().any(|group| group.schedule.is_at(due))
    }

    /// Current `send_delay`.
    fn delay(&mut self, auto: Duration) -> Duration {
        let generation = self.view.generation();
        if self.generation != generation {
            self.generation = generation;
            self.send_delay = self.view.current().get::<Current>().send_delay;
        }
        match self.send_delay {
            SendDelay::Fixed(delay) => delay,
            SendDelay::Auto { max } => auto.min(max),
        }
    }

    /// Serves one player outside of a round.
    fn serve_player(&mut self, number: usize, index: usize, now: Instant, totals: &mut WorkerTotals) {
        let limit = self.backlog.end();
        let player = &mut self.groups[number].players[index];
        let outcome = player.catch_up(&self.backlog, limit, &self.stream, &self.figures);
        let outcome = outcome.and_then(|progress| player.settle(progress, now));
        self.settled(number, index, outcome, now, totals);
    }

    /// Processes the outcome of one player's service; returns whether it is still at its index.
    fn settled(
        &mut self,
        number: usize,
        index: usize,
        outcome: Result<Progress, RemovalReason>,
        now: Instant,
        totals: &mut WorkerTotals,
    ) -> bool {
        let group = &mut self.groups[number];
        let player = &group.players[index];
        let progress = match outcome {
            Ok(progress)
                if player.leaving.is_some_and(|due| progress == Progress::CaughtUp || now >= due) =>
            {
                let player = group.take(index);
                player.link.let_go(player.cursor.into_pending());
                return false;
            }
            Ok(progress) => progress,
            Err(why) => {
                group.take(index).link.give_up(why);
                return false;
            }
        };
        let relay = player.cursor.settings().publishes;
        let begun = progress == Progress::CaughtUp && player.cursor.has_begun(self.has_video);
        if group.phase.is_none() && begun && !relay && player.leaving.is_none() {
            let player = group.take(index);
            self.admit(player, totals);
            return false;
        }
        // A player served outside of a round may count twice; the next round corrects that.
        group.blocked += usize::from(progress == Progress::Blocked);
        totals.blocked += usize::from(progress == Progress::Blocked);
        group.keep = group.keep.min(player.cursor.next());
        true
    }

    /// Gives a phase to a player that was sent its first frame.
    fn admit(&mut self, player: WorkerPlayer, totals: &mut WorkerTotals) {
        if let Some(asked) = player.link.asked() {
            let now = session::millis(Instant::now());
            self.figures.first_frame.observe(Duration::from_millis(now.saturating_sub(asked)));
        }
        let place = self.of_phase(phase(totals.phased));
        totals.phased += 1;
        let group = &mut self.groups[place];
        if group.players.is_empty() {
            (group.sent, group.waiting, group.since) = (self.backlog.end(), Waiting::default(), None);
            group.schedule.served();
        }
        group.push(player);
    }

    /// Releases packets that all players were sent.
    fn release(&mut self) {
        let used = self.groups.iter().filter(|group| !group.players.is_empty());
        let keep = used.map(|group| group.keep).min().unwrap_or(self.backlog.end());
        self.backlog.release(keep);
    }
}
