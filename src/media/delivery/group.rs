//! Players of a stream that are served together, and the rounds in which they are.

use std::time::Instant;

use super::link::PlayerSlot;
use super::player::WorkerPlayer;
use crate::hub::pace::{Schedule, Waiting};
use crate::limits;

/// Players that are served together.
pub(super) struct PlayerGroup {
    /// Phase; `None` for players that are served as soon as something arrives: new players, relays, and players that
    /// are leaving.
    pub(super) phase: Option<usize>,
    pub(super) players: Vec<WorkerPlayer>,
    /// Number below which steady players have been sent everything.
    pub(super) sent: u64,
    /// Lowest packet number that a player has not been sent.
    pub(super) keep: u64,
    /// Summary of what arrived since `sent`.
    pub(super) waiting: Waiting,
    /// Arrival of the oldest packets among them.
    pub(super) since: Option<Instant>,
    /// Time of the next service.
    pub(super) schedule: Schedule,
    /// Number of players whose socket was full at the last attempt.
    pub(super) blocked: usize,
}

/// Player capacity that a group keeps.
pub(super) const SPARE_PLAYERS: usize = 16;

/// A worker's counters over all of its streams.
#[derive(Debug, Default)]
pub(super) struct WorkerTotals {
    /// Number of players whose socket was full at the last attempt.
    pub(super) blocked: usize,
    /// Number of players that were given a phase, for an even distribution.
    pub(super) phased: usize,
    /// Number of players served since other tasks of the worker last ran.
    pub(super) served: usize,
}

impl WorkerTotals {
    /// Whether other tasks of the worker should run.
    pub(super) fn take_turn(&mut self) -> bool {
        let due = self.served >= limits::PLAYERS_PER_TURN;
        if due {
            self.served = 0;
        }
        due
    }
}

/// Kind of service of a group's players.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupTurn {
    /// Sends everything that has arrived.
    Batch,
    /// Sends to blocked players what the others were already sent.
    Retry,
}

/// A group that is being served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupRound {
    pub(super) group: usize,
    pub(super) turn: GroupTurn,
    pub(super) now: Instant,
    /// Index of the next player.
    pub(super) index: usize,
}

impl PlayerGroup {
    pub(super) fn new(phase: Option<usize>, sent: u64) -> Self {
        PlayerGroup {
            phase,
            players: Vec::new(),
            sent,
            keep: sent,
            waiting: Waiting::default(),
            since: None,
            schedule: Schedule::default(),
            blocked: 0,
        }
    }

    /// Adds a player and returns its index.
    pub(super) fn push(&mut self, player: WorkerPlayer) -> usize {
        let next = player.cursor.next();
        self.keep = if self.players.is_empty() { next } else { self.keep.min(next) };
        let index = self.players.len();
        player.link.set_place(Some(PlayerSlot { phase: self.phase, index }));
        self.players.push(player);
        index
    }

    /// Removes a player; the last one takes its index.
    pub(super) fn take(&mut self, index: usize) -> WorkerPlayer {
        let player = self.players.swap_remove(index);
        player.link.set_place(None);
        if let Some(moved) = self.players.get(index) {
            moved.link.set_place(Some(PlayerSlot { phase: self.phase, index }));
        }
        player
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::hub::cursor::{Cursor, PlayerSettings};
    use crate::hub::gop::StartSettings;
    use crate::hub::packet::Container;
    use crate::hub::registry::StreamKey;
    use crate::hub::stream::Stream;
    use crate::net::socket::Socket;

    fn player(session: u64, stream: &Stream, socket: &Arc<Socket>) -> WorkerPlayer {
        let start = StartSettings { cache_time: 0, send_all: false, low_latency: false };
        let settings = PlayerSettings {
            container: Container::Flv,
            stream_id: 1,
            publishes: false,
            start,
            wait_key: true,
            wait_video: false,
            zero_start: false,
            sync: 0,
            out_queue: 16,
            latency: 0,
            merge_frame: 32,
            cork: 0,
            repeat_extended: false,
        };
        WorkerPlayer {
            session,
            socket: socket.clone(),
            cursor: Cursor::join(settings, &stream.join(start, 0), Bytes::new()),
            link: Arc::default(),
            bytes_sent: 0,
            send_timeout: Duration::ZERO,
            blocked_since: None,
            leaving: None,
            ahead: None,
        }
    }

    #[tokio::test]
    async fn each_player_knows_its_place_when_others_leave() {
        let stream = Stream::new(1, StreamKey::new("d", "a", "n"), 128);
        let (near, _far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let socket = Arc::new(Socket::from(tokio::net::UnixStream::from_std(near).unwrap()));
        let mut group = PlayerGroup::new(Some(3), 0);
        let mut gone = Vec::new();
        for session in 0..50 {
            group.push(player(session, &stream, &socket));
        }
        // The last one, the first one, and then in varying order.
        for step in [49, 0].into_iter().chain((0..48).map(|step| step * 7)) {
            let index = step % group.players.len();
            let player = group.take(index);
            assert_eq!(player.link.place(), None);
            gone.push(player.session);
            for (index, player) in group.players.iter().enumerate() {
                assert_eq!(player.link.place(), Some(PlayerSlot { phase: Some(3), index }));
            }
        }
        gone.sort_unstable();
        assert_eq!(gone, (0..50).collect::<Vec<_>>());
    }
}
