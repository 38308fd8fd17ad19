//! Events for which a connection waits.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use super::play::Playing;
use super::state::{ConnectionEnd, RtmpConnection, StreamPart};
use crate::media::admission::{AdmissionRefusal, AdmittedSession};
use crate::media::delivery::PlayerLink;
use crate::media::session::{Reason, Session, StatusMessage, StreamMove};
use crate::net::read_pause::ReadPause;
use crate::notify::SessionEvent;
use crate::task::lifetime::Lifetime;
use crate::task::sleep_until;
use crate::task::woken::WhenWoken;

/// Result of a wait.
pub(crate) enum WaitEvent {
    Readable,
    /// The set of events to wait for has changed.
    Changed,
    Timer,
    Verdict(Box<AdmittedSession>, Result<(), AdmissionRefusal>),
    ConnectVerdict(Box<SessionEvent>, Result<(), AdmissionRefusal>),
    Close(Reason),
    Delivery,
    Draining,
    Phase,
    /// A control request wants the connection to change to this stream.
    Move(StreamMove),
    Status(StatusMessage),
}

impl RtmpConnection {
    /// Waits for the next event.
    pub(crate) async fn wait(&mut self) -> Result<WaitEvent, ConnectionEnd> {
        let due = self.due();
        let connecting = self.connecting.as_mut().map(|connecting| &mut connecting.verdict);
        let notified = self.notified.as_ref().map(|notified| &*notified.session);
        let (session, pending, playing) = match &mut self.part {
            StreamPart::None => (None, None, None),
            StreamPart::Pending(pending) => (Some(pending.session.clone()), Some(&mut pending.verdict), None),
            StreamPart::Discarding { entered, .. } => (Some(entered.session().clone()), None, None),
            StreamPart::Publishing(publishing) => (Some(publishing.session().clone()), None, None),
            StreamPart::Playing(playing) => (Some(playing.session().clone()), None, Some(playing)),
        };
        let Lifetime { shutdown, draining, .. } = self.rtmp.lifetime.clone();
        let link = session.as_ref().map(|s| s.link.clone());
        let delivered = link.filter(|_| playing.is_some());
        // Reasons to end the session are checked first, so that a peer that sends without pause cannot delay them.
        tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(WaitEvent::Close(Reason::ProcessExit)),
            reason = asked_to_close(session.as_deref()) => Ok(WaitEvent::Close(reason)),
            reason = asked_to_close(notified) => Ok(WaitEvent::Close(reason)),
            () = sending_ended(delivered.as_deref()) => Ok(WaitEvent::Delivery),
            (entered, verdict) = maybe(pending) => Ok(WaitEvent::Verdict(entered, verdict)),
            (event, verdict) = maybe(connecting) => Ok(WaitEvent::ConnectVerdict(Box::new(event), verdict)),
            () = draining.cancelled(), if !self.farewell && self.connected.is_some() => {
                Ok(WaitEvent::Draining)
            }
            () = sleep_until(due) => Ok(WaitEvent::Timer),
            () = changed(playing) => Ok(WaitEvent::Phase),
            next = next_move(session.as_deref()), if !self.leaving => Ok(WaitEvent::Move(next)),
            ready = self.socket.readable(), if !self.leaving => ready.map(|()| WaitEvent::Readable).map_err(ConnectionEnd::Io),
        }
    }

    /// As [`RtmpConnection::wait`], for a publisher, which is read all the time: other events are checked each time but set
    /// up only once.
    pub(crate) async fn wait_for_media(&mut self) -> Result<WaitEvent, ConnectionEnd> {
        let StreamPart::Publishing(publishing) = &self.part else { return Ok(WaitEvent::Changed) };
        let session = publishing.session().clone();
        let notified = self.notified.as_ref().map(|notified| notified.session.clone());
        let armed = self.due();
        let may_drain = !self.farewell && self.connected.is_some();
        let Lifetime { shutdown, draining, .. } = self.rtmp.lifetime.clone();
        let mut other = WhenWoken::new(async {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => WaitEvent::Close(Reason::ProcessExit),
                reason = session.closed() => WaitEvent::Close(reason),
                reason = asked_to_close(notified.as_deref()) => WaitEvent::Close(reason),
                () = draining.cancelled(), if may_drain => WaitEvent::Draining,
                () = sleep_until(armed) => WaitEvent::Timer,
                next = session.next_move() => WaitEvent::Move(next),
                status = session.next_status() => WaitEvent::Status(status),
            }
        });
        let mut pause = ReadPause::new(&self.socket);
        loop {
            let read = tokio::select! {
                biased;
                wake = &mut other => return Ok(wake),
                read = pause.ready() => read?,
            };
            let before = self.core.bytes_received();
            self.read_turn(read).await?;
            let same = matches!(&self.part, StreamPart::Publishing(p) if Arc::ptr_eq(p.session(), &session));
            // A timer that fires too early finds nothing to do; for an earlier deadline it is set up again.
            let sooner = self.due().is_some_and(|due| armed.is_none_or(|armed| due < armed));
            if !same || sooner {
                return Ok(WaitEvent::Changed);
            }
            self.flush().await?;
            let came = self.core.bytes_received() != before;
            pause.until(match &self.part {
                StreamPart::Publishing(publishing) if came => publishing.next_wanted(),
                _ => None,
            });
        }
    }

    /// Time of the next timer: the core's, the one for `connect`, or that of an idle publisher.
    pub(crate) fn due(&self) -> Option<Instant> {
        let connect = match self.connected {
            None if self.connecting.is_none() && !self.timeout.is_zero() => {
                self.started.checked_add(self.timeout)
            }
            _ => None,
        };
        let idle = match &self.part {
            StreamPart::Publishing(publishing) => publishing.idle_due(),
            _ => None,
        };
        [self.core.poll_timeout(), connect, idle].into_iter().flatten().min()
    }
}

/// Resolves when the session is asked to end.
pub(crate) async fn asked_to_close(session: Option<&Session>) -> Reason {
    match session {
        Some(session) => session.closed().await,
        None => std::future::pending().await,
    }
}

async fn next_move(session: Option<&Session>) -> StreamMove {
    match session {
        Some(session) => session.next_move().await,
        None => std::future::pending().await,
    }
}

async fn sending_ended(link: Option<&PlayerLink>) {
    match link {
        Some(link) => link.ended().await,
        None => std::future::pending().await,
    }
}

async fn changed(playing: Option<&mut Box<Playing>>) {
    match playing {
        Some(playing) => playing.changed().await,
        None => std::future::pending().await,
    }
}

async fn maybe<F: Future + Unpin>(future: Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
