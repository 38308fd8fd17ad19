//! Streams pulled from other servers as long as they have players here.
//!
//! ```text
//! first player ---> asked ---> relaying ---> asked again ...
//!   |                 | 200       | a publisher of our own comes: idle until it leaves
//!   |                 v           v
//!   |              idle until another player comes, or a publisher came and left
//!   +--- last player leaves: all of it ends
//! ```

mod counterpart;
mod fetch;
mod players;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bstr::BString;
use tokio::sync::watch;

use self::fetch::RunningPull;
pub use self::players::{PullUse, follow_changes};
use super::address::RelayProtocol;
use super::attempt::{Attempt, RelayKind};
use super::conf::Current;
use super::destination::Destination;
use super::log;
use super::outcome::{AttemptOutcome, RelayEnd, has_worked};
use super::pulled::PulledStream;
use super::relays::session_for;
use crate::hub::stream::StreamPhase;
use crate::media::extension::StreamOrigin;
use crate::media::ingest::Feeder;
use crate::media::relay_target::RelayTarget;
use crate::media::session::{Reason, Role, Session};
use crate::module::relay::relays::Relays;
use crate::notify;
use crate::notify::{EventKind, SessionEvent};
use crate::task::backoff::Backoff;

impl PulledStream {
    /// Whether there is anything to pull from.
    fn is_configured(&self, relays: &Relays) -> bool {
        self.demand.lock().line().is_some() || relays.bring(&self.view, self.stream.key())
    }

    /// Runs until the configuration no longer pulls; the caller cancels it when the last player has left.
    async fn run(&self, relays: &Arc<Relays>) {
        let mut backoff = Backoff::default();
        let mut phase = self.stream.watch();
        let mut counts = self.counts.subscribe();
        loop {
            let _ = phase.wait_for(|p| !p.publishing).await;
            let arrived = counts.borrow_and_update().arrived;
            let epoch = phase.borrow().epoch;
            let key = self.stream.key();
            if relays.counterpart.holds(key) {
                // No callback can refuse these players any more.
                self.settled.send_replace(arrived);
                self.bring_from_counterpart(relays).await;
                continue;
            }
            if !self.is_configured(relays) {
                return;
            }
            let Some(session) = self.session(relays) else { return };
            let standing = self.demand.lock().line().cloned();
            let outcome = match &standing {
                Some(line) => self.line(relays, &session, line).await,
                None => self.attempt(relays, &session).await,
            };
            match outcome {
                // A permanent pull does not give up; other players of the stream continue to wait.
                AttemptOutcome::Refused if standing.is_some() => {
                    self.pause(relays, &mut backoff, &mut phase).await;
                }
                AttemptOutcome::Worked => backoff.reset(),
                AttemptOutcome::Unwanted | AttemptOutcome::Refused => {
                    let arrived = match outcome {
                        AttemptOutcome::Refused => self.close_players(),
                        _ => arrived,
                    };
                    backoff.reset();
                    // Repeated for the next player, or when a local publisher has come and left.
                    tokio::select! {
                        _ = counts.wait_for(|c| c.arrived > arrived) => {}
                        _ = phase.wait_for(|p| p.epoch > epoch) => {}
                        () = relays.counterpart.held(key) => {}
                    }
                }
                AttemptOutcome::Failed => self.pause(relays, &mut backoff, &mut phase).await,
                // The callback server has ended a working relay; it is asked again, but not at once.
                AttemptOutcome::Closed => {
                    let most = self.view.current().get::<Current>().most_pull_delay().duration();
                    self.wait_unless_published(relays, most, &mut phase).await;
                }
            }
        }
    }

    async fn pause(&self, relays: &Relays, backoff: &mut Backoff, phase: &mut watch::Receiver<StreamPhase>) {
        let application = self.view.current();
        let relay = application.get::<Current>();
        let delay = backoff.next(
            relay.failed_reconnect.duration(),
            relay.most_pull_delay().duration(),
            crate::task::random(),
        );
        self.wait_unless_published(relays, delay, phase).await;
    }

    async fn wait_unless_published(
        &self,
        relays: &Relays,
        delay: Duration,
        phase: &mut watch::Receiver<StreamPhase>,
    ) {
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            _ = phase.wait_for(|p| p.publishing) => {}
            () = relays.counterpart.held(self.stream.key()) => {}
            _ = self.moved(relays) => {}
        }
    }

    /// Waits until another claim of the stream than the one last pulled is known.
    async fn moved(&self, relays: &Relays) -> StreamOrigin {
        let mut changes = relays.origins.watch();
        loop {
            changes.mark_unchanged();
            let known = self.epoch.load(Ordering::Relaxed);
            match relays.origins.origin(&self.view, self.stream.key()) {
                Some(origin) if origin.epoch > known => return origin,
                _ => {}
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Pulls from the server of the cluster that has claimed the stream, until it moves or ends.
    async fn origin(
        &self,
        relays: &Arc<Relays>,
        session: &Arc<Session>,
        origin: StreamOrigin,
    ) -> AttemptOutcome {
        // A state of the map that was overtaken.
        if self.epoch.fetch_max(origin.epoch, Ordering::Relaxed) > origin.epoch {
            return AttemptOutcome::Failed;
        }
        session.epoch.store(origin.epoch, Ordering::Release);
        let (identity, epoch) = (&session.identity, format!("epoch={}", origin.epoch));
        let pargs = match &identity.pargs[..] {
            b"" => epoch.into_bytes(),
            pargs => [pargs, b"&", epoch.as_bytes()].concat(),
        };
        // The host of the player, so that the other server chooses the same virtual server.
        let domain = Some(identity.domain.to_vec().into()).filter(|domain: &BString| !domain.is_empty());
        let line = RelayTarget {
            urls: origin.addresses,
            domain,
            pargs: Some(pargs.into()),
            ..RelayTarget::default()
        };
        let followed = async {
            let moved = self.moved(relays).await;
            log::moved(session, moved.epoch);
            session.close(Reason::StreamEnd);
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            outcome = self.line(relays, session, &line) => outcome,
            never = followed => match never {},
        }
    }

    /// One attempt: a session with its own events.
    async fn attempt(&self, relays: &Arc<Relays>, session: &Arc<Session>) -> AttemptOutcome {
        let Some(mut pull) =
            SessionEvent::begin(&relays.callbacks, &self.view, EventKind::Pull, session, None)
        else {
            return match relays.origins.origin(&self.view, self.stream.key()) {
                Some(origin) => self.origin(relays, session, origin).await,
                None => self.fixed(relays, session).await,
            };
        };
        let reply = pull.reply().await;
        let destination = self.tries(relays, session).destination(&mut pull, &reply);
        if let Ok(_) | Err(AttemptOutcome::Unwanted) = destination {
            self.settled.send_replace(self.counts.borrow().arrived);
        }
        match destination {
            Ok(destination) => tokio::select! {
                outcome = self.relay(relays, session, destination) => outcome,
                never = self.line_removed(relays, session) => match never {},
            },
            Err(outcome) => {
                if let AttemptOutcome::Unwanted = outcome {
                    pull.forget();
                }
                outcome
            }
        }
    }

    fn tries<'a>(&'a self, relays: &'a Relays, session: &'a Session) -> Attempt<'a> {
        let counter = &relays.sessions.relays.pull;
        Attempt { kind: RelayKind::Pull, session, complaints: &self.complaints, counter }
    }

    /// Ends the relay of a session once a reload has removed its line.
    async fn line_removed(&self, relays: &Relays, session: &Session) -> Infallible {
        let mut changed = relays.store.watch();
        while self.view.current().get::<notify::conf::Current>().on_pull.is_some()
            && changed.changed().await.is_ok()
        {}
        session.close(Reason::StreamEnd);
        std::future::pending().await
    }

    /// Tries the addresses of a `pull` line in order.
    async fn line(&self, relays: &Arc<Relays>, session: &Arc<Session>, line: &RelayTarget) -> AttemptOutcome {
        for destination in self.tries(relays, session).destinations(line) {
            match self.relay(relays, session, destination).await {
                AttemptOutcome::Failed => {}
                outcome => return outcome,
            }
        }
        AttemptOutcome::Failed
    }

    /// Tries the application's `pull` lines in order.
    async fn fixed(&self, relays: &Arc<Relays>, session: &Arc<Session>) -> AttemptOutcome {
        let application = self.view.current();
        for line in &application.get::<Current>().pull {
            match self.line(relays, session, line).await {
                AttemptOutcome::Failed => {}
                outcome => return outcome,
            }
        }
        AttemptOutcome::Failed
    }

    async fn relay(
        &self,
        relays: &Arc<Relays>,
        session: &Arc<Session>,
        destination: Destination,
    ) -> AttemptOutcome {
        self.tries(relays, session).starting(&destination);
        let _listed = relays.sessions.list(session.clone());
        let mut fetch = RunningPull {
            relays,
            pulled: self,
            session,
            connect: self.view.current().get::<Current>().relay_reconnect.duration(),
            feeder: Feeder::Relay,
            ingest: None,
            started: None,
            carried: None,
            idle: false,
        };
        let end = tokio::select! {
            end = async {
                let outcome = match destination.address.protocol {
                    RelayProtocol::Rtmp => fetch.rtmp(&destination).await,
                    RelayProtocol::HttpFlv => fetch.http(&destination).await,
                };
                match outcome {
                    Ok(never) => match never {},
                    Err(end) => end,
                }
            } => end,
            () = self.published_by_another(session) => RelayEnd::Published,
            () = self.gives_way() => RelayEnd::Published,
            () = relays.counterpart.held(self.stream.key()) => RelayEnd::Published,
            reason = session.closed() => RelayEnd::Asked(reason),
        };
        let most = self.view.current().get::<Current>().most_pull_delay().duration();
        let worked = has_worked(fetch.started, most);
        drop(fetch);
        self.tries(relays, session).outcome(&end, worked)
    }

    /// Waits until a session other than the relay's publishes the stream.
    async fn published_by_another(&self, session: &Session) {
        let mut phase = self.stream.watch();
        loop {
            if self.stream.publisher().is_some_and(|publisher| publisher != session.id) {
                return;
            }
            if phase.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits until a local publisher stands by and the relay brings no media.
    async fn gives_way(&self) {
        let (mut waited_for, mut idle) = (self.stream.waited_for(), self.idle.subscribe());
        loop {
            let _ = waited_for.wait_for(|waits| *waits).await;
            let before = self.stream.end();
            tokio::select! {
                _ = waited_for.wait_for(|waits| !*waits) => {}
                _ = idle.wait_for(|idle| *idle) => return,
                () = tokio::time::sleep(self.patience()) => if self.stream.end() == before {
                    return;
                },
            }
        }
    }

    /// Session of the next attempt. It uses the arguments of the player that has been here longest, and the common
    /// trail of all players.
    fn session(&self, relays: &Relays) -> Option<Arc<Session>> {
        let (cause, trail) = self.demand.lock().cause().map(|(cause, trail)| (cause.clone(), trail))?;
        Some(session_for(relays, &cause, &trail, &self.stream, Role::Publisher))
    }
}
