//! A connection's part in a stream: request, admission, change and end.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use bytes::Bytes;

use super::play::Playing;
use super::publish::Publishing;
use super::state::{
    ConnectionEnd, EarlyHeaders, Origin, Pending, PendingVerdict, RtmpConnection, StreamPart,
};
use crate::media::admission::{AdmissionRefusal, AdmittedSession};
use crate::media::live;
use crate::media::log as media_log;
use crate::media::relay_messages;
use crate::media::session::{Identity, Protocol, Reason, Role, Session, StreamMove, mark};
use crate::media::split_query;
use crate::media::trail_proof::ProofPurpose;
use crate::module::rtmp::log;
use crate::wire::rtmp::server_session::RequestId;

impl RtmpConnection {
    /// Handles `publish` or `play`: starts admission.
    pub(crate) fn begin(
        &mut self,
        request: RequestId,
        stream_id: u32,
        name: &Bytes,
        role: Role,
        origin: Origin,
    ) -> Result<(), ConnectionEnd> {
        let Some(connected) = &self.connected else { return Ok(()) };
        if !matches!(self.part, StreamPart::None) {
            // One stream per connection and direction at a time, as in PingOS.
            log::second_stream(self.id, &self.peer, name);
            let code = match role {
                Role::Publisher => "NetStream.Publish.BadName",
                Role::Player => "NetStream.Play.Failed",
            };
            self.core.reject_request(request, code, "Another stream is active on this connection.");
            return Ok(());
        }
        mark(&self.moments.ptime);
        let (name, pargs) = split_query(name);
        let claim = &connected.claim;
        let asked = ProofPurpose { verb: role.verb(), app: claim.app(), name: &name };
        let trail = self.rtmp.admission.trails().judge(self.id, claim, asked);
        let identity = Identity { name, pargs, trail, ..connected.identity.clone() };
        if self.rtmp.admission.is_loop(&identity, role) {
            media_log::relay_loop(self.id, &identity);
            let code = match role {
                Role::Publisher => "NetStream.Publish.BadName",
                Role::Player => "NetStream.Play.Failed",
            };
            self.core.reject_request(request, code, "The relay leads back to where it came from.");
            return Ok(());
        }
        let moments = std::mem::take(&mut self.moments);
        let session = Arc::new(Session::new(
            self.id,
            self.peer.clone(),
            Protocol::Rtmp,
            role,
            identity,
            self.started,
            moments,
        ));
        media_log::stream_requested(&session);
        if self.rtmp.admission.refuses(&session) {
            session.set_reason(Reason::ControlDrop);
            self.core.reject_request(request, forbidden(role), "Refused.");
            return Err(ConnectionEnd::Told(Reason::ControlDrop));
        }
        let entered = AdmittedSession::enter(&self.rtmp.admission, &connected.view, &session);
        let verdict = async move {
            let mut entered = entered;
            let verdict = entered.admit().await;
            (entered, verdict)
        };
        let mut verdict: PendingVerdict = Box::pin(verdict);
        // Without callbacks the decision is available at once, and media may directly follow `publish`.
        let polled = verdict.as_mut().poll(&mut TaskContext::from_waker(Waker::noop()));
        self.part = StreamPart::Pending(Box::new(Pending { request, stream_id, session, verdict, origin }));
        match polled {
            Poll::Ready((entered, verdict)) => self.admitted(entered, verdict),
            Poll::Pending => Ok(()),
        }
    }

    /// Processes the decision about a publish or play request.
    pub(crate) fn admitted(
        &mut self,
        entered: Box<AdmittedSession>,
        verdict: Result<(), AdmissionRefusal>,
    ) -> Result<(), ConnectionEnd> {
        let (StreamPart::Pending(pending), Some(connected)) =
            (std::mem::replace(&mut self.part, StreamPart::None), &self.connected)
        else {
            return Ok(());
        };
        let Pending { request, stream_id, session, origin, .. } = *pending;
        let Origin { early, arrival } = origin;
        if let Err(AdmissionRefusal(reason)) = verdict {
            session.set_reason(reason);
            self.core.reject_request(request, forbidden(session.role), "Refused.");
            return Err(ConnectionEnd::Told(reason));
        }
        if !connected.view.held().get::<live::conf::Conf>().live {
            media_log::not_live(&session);
            session.set_reason(Reason::NormalClose);
            self.core.reject_request(request, forbidden(session.role), "The application is not live.");
            return Err(ConnectionEnd::Told(Reason::NormalClose));
        }
        let view = connected.view.clone();
        match session.role {
            Role::Publisher => match Publishing::start(&self.rtmp.intake, view, stream_id, entered) {
                Ok(mut publishing) => {
                    self.core.accept_publish(request);
                    for (kind, timestamp, payload) in early.into_iter() {
                        publishing.media(kind, timestamp, payload);
                    }
                    publishing.push(self.core.bytes_received());
                    if let Some(arrival) = arrival {
                        publishing.arrives(arrival);
                    }
                    // A relay that pushes in a circle recognises its own hop in this report.
                    if session.identity.trail.claims_relay() {
                        let reach = self.rtmp.admission.trails().reach(b"", &session.key);
                        session.tell("status", relay_messages::REACH, reach);
                    }
                    self.part = StreamPart::Publishing(Box::new(publishing));
                }
                Err(entered) => {
                    log::name_taken(&session);
                    self.core.reject_request(request, "NetStream.Publish.BadName", "Already publishing");
                    self.part = StreamPart::Discarding { stream_id, entered };
                }
            },
            Role::Player => {
                let mut playing = Playing::new(view, stream_id, entered);
                if !playing.may_wait() {
                    session.set_reason(Reason::StreamEnd);
                    media_log::no_stream(&session);
                    self.core.reject_request(request, "NetStream.Play.StreamNotFound", "No such stream.");
                    return Err(ConnectionEnd::Told(Reason::StreamEnd));
                }
                // All players of a stream share its chunks, including those that connected with another chunk_size.
                if self.core.chunk_size() != playing.chunk_size() {
                    self.core.set_chunk_size(playing.chunk_size());
                }
                self.core.accept_play(request);
                playing.tell_way(&mut self.core);
                let lead = self.core.poll_transmit().unwrap_or_default();
                playing.join(&self.worker.delivery, self.socket.clone(), lead, &self.rtmp.pasts);
                self.part = StreamPart::Playing(Box::new(playing));
            }
        }
        Ok(())
    }

    /// Changes to another stream: the session ends, and one with the same number begins.
    pub(crate) fn move_to(&mut self, next: StreamMove) -> Result<(), ConnectionEnd> {
        match &mut self.part {
            StreamPart::Playing(playing) => {
                // The sending side must come back first; `delivery_ended` continues then.
                playing.leave(&self.worker.delivery);
                (self.leaving, self.next) = (true, Some(next));
                Ok(())
            }
            StreamPart::Publishing(publishing) => {
                publishing.push(self.core.bytes_received());
                let mut early = EarlyHeaders::default();
                for (kind, timestamp, payload) in publishing.headers() {
                    early.keep(kind, timestamp, payload);
                }
                let stream_id = publishing.stream_id();
                publishing.session().set_reason(Reason::NormalClose);
                self.part = StreamPart::None;
                self.begin_again(stream_id, next, Role::Publisher, early)
            }
            StreamPart::None | StreamPart::Pending(_) | StreamPart::Discarding { .. } => Ok(()),
        }
    }

    fn begin_again(
        &mut self,
        stream_id: u32,
        StreamMove { name, arrival }: StreamMove,
        role: Role,
        early: EarlyHeaders,
    ) -> Result<(), ConnectionEnd> {
        let origin = Origin { early, arrival: Some(arrival) };
        match self.core.ask_again(stream_id) {
            Some(request) => self.begin(request, stream_id, &name, role, origin),
            None => Ok(()),
        }
    }

    pub(crate) fn close_stream(&mut self, closed: u32) {
        let stream_id = match &self.part {
            StreamPart::None => return,
            StreamPart::Pending(pending) => pending.stream_id,
            StreamPart::Discarding { stream_id, .. } => *stream_id,
            StreamPart::Publishing(publishing) => publishing.stream_id(),
            StreamPart::Playing(playing) => playing.stream_id(),
        };
        if stream_id != closed {
            return;
        }
        match &mut self.part {
            // The sending side must come back first; `delivery_ended` continues then.
            StreamPart::Playing(playing) => {
                playing.leave(&self.worker.delivery);
                self.leaving = true;
                return;
            }
            // Input of the same turn still belongs to the stream.
            StreamPart::Publishing(publishing) => publishing.push(self.core.bytes_received()),
            _ => {}
        }
        if let Some(session) = self.session() {
            mark(&session.moments.close_stream);
            session.set_reason(Reason::NormalClose);
        }
        self.part = StreamPart::None;
    }

    /// The answer to an update ends the session: a publisher is informed first, as after its own stop.
    pub(crate) fn refuse_publisher(&mut self) -> ConnectionEnd {
        let StreamPart::Publishing(publishing) = &self.part else {
            return ConnectionEnd::Because(Reason::NotifyRefused);
        };
        let stream_id = publishing.stream_id();
        self.core.send_status(stream_id, "status", "NetStream.Unpublish.Success", "Stop publishing");
        ConnectionEnd::Told(Reason::NotifyRefused)
    }

    /// The publisher has exceeded a limit: it is told that before the connection ends.
    pub(crate) fn over_limit(&mut self) -> ConnectionEnd {
        let StreamPart::Publishing(publishing) = &self.part else {
            return ConnectionEnd::Because(Reason::OverLimit);
        };
        let code = forbidden(Role::Publisher);
        self.core.send_status(publishing.stream_id(), "error", code, "A limit was exceeded.");
        ConnectionEnd::Told(Reason::OverLimit)
    }

    /// The delivery loop no longer sends for this connection.
    pub(crate) async fn delivery_ended(&mut self) -> Result<(), ConnectionEnd> {
        let StreamPart::Playing(playing) = std::mem::replace(&mut self.part, StreamPart::None) else {
            return Ok(());
        };
        let session = playing.session().clone();
        if let Some(gone) = session.link.gone() {
            let reason = crate::media::delivery::reason_of(gone);
            session.set_reason(reason);
            return Err(ConnectionEnd::Because(reason));
        }
        session.set_reason(Reason::NormalClose);
        let stream_id = playing.stream_id();
        let next = self.next.take();
        if next.is_none() {
            mark(&session.moments.close_stream);
        }
        drop(playing);
        for rest in session.link.take_rest() {
            self.write(&rest).await?;
        }
        self.leaving = false;
        if let Some(next) = next {
            self.begin_again(stream_id, next, Role::Player, EarlyHeaders::default())?;
        }
        self.handle_events()
    }

    /// A publisher came or went.
    pub(crate) fn phase_changed(&mut self) -> Result<(), ConnectionEnd> {
        if let StreamPart::Playing(playing) = &mut self.part {
            playing.phase_changed(&mut self.core).map_err(ConnectionEnd::Because)?;
        }
        Ok(())
    }
}

/// Status code of a refusal.
fn forbidden(role: Role) -> &'static str {
    match role {
        Role::Publisher => "NetStream.Publish.Forbidden",
        Role::Player => "NetStream.Play.Forbidden",
    }
}
