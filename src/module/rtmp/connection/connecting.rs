//! The `connect` command and its callback, `on_connect`.
//!
//! PingOS reads `on_connect` and never calls it. Here it is called like `on_publish` and `on_play`: an answer that
//! would refuse there refuses here, as `NetConnection.Connect.Rejected`, and its event lasts until the connection ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::farewell;
use super::identity::ConnectTarget;
use super::state::{
    Connected, Connecting, ConnectionEnd, NotifiedConnection, RtmpConnection, claim_of, settings_of,
};
use super::verify;
use crate::media;
use crate::media::admission::{self, AdmissionRefusal};
use crate::media::log as media_log;
use crate::media::session::{Identity, Protocol, Reason, Role, Session, SessionMoments, mark};
use crate::media::view::AppView;
use crate::module::rtmp::log;
use crate::notify;
use crate::notify::{EventKind, SessionEvent};
use crate::wire::rtmp::server_session::{Connect, RequestId};

impl RtmpConnection {
    /// Selects the application, and calls `on_connect` if configured.
    pub(crate) fn connect(&mut self, request: RequestId, connect: &Connect) -> Result<(), ConnectionEnd> {
        mark(&self.moments.connect);
        let target = ConnectTarget::of(connect);
        let Some(view) = AppView::choose(&self.rtmp.store, &self.listen, &target.host, &target.app) else {
            media_log::unknown_application(self.id, &target.app, &target.domain);
            return Err(self.refuse_connect(
                request,
                "NetConnection.Connect.InvalidApp",
                "No such application.",
            ));
        };
        if let Some(info) = self.socket.tls_info() {
            let config = self.rtmp.store.load();
            let servers = config.rtmp.as_ref().and_then(|rtmp| rtmp.servers_at(&self.listen));
            if !servers.is_some_and(|servers| verify::reaches(servers, info, &target.host)) {
                log::misdirected(self.id, &self.peer);
                drop(config);
                return Err(self.refuse_connect(
                    request,
                    "NetConnection.Connect.Rejected",
                    "Another server was negotiated with TLS.",
                ));
            }
        }
        let open = self.rtmp.open.load(Ordering::Relaxed);
        let limit =
            self.rtmp.store.load().rtmp.as_ref().and_then(|rtmp| rtmp.get::<media::conf::MaxConnections>().0);
        if let Some(limit) = limit.filter(|limit| open > *limit) {
            log::over_max_connections(self.id, limit);
            return Err(self.refuse_connect(
                request,
                "NetConnection.Connect.Rejected",
                "Too many connections.",
            ));
        }
        let identity = Identity {
            domain: target.domain,
            app: target.app,
            args: target.args,
            tc_url: target.tc_url,
            page_url: connect.page_url.clone(),
            swf_url: connect.swf_url.clone(),
            flash_ver: connect.flash_ver.clone(),
            audio_codecs: connect.audio_codecs,
            video_codecs: connect.video_codecs,
            serverid: view.serverid(),
            scheme: if self.socket.is_tls() { "rtmps" } else { "rtmp" },
            ..Identity::default()
        };
        let connected =
            Connected { view, identity, claim: claim_of(connect), reconnects: farewell::reconnects(connect) };
        if connected.view.current().get::<notify::conf::Current>().on_connect.is_some() {
            self.ask_connect(request, connected);
        } else {
            self.accept_connect(request, connected);
        }
        Ok(())
    }

    fn refuse_connect(&mut self, request: RequestId, code: &str, why: &str) -> ConnectionEnd {
        self.core.reject_connect(request, code, why);
        ConnectionEnd::Told(Reason::NormalClose)
    }

    fn ask_connect(&mut self, request: RequestId, connected: Connected) {
        let moments = SessionMoments::default();
        for (to, from) in [
            (&moments.handshake_done, &self.moments.handshake_done),
            (&moments.connect, &self.moments.connect),
        ] {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        // The role is not known yet.
        let session = Arc::new(Session::new(
            self.id,
            self.peer.clone(),
            Protocol::Rtmp,
            Role::Player,
            connected.identity.clone(),
            self.started,
            moments,
        ));
        let begun =
            SessionEvent::begin(&self.rtmp.callbacks, &connected.view, EventKind::Connect, &session, None);
        let Some(mut event) = begun else {
            // A reload has just removed the line.
            return self.accept_connect(request, connected);
        };
        let (view, asked) = (connected.view.clone(), session.clone());
        let verdict = async move {
            let verdict = admission::verdict(&mut event, &view, &asked).await;
            (event, verdict)
        };
        self.connecting =
            Some(Box::new(Connecting { request, connected, session, verdict: Box::pin(verdict) }));
    }

    /// Processes the answer of the callback.
    pub(crate) fn connect_decided(
        &mut self,
        event: SessionEvent,
        verdict: Result<(), AdmissionRefusal>,
    ) -> Result<(), ConnectionEnd> {
        let Some(connecting) = self.connecting.take() else { return Ok(()) };
        let Connecting { request, connected, session, .. } = *connecting;
        self.notified = Some(NotifiedConnection { session, _event: event });
        if let Err(AdmissionRefusal(reason)) = verdict {
            self.core.reject_connect(request, "NetConnection.Connect.Rejected", "Refused.");
            return Err(ConnectionEnd::Told(reason));
        }
        self.accept_connect(request, connected);
        // Process commands that did not wait for the answer.
        self.handle_events()
    }

    fn accept_connect(&mut self, request: RequestId, connected: Connected) {
        let view = &connected.view;
        self.timeout = view.server().timeout.duration();
        self.core.accept_connect(request, settings_of(view.server(), view.base()));
        if !connected.view.held().get::<media::conf::Conf>().tcp_nodelay {
            self.socket.set_nodelay(false);
        }
        self.connected = Some(connected);
    }
}
