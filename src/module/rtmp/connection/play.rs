//! Player side of an RTMP connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::sync::watch;

use super::past::{FeedPlan, PastEnd, PastFeed};
use crate::hub::packet::Container;
use crate::hub::stream::StreamPhase;
use crate::media::admission::AdmittedSession;
use crate::media::delivery::{Delivery, Join, Start};
use crate::media::gop;
use crate::media::live;
use crate::media::log;
use crate::media::past::{PastFormat, PastRequest, Pasts};
use crate::media::player_settings::player_settings;
use crate::media::relay_messages;
use crate::media::session::{Reason, Session, mark};
use crate::media::view::AppView;
use crate::net::socket::Socket;
use crate::wire::amf0::AmfValue;
use crate::wire::rtmp::server_session::ServerSession;

/// A player whose media is sent by the delivery loop.
pub struct Playing {
    view: AppView,
    stream_id: u32,
    entered: Box<AdmittedSession>,
    phase: watch::Receiver<StreamPhase>,
    seen: StreamPhase,
    /// Whether a change was not sent to the relay yet.
    way_changed: bool,
    /// For a relay, the path of the media.
    way: Option<watch::Receiver<Bytes>>,
    /// Set while it is sent what is recorded, or may be.
    past: Option<PastFeed>,
}

impl Playing {
    /// Creates an admitted player.
    pub fn new(view: AppView, stream_id: u32, entered: Box<AdmittedSession>) -> Self {
        let mut phase = entered.stream().watch();
        let seen = *phase.borrow_and_update();
        let way = entered.way();
        Playing { view, stream_id, entered, phase, seen, way_changed: false, way, past: None }
    }

    /// Whether the player may wait for a publisher (`idle_streams`).
    pub fn may_wait(&self) -> bool {
        self.seen.publishing
            || self.view.held().get::<live::conf::Conf>().idle_streams
            || self.entered.is_pulled()
    }

    /// Passes the sending side to the delivery loop; `lead` is sent first. A player that asks for more of the past than is kept
    /// is then sent what is recorded of it.
    pub fn join(&mut self, delivery: &Delivery, socket: Arc<Socket>, lead: Bytes, pasts: &Arc<dyn Pasts>) {
        let session = self.session();
        mark(&session.moments.first_data);
        let pargs = &session.identity.pargs;
        let settings = player_settings(&self.view, Container::Rtmp, self.stream_id, pargs);
        // Relays fetch the live stream.
        let is_relay = session.identity.trail.claims_relay();
        let ago_ms = self.view.held().get::<gop::conf::Conf>().past(pargs).filter(|_| !is_relay);
        delivery.join(Join {
            session: session.id,
            stream: self.entered.stream().clone(),
            socket,
            settings,
            start: if ago_ms.is_some() { Start::Held } else { Start::AsSet },
            lead,
            link: session.link.clone(),
            send_timeout: self.view.server().timeout.duration(),
            view: self.view.clone(),
        });
        log::playing(session);
        session.accept_moves();
        self.past = ago_ms.map(|ago_ms| {
            let request = PastRequest {
                view: self.view.clone(),
                session: session.clone(),
                stream: self.entered.stream().clone(),
                format: PastFormat::Tags,
                ago_ms,
            };
            PastFeed::start(pasts.clone(), FeedPlan { request, delivery: delivery.clone(), settings })
        });
    }

    /// Takes the sending side back.
    pub fn leave(&self, delivery: &Delivery) {
        delivery.leave(self.entered.stream().id(), &self.session().link);
    }

    /// Takes the sending side back after the player was sent the media that has arrived, and waits for that.
    pub async fn finish(&self, delivery: &Delivery) {
        delivery.finish(self.entered.stream().id(), &self.session().link);
        self.session().link.ended().await;
    }

    /// Sends control bytes between two messages of media.
    pub fn control(&self, delivery: &Delivery, bytes: Bytes) {
        delivery.control(self.entered.stream().id(), &self.session().link, bytes);
    }

    /// Pauses or resumes the player, after the session has answered.
    pub fn pause(&self, delivery: &Delivery, paused: bool) {
        if self.past.as_ref().is_some_and(|past| past.pause(paused)) {
            return;
        }
        delivery.pause(self.entered.stream().id(), &self.session().link, paused);
    }

    /// Called when a publisher came or went, or the past has ended: notifies the player if configured, or ends it. A player that
    /// is sent what is recorded stays until that has ended.
    ///
    /// # Errors
    ///
    /// The reason why the player must end.
    pub fn phase_changed(&mut self, core: &mut ServerSession) -> Result<(), Reason> {
        if self.way_changed {
            self.tell_way(core);
        }
        let before = self.seen;
        let now = *self.phase.borrow_and_update();
        self.seen = now;
        let live = self.view.held().get::<live::conf::Conf>();
        let ended = before.publishing && (!now.publishing || now.epoch != before.epoch);
        let began = now.publishing && (!before.publishing || now.epoch != before.epoch);
        let past_end = self.past.as_ref().and_then(PastFeed::end);
        if let Some(end) = past_end {
            self.past = None;
            if let PastEnd::Over(reason) = end {
                self.session().set_reason(reason);
                return Err(reason);
            }
        }
        if ended || past_end.is_some() {
            let is_past = self.past.as_ref().is_some_and(PastFeed::is_past);
            if !live.idle_streams && !now.publishing && !is_past {
                self.session().set_reason(Reason::StreamEnd);
                return Err(Reason::StreamEnd);
            }
        }
        if ended {
            if !now.publishing && self.session().identity.trail.claims_relay() {
                core.send_data(self.stream_id, &[relay_messages::IDLE.into()]);
            }
            if live.publish_notify {
                self.tell(core, "NetStream.Play.UnpublishNotify", "Stop publishing");
            }
            if live.play_restart {
                self.tell(core, "NetStream.Play.Stop", "Stop live");
            }
        }
        if began {
            if live.publish_notify {
                self.tell(core, "NetStream.Play.PublishNotify", "Start publishing");
            }
            if live.play_restart {
                self.tell(core, "NetStream.Play.Start", "Start live");
            }
        }
        Ok(())
    }

    /// Waits for a change of the stream's publisher, or of the path reported to a relay.
    pub async fn changed(&mut self) {
        let way = async {
            match &mut self.way {
                Some(way) => way.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        let past = async {
            match &self.past {
                Some(past) => past.ended().await,
                None => std::future::pending().await,
            }
        };
        // Both senders live as long as the session, which holds stream and pull.
        tokio::select! {
            () = past => {}
            _ = self.phase.changed() => {}
            _ = way => self.way_changed = true,
        }
    }

    /// Reports the path of the media to a relay.
    pub fn tell_way(&mut self, core: &mut ServerSession) {
        let Some(way) = &mut self.way else { return };
        self.way_changed = false;
        let way_here =
            self.entered.admission().trails().way(&way.borrow_and_update(), self.entered.stream().key());
        core.send_data(self.stream_id, &[relay_messages::WAY.into(), AmfValue::String(way_here)]);
    }

    /// RTMP chunk size of the stream's shared bytes.
    pub fn chunk_size(&self) -> usize {
        self.entered.stream().chunk_size()
    }

    /// Message stream id.
    pub fn stream_id(&self) -> u32 {
        self.stream_id
    }

    /// The session.
    pub fn session(&self) -> &Arc<Session> {
        self.entered.session()
    }

    fn tell(&self, core: &mut ServerSession, code: &str, description: &str) {
        core.send_status(self.stream_id, "status", code, description);
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        let session = self.session();
        log::played(session, session.link.dropped_total.load(Ordering::Relaxed));
    }
}
