//! Sends the shared bytes of a round to all steady players at once, before the walk.

use std::os::fd::BorrowedFd;

use nix::libc;

use super::link::RemovalReason;
use super::player::{SharedBytes, WorkerPlayer};
use super::uring::IoRing;
use crate::hub::backlog::Backlog;
use crate::limits;

/// Stores the outcome with each player. Players that are not steady, use TLS, or have a full socket are left to the
/// walk: only their own write tells the runtime that a socket is full.
pub(super) fn send(
    ring: &mut IoRing,
    players: &mut [WorkerPlayer],
    backlog: &Backlog,
    (first, lanes): (u64, u32),
    batches: &mut Vec<SharedBytes>,
) {
    for player in players.iter().filter(|player| player.cursor.is_steady(first, lanes)) {
        SharedBytes::find(batches, player.cursor.settings().container, backlog, first, players.len());
    }
    for batch in batches.iter().filter(|batch| batch.parts().len() <= limits::WRITE_SLICES) {
        let sockets = players.iter().enumerate().filter_map(|(place, player)| {
            let wants = player.cursor.is_steady(first, lanes)
                && batch.is_for(player.cursor.settings().container, first);
            let socket: BorrowedFd<'_> = player.socket.plain().filter(|_| wants)?;
            Some((place, socket))
        });
        // For a single player an ordinary write is cheaper.
        if sockets.clone().nth(1).is_none() {
            continue;
        }
        for outcome in ring.send(batch.parts(), sockets) {
            let player = &mut players[outcome.place];
            player.ahead = match outcome.result {
                Ok(written) => Some(Ok(player.took(batch, written))),
                Err(libc::EAGAIN | libc::EINTR) => None,
                Err(_) => Some(Err(RemovalReason::WriteError)),
            };
        }
    }
}
