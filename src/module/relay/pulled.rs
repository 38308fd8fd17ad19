//! Streams with players that relays can bring: their players, and what is known of their relay.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::complaints::Complaints;
use super::demand::{PlayerDemand, Wants};
use crate::hub::stream::Stream;
use crate::limits;
use crate::media::session::{Reason, Session};
use crate::media::trail::Trail;
use crate::media::view::AppView;

/// All streams with players, by stream number. The lock is held while a player comes or goes, so that a stream is
/// listed exactly as long as its [`Demand`](crate::module::relay::demand::PlayerDemand) has players.
#[derive(Default)]
pub struct Pulls {
    pub(super) streams: Mutex<HashMap<u64, Arc<PulledStream>>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PlayerCounts {
    pub(super) present: usize,
    pub(super) arrived: u64,
}

/// A stream with players.
pub(super) struct PulledStream {
    pub(super) view: AppView,
    pub(super) stream: Arc<Stream>,
    pub(super) demand: Mutex<PlayerDemand<Arc<Session>>>,
    /// Numbers of present players and of players so far; changed under the lock of `demand`.
    pub(super) counts: watch::Sender<PlayerCounts>,
    /// Path of the relay's media, as reported by its source; empty without a relay.
    pub(super) way: watch::Sender<Bytes>,
    /// Whether the relay's source has lost its publisher and no media has arrived since.
    pub(super) idle: watch::Sender<bool>,
    /// Number of players so far when the callback last did not refuse, which is the answer for all of them.
    pub(super) settled: watch::Sender<u64>,
    pub(super) complaints: Mutex<Complaints>,
    /// Highest number of a claim that it was pulled with: those of lower ones are out of date.
    pub(super) epoch: AtomicU64,
}

impl PulledStream {
    /// Time that a local publisher has to wait for a silent relay.
    pub(super) fn patience(&self) -> Duration {
        if self.stream.phase().flowing { limits::RELAY_SILENCE } else { Duration::ZERO }
    }

    /// Ends all players, and returns the number of players so far, all of which the refusal concerns.
    pub(super) fn close_players(&self) -> u64 {
        let demand = self.demand.lock();
        for session in demand.players() {
            session.close(Reason::RelayRefused);
        }
        demand.arrived()
    }

    /// Notifies the task of a changed number of players.
    pub(super) fn count(&self, demand: &PlayerDemand<Arc<Session>>) {
        self.counts.send_replace(PlayerCounts { present: demand.present(), arrived: demand.arrived() });
    }
}

impl Wants for Arc<Session> {
    fn trail(&self) -> &Trail {
        &self.identity.trail
    }
}

impl Pulls {
    /// Path of a pulled stream's media.
    pub fn way(&self, stream: u64) -> Bytes {
        self.streams.lock().get(&stream).map(|pulled| pulled.way.borrow().clone()).unwrap_or_default()
    }
}
