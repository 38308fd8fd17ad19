//! Waiting for media of a stream that is requested over HTTP.

use tokio::sync::watch;

use crate::hub::stream::StreamPhase;
use crate::limits;
use crate::media::admission::AdmittedSession;
use crate::media::session::{Reason, Session};

/// State for which a live response waits.
pub(super) struct Arrival {
    /// Phase of the source stream.
    pub(super) source: watch::Receiver<StreamPhase>,
    /// Phase of the stream to be sent, which may be a repackaged one.
    pub(super) phase: watch::Receiver<StreamPhase>,
    /// Whether to wait while there is no publisher.
    pub(super) may_wait: bool,
}

impl Arrival {
    /// Waits for media.
    pub(super) async fn media(&mut self, session: &Session) -> Result<(), Reason> {
        let may_wait = self.may_wait;
        tokio::select! {
            flowing = self.phase.wait_for(|p| p.flowing) => flowing.map(|_| ()).map_err(|_| Reason::StreamEnd),
            _ = self.source.wait_for(|p| !may_wait && !p.publishing) => Err(Reason::StreamEnd),
            reason = session.closed() => Err(reason),
        }
    }

    /// Waits for media; after a while it suffices that no callback can refuse the player any more.
    pub(super) async fn media_or_settled(
        &mut self,
        session: &Session,
        entered: &AdmittedSession,
    ) -> Result<(), Reason> {
        match tokio::time::timeout(limits::RELAY_HEAD, self.media(session)).await {
            Ok(media) => media,
            Err(_) => self.settled(session, entered).await,
        }
    }

    /// Waits for a publisher, with or without media.
    pub(super) async fn publisher(&mut self, session: &Session) -> Result<(), Reason> {
        let may_wait = self.may_wait;
        let phase = tokio::select! {
            phase = self.source.wait_for(|p| p.publishing || !may_wait) => phase.map(|phase| phase.publishing),
            reason = session.closed() => return Err(reason),
        };
        if phase.unwrap_or(false) { Ok(()) } else { Err(Reason::StreamEnd) }
    }

    /// Waits until there is no publisher, unless players stay without one.
    pub(super) async fn unpublished(&mut self, idle: bool) {
        let _ = self.phase.wait_for(|p| !idle && !p.publishing).await;
    }

    /// Waits until no callback can refuse the player any more: there is a publisher, or a pull was answered.
    pub(super) async fn settled(
        &mut self,
        session: &Session,
        entered: &AdmittedSession,
    ) -> Result<(), Reason> {
        let may_wait = self.may_wait;
        let mut published = self.source.clone();
        tokio::select! {
            biased;
            reason = session.closed() => Err(reason),
            _ = self.source.wait_for(|p| !may_wait && !p.publishing) => Err(Reason::StreamEnd),
            _ = published.wait_for(|p| p.publishing) => Ok(()),
            () = entered.pull_settled() => Ok(()),
        }
    }
}
