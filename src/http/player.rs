//! Player of a live response after its head: media is sent by the delivery loop.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::arrival::Arrival;
use super::live_format::{LiveFormat, RelayMessages};
use crate::hub::cursor::PlayerSettings;
use crate::hub::packet::{Container, http_chunk};
use crate::hub::stream::Stream;
use crate::media;
use crate::media::admission::AdmittedSession;
use crate::media::delivery::{Gone, Join};
use crate::media::live;
use crate::media::log;
use crate::media::mpegts::MpegtsFeed;
use crate::media::session::{Reason, Session, mark};
use crate::media::view::AppView;
use crate::media::workers::Worker;
use crate::net::socket::Socket;

/// A player whose response head was sent.
pub struct HttpPlayer {
    pub(super) view: AppView,
    pub(super) entered: Box<AdmittedSession>,
    /// Stream to send: the session's own, or a repackaged one.
    pub(super) stream: Arc<Stream>,
    /// State to wait for if the head was sent early.
    pub(super) arrival: Arrival,
    pub(super) settings: PlayerSettings,
    pub(super) format: Arc<dyn LiveFormat>,
    /// Feed that produces `stream`, if it is not the session's own.
    pub(super) _feed: Option<Arc<MpegtsFeed>>,
}

impl HttpPlayer {
    /// The session.
    pub(super) fn session(&self) -> &Arc<Session> {
        self.entered.session()
    }

    /// Runs until one side ends the response. As in PingOS, that closes the connection: a chunked body gets no last
    /// chunk, so that a player can distinguish an interrupted stream from a complete file.
    pub(super) async fn run(
        mut self: Box<Self>,
        worker: &Worker,
        socket: Arc<Socket>,
        shutdown: &CancellationToken,
    ) {
        let session = self.entered.session().clone();
        socket.set_nodelay(self.view.held().get::<media::conf::Conf>().tcp_nodelay);
        let mut way = self.entered.way().filter(|_| self.relay_messages().is_some());
        let mut lead = Some(self.lead()).filter(|_| way.is_some());
        loop {
            // Sent before any media: the path reveals circles without media.
            if let Some(lead) = lead.take()
                && socket.write_all(&lead).await.is_err()
            {
                return session.set_reason(Reason::FlvSendErr);
            }
            let media = tokio::select! {
                biased;
                media = self.arrival.media(&session) => media,
                () = changed(&mut way) => {
                    lead = self.way(&way);
                    continue;
                }
                () = socket.hung_up() => Err(Reason::NormalClose),
                () = shutdown.cancelled() => Err(Reason::ProcessExit),
            };
            match media {
                Ok(()) => break,
                Err(reason) => return session.set_reason(reason),
            }
        }
        mark(&session.moments.first_data);
        let mut membership =
            LoopMembership { worker, stream: self.stream.id(), session: session.clone(), left: false };
        worker.delivery.join(Join {
            session: session.id,
            stream: self.stream.clone(),
            socket: socket.clone(),
            settings: self.settings,
            lead: if way.is_some() { Bytes::new() } else { self.lead() },
            link: session.link.clone(),
            send_timeout: self.view.server().timeout.duration(),
            view: self.view.clone(),
        });
        log::playing(&session);
        let idle = self.view.held().get::<live::conf::Conf>().idle_streams;
        let (mut phase, mut publishing) = (self.arrival.source.clone(), true);
        let tells_idle = self.relay_messages().is_some();
        let reason = loop {
            break tokio::select! {
                () = socket.hung_up() => Reason::NormalClose,
                reason = session.closed() => reason,
                () = session.link.ended() => match session.link.gone() {
                    Some(Gone::WriteError) | None => Reason::FlvSendErr,
                    Some(Gone::SendTimeout | Gone::Stalled | Gone::Crowded) => Reason::FlvSendTimeout,
                },
                () = self.arrival.unpublished(idle) => Reason::StreamEnd,
                Ok(_) = phase.wait_for(|p| p.publishing != publishing), if tells_idle => {
                    publishing = !publishing;
                    if !publishing && let Some(messages) = self.relay_messages() {
                        let tag = self.framed(messages.idle());
                        worker.delivery.control(self.stream.id(), &session.link, tag);
                    }
                    continue;
                }
                () = changed(&mut way) => {
                    if let Some(tag) = self.way(&way) {
                        worker.delivery.control(self.stream.id(), &session.link, tag);
                    }
                    continue;
                }
                () = shutdown.cancelled() => Reason::ProcessExit,
            };
        };
        session.set_reason(reason);
        match reason {
            Reason::StreamEnd | Reason::ProcessExit => {
                worker.delivery.finish(self.stream.id(), &session.link);
                session.link.ended().await;
                membership.left = true;
            }
            _ => drop(membership),
        }
        log::played(&session, session.link.dropped_total.load(Ordering::Relaxed));
    }

    fn is_chunked(&self) -> bool {
        matches!(self.settings.container, Container::FlvChunked | Container::RawChunked)
    }

    /// First bytes of the body.
    fn lead(&self) -> Bytes {
        self.framed(self.format.lead(&self.entered))
    }

    /// Changed path for a relay.
    fn way(&self, way: &Option<watch::Receiver<Bytes>>) -> Option<Bytes> {
        let way = way.as_ref()?.borrow().clone();
        Some(self.framed(self.relay_messages()?.way(&self.entered, &way)))
    }

    fn relay_messages(&self) -> Option<&dyn RelayMessages> {
        self.format.relay_messages(self.entered.session())
    }

    /// Frames bytes for the body. An empty chunk would end it.
    fn framed(&self, bytes: Bytes) -> Bytes {
        if self.is_chunked() && !bytes.is_empty() { http_chunk(&bytes) } else { bytes }
    }
}

/// Waits for a change of the path reported to a relay.
async fn changed(way: &mut Option<watch::Receiver<Bytes>>) {
    // The sender lives as long as the pull, which the session holds.
    let news = match way {
        Some(way) => way.changed().await,
        None => std::future::pending().await,
    };
    if news.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A player's place in the delivery loop, released in every case.
struct LoopMembership<'a> {
    worker: &'a Worker,
    stream: u64,
    session: Arc<Session>,
    left: bool,
}

impl Drop for LoopMembership<'_> {
    fn drop(&mut self) {
        if !self.left {
            self.worker.delivery.leave(self.stream, &self.session.link);
        }
    }
}
