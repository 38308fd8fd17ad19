//! Demand for a pulled stream, and whether a task serves it. Both change under one lock, so that no player depends on a
//! task that has just ended, and no task is started for players that have left.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::media::relay_target::RelayTarget;
use crate::media::trail::{self, Trail};

/// A session that demands a stream.
pub trait Wants {
    /// Its trail.
    fn trail(&self) -> &Trail;
}

/// Players of a stream, by session number.
#[derive(Debug)]
pub struct PlayerDemand<P> {
    players: BTreeMap<u64, P>,
    /// Number of players that have come so far.
    arrived: u64,
    /// Whether a task serves the stream.
    tended: bool,
    /// A `static_pull` line, which replaces the application's lines and callback, with the session that brought it.
    standing: Option<(u64, RelayTarget)>,
}

impl<P> Default for PlayerDemand<P> {
    fn default() -> Self {
        PlayerDemand { players: BTreeMap::new(), arrived: 0, tended: false, standing: None }
    }
}

impl<P> PlayerDemand<P> {
    /// Adds a player, possibly with its own line. Returns the number of players that have come so far.
    pub fn enter(&mut self, id: u64, player: P, line: Option<RelayTarget>) -> u64 {
        self.players.insert(id, player);
        if let Some(line) = line {
            self.standing = Some((id, line));
        }
        self.arrived += 1;
        self.arrived
    }

    /// Removes a player. Returns whether it was the last one.
    pub fn leave(&mut self, id: u64) -> bool {
        self.players.remove(&id);
        if self.standing.as_ref().is_some_and(|(owner, _)| *owner == id) {
            self.standing = None;
        }
        self.players.is_empty()
    }

    /// Called after a change. Returns whether a task must be started; `configured` tells whether the application pulls.
    pub fn tend(&mut self, configured: bool) -> bool {
        let wanted = !self.players.is_empty() && (configured || self.standing.is_some());
        let starts = wanted && !self.tended;
        self.tended |= starts;
        starts
    }

    /// Called when the task has ended. Returns whether another one must be started, because of changes since its last
    /// check.
    pub fn untended(&mut self, configured: bool) -> bool {
        self.tended = false;
        self.tend(configured)
    }

    /// Called when the task has died.
    pub fn died(&mut self) {
        self.tended = false;
    }

    /// The stream's own line.
    pub fn line(&self) -> Option<&RelayTarget> {
        self.standing.as_ref().map(|(_, line)| line)
    }

    /// The players.
    pub fn players(&self) -> impl Iterator<Item = &P> {
        self.players.values()
    }

    /// Number of players.
    pub fn present(&self) -> usize {
        self.players.len()
    }

    /// Number of players that have come so far.
    pub fn arrived(&self) -> u64 {
        self.arrived
    }

    /// The player whose arguments a relay uses, which is the one that has been here longest, and the common trail of
    /// all players.
    pub fn cause(&self) -> Option<(&P, Bytes)>
    where
        P: Wants,
    {
        let trail = trail::common(self.players().map(Wants::trail));
        Some((self.players().next()?, trail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::interleaving::orders;

    /// An event of a stream; each is atomic.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Enter,
        Leave,
        /// A reload turns pulling on or off.
        Reload(bool),
        /// The task, if any, checks its work; it will end if there is none.
        Look,
        /// The task, which had no more work at its last check, ends.
        End,
    }

    #[derive(Default)]
    struct World {
        demand: PlayerDemand<()>,
        configured: bool,
        tasks: usize,
        ending: bool,
    }

    impl World {
        fn take(&mut self, party: usize, step: Step) {
            match step {
                Step::Enter => {
                    self.demand.enter(party as u64, (), None);
                    self.tasks += usize::from(self.demand.tend(self.configured));
                }
                Step::Leave => {
                    self.demand.leave(party as u64);
                }
                Step::Reload(on) => {
                    self.configured = on;
                    self.tasks += usize::from(self.demand.tend(on));
                }
                Step::Look => {
                    let idle = self.demand.present() == 0 || !self.configured;
                    self.ending |= self.tasks > 0 && idle;
                }
                Step::End if std::mem::take(&mut self.ending) => {
                    self.tasks -= 1;
                    self.tasks += usize::from(self.demand.untended(self.configured));
                }
                Step::End => {}
            }
        }

        fn settle(&mut self) {
            for _ in 0..3 {
                self.take(0, Step::Look);
                self.take(0, Step::End);
            }
        }
    }

    #[test]
    fn a_stream_is_looked_after_as_long_as_it_is_wanted_in_every_order() {
        let player = [Step::Enter, Step::Leave, Step::Enter];
        let passing = [Step::Enter, Step::Leave];
        let task = [Step::Look, Step::End, Step::Look, Step::End];
        for reload in [[Step::Reload(true), Step::Reload(false)], [Step::Reload(false), Step::Reload(true)]] {
            let parties: [&[Step]; 4] = [&player, &passing, &task, &reload];
            let steps: Vec<usize> = parties.iter().map(|steps| steps.len()).collect();
            let orders = orders(&steps);
            for begins_on in [true, false] {
                for order in &orders {
                    let mut world = World { configured: begins_on, ..World::default() };
                    let mut done = [0; 4];
                    for &party in order {
                        world.take(party, parties[party][done[party]]);
                        done[party] += 1;
                        let wanted = world.demand.present() > 0 && world.configured;
                        let context = format!("{order:?} {reload:?} {done:?}");
                        assert!(world.tasks <= 1, "two tasks: {context}");
                        assert!(world.tasks == 1 || !wanted, "no task: {context}");
                    }
                    world.settle();
                    let wanted = world.demand.present() > 0 && world.configured;
                    assert_eq!(world.tasks, usize::from(wanted), "{order:?} {reload:?}");
                }
            }
        }
    }

    #[test]
    fn a_line_of_its_own_leaves_with_the_session_that_brought_it() {
        let mut demand = PlayerDemand::default();
        demand.enter(1, (), None);
        assert!(!demand.tend(false));
        demand.enter(2, (), Some(RelayTarget::default()));
        assert!(demand.tend(false) && demand.line().is_some());
        assert!(!demand.leave(2));
        assert!(demand.line().is_none() && !demand.untended(false));
        assert!(demand.leave(1));
    }
}
