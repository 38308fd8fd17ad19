//! Player of a live response after its head: media is sent by the delivery loop.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::arrival::Arrival;
use super::live_format::{LiveFormat, RelayMessages, Sending};
use crate::hub::cursor::PlayerSettings;
use crate::hub::packet::{Container, http_chunk};
use crate::hub::stream::Stream;
use crate::limits;
use crate::media;
use crate::media::admission::{AdmissionRefusal, AdmittedSession};
use crate::media::delivery::{Join, RemovalReason, SentBeforeJoin, Start};
use crate::media::live;
use crate::media::log;
use crate::media::mpegts::MpegtsFeed;
use crate::media::past::{Past, PastStep};
use crate::media::session::{Identity, Reason, Session, SessionMoments, StreamMove, mark};
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
    /// Media that it is sent before the stream.
    pub(super) past: Option<Box<dyn Past>>,
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
        socket.set_nodelay(self.view.held().get::<media::conf::Conf>().tcp_nodelay);
        let mut begins = true;
        while let Some(StreamMove { name, arrival: _arrival }) =
            self.play(worker, &socket, shutdown, begins).await
        {
            begins = false;
            let moved = tokio::select! {
                moved = self.moved(&name) => moved,
                () = socket.hung_up() => None,
                () = shutdown.cancelled() => None,
            };
            match moved {
                Some(moved) => self = moved,
                None => return,
            }
        }
    }

    /// The same response with another stream, whose name may have a query; `None` if the player is refused.
    async fn moved(self: Box<Self>, name: &Bytes) -> Option<Box<Self>> {
        let chunked = self.is_chunked();
        let HttpPlayer { view, entered, format, .. } = *self;
        let (before, admission) = (entered.session().clone(), entered.admission().clone());
        // Its events end before those of the next session begin.
        drop(entered);
        let (name, pargs) = media::split_query(name);
        let identity = Identity { name, pargs, ..before.identity.clone() };
        if admission.is_loop(&identity, before.role) {
            log::relay_loop(before.id, &identity);
            return None;
        }
        let session = Arc::new(Session::new(
            before.id,
            before.peer.clone(),
            before.protocol,
            before.role,
            identity,
            before.started,
            SessionMoments::default(),
        ));
        log::stream_requested(&session);
        if admission.refuses(&session) {
            return None;
        }
        let mut entered = AdmittedSession::enter(&admission, &view, &session);
        let admitted = tokio::select! {
            admitted = entered.admit() => admitted,
            reason = session.closed() => Err(AdmissionRefusal(reason)),
        };
        if let Err(AdmissionRefusal(reason)) = admitted {
            session.set_reason(reason);
            return None;
        }
        let Sending { settings, feed } = format.sending(&view, &entered, chunked);
        let stream = feed.as_deref().map_or(entered.stream(), MpegtsFeed::stream).clone();
        let may_wait = view.held().get::<live::conf::Conf>().idle_streams || entered.is_pulled();
        let arrival = Arrival { source: entered.stream().watch(), phase: stream.watch(), may_wait };
        Some(Box::new(HttpPlayer {
            view,
            entered,
            stream,
            arrival,
            settings,
            format,
            past: None,
            _feed: feed,
        }))
    }

    /// Plays until one side ends the response, or until it is to go on with another stream, which is returned.
    /// `begins` tells whether the body begins.
    async fn play(
        &mut self,
        worker: &Worker,
        socket: &Arc<Socket>,
        shutdown: &CancellationToken,
        begins: bool,
    ) -> Option<StreamMove> {
        let session = self.entered.session().clone();
        let mut way = self.entered.way().filter(|_| self.relay_messages().is_some());
        let mut lead = Some(self.lead()).filter(|_| begins && way.is_some());
        loop {
            // Sent before any media: the path reveals circles without media.
            if let Some(lead) = lead.take()
                && socket.write_all(&lead).await.is_err()
            {
                session.set_reason(Reason::FlvSendErr);
                return None;
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
                Err(reason) => {
                    session.set_reason(reason);
                    return None;
                }
            }
        }
        mark(&session.moments.first_data);
        log::playing(&session);
        let mut has_lead = way.is_none() && begins;
        let mut start = Start::AsSet;
        let mut behind = None;
        if let Some(past) = self.past.take() {
            let first = if has_lead { self.lead() } else { Bytes::new() };
            has_lead = false;
            let ended = tokio::select! {
                ended = self.send_past(past, first, socket) => ended,
                reason = session.closed() => Err(reason),
                () = socket.hung_up() => Err(Reason::NormalClose),
                () = shutdown.cancelled() => Err(Reason::ProcessExit),
            };
            match ended {
                Ok((sent, next)) => (start, behind) = (Start::Behind(sent), Some(next)),
                Err(reason) => {
                    session.set_reason(reason);
                    log::played(&session, 0);
                    return None;
                }
            }
        }
        let mut membership =
            LoopMembership { worker, stream: self.stream.id(), session: session.clone(), left: false };
        worker.delivery.join(Join {
            session: session.id,
            stream: self.stream.clone(),
            socket: socket.clone(),
            settings: self.settings,
            start,
            lead: behind.unwrap_or_else(|| if has_lead { self.lead() } else { Bytes::new() }),
            link: session.link.clone(),
            send_timeout: self.view.server().timeout.duration(),
            view: self.view.clone(),
        });
        session.accept_moves();
        let mut next = None;
        let idle = self.view.held().get::<live::conf::Conf>().idle_streams;
        let (mut phase, mut publishing) = (self.arrival.source.clone(), true);
        let tells_idle = self.relay_messages().is_some();
        let reason = loop {
            break tokio::select! {
                () = socket.hung_up() => Reason::NormalClose,
                reason = session.closed() => reason,
                () = session.link.ended() => match session.link.gone() {
                    Some(RemovalReason::WriteError) | None => Reason::FlvSendErr,
                    Some(RemovalReason::SendTimeout | RemovalReason::Stalled | RemovalReason::Crowded) => Reason::FlvSendTimeout,
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
                move_to = session.next_move() => {
                    next = Some(move_to);
                    Reason::NormalClose
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
        if next.is_some() && !self.released(socket).await {
            next = None;
        }
        log::played(&session, session.link.dropped_total.load(Ordering::Relaxed));
        next
    }

    /// Sends the first bytes and what is recorded, until the stream's cache has what follows. Returns what was sent, and the
    /// bytes that precede what follows.
    ///
    /// # Errors
    ///
    /// The reason why the player ends.
    async fn send_past(
        &self,
        mut past: Box<dyn Past>,
        lead: Bytes,
        socket: &Socket,
    ) -> Result<(SentBeforeJoin, Bytes), Reason> {
        let link = &self.session().link;
        let timeout = self.view.server().timeout.nonzero().unwrap_or(limits::DEFAULT_SEND_TIMEOUT);
        let (mut next, mut bytes) = (lead, 0);
        loop {
            for part in next.chunks(limits::PAST_WRITE_BYTES) {
                match tokio::time::timeout(timeout, socket.write_all(part)).await {
                    Ok(Ok(())) => bytes += part.len() as u64,
                    Ok(Err(_)) => return Err(Reason::FlvSendErr),
                    Err(_) => return Err(Reason::FlvSendTimeout),
                }
                link.bytes_sent.store(bytes, Ordering::Relaxed);
            }
            let joining = match past.step().await {
                Ok(PastStep::Media(media)) => {
                    next = self.framed(media);
                    continue;
                }
                Ok(PastStep::Joins(joining)) => joining,
                Ok(PastStep::Over(joining)) if self.view.held().get::<live::conf::Conf>().idle_streams => {
                    joining
                }
                Ok(PastStep::Over(_)) => return Err(Reason::StreamEnd),
                Err(error) => {
                    log::past_unreadable(self.session(), &error);
                    return Err(Reason::StreamEnd);
                }
            };
            let sent = SentBeforeJoin { next: joining.next, origin: joining.origin, bytes };
            return Ok((sent, self.framed(joining.lead)));
        }
    }

    /// Waits until the delivery loop has released the player, and sends the rest of its last message. Returns false if that
    /// fails.
    async fn released(&self, socket: &Socket) -> bool {
        let link = &self.session().link;
        let rest = async {
            link.ended().await;
            for rest in link.take_rest() {
                socket.write_all(&rest).await?;
            }
            io::Result::Ok(())
        };
        let timeout = self.view.server().timeout.nonzero().unwrap_or(limits::DEFAULT_SEND_TIMEOUT);
        link.gone().is_none() && matches!(tokio::time::timeout(timeout, rest).await, Ok(Ok(())))
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
