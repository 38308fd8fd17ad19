//! `flv_live` and `ts_live`: a stream as an endless file.

use std::sync::Arc;

use bstr::{BString, ByteSlice};
use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode, Version};
use http_body_util::BodyExt;

use super::arrival::Arrival;
use super::origin::{IdentityOverrides, PathParts, RequestedStream};
use super::player::{HttpPlayer, SilentBody};
use super::{Body, Exchange, cors, is_head, plain, speaks_chunks};
use crate::directive::ListenAddr;
use crate::hub::packet::Container;
use crate::media::admission::AdmissionRefusal;
use crate::media::admission::AdmittedSession;
use crate::media::live;
use crate::media::log;
use crate::media::mpegts::{self, FeedSettings, MpegtsFeed};
use crate::media::player_settings::player_settings;
use crate::media::relay_messages;
use crate::media::session::Protocol;
use crate::module::flv::conf::FlvLive;
use crate::module::ts::conf::TsLive;
use crate::wire::{MediaKind, flv};

/// A live location.
pub(super) struct LiveHandler<'a> {
    addr: &'a ListenAddr,
    app: Option<&'a BString>,
    format: LiveFormat,
}

/// What the file is.
#[derive(Clone, Copy)]
pub(super) enum LiveFormat {
    Flv { audio: bool, video: bool },
    Ts,
}

impl<'a> From<&'a FlvLive> for LiveHandler<'a> {
    fn from(flv: &'a FlvLive) -> Self {
        let format = LiveFormat::Flv { audio: flv.audio, video: flv.video };
        LiveHandler { addr: &flv.addr, app: flv.app.as_ref(), format }
    }
}

impl<'a> From<&'a TsLive> for LiveHandler<'a> {
    fn from(ts: &'a TsLive) -> Self {
        LiveHandler { addr: &ts.addr, app: ts.app.as_ref(), format: LiveFormat::Ts }
    }
}

impl LiveFormat {
    /// What may follow the name in a path.
    fn suffix(self) -> &'static str {
        match self {
            LiveFormat::Flv { .. } => ".flv",
            LiveFormat::Ts => ".ts",
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            LiveFormat::Flv { .. } => "video/x-flv",
            LiveFormat::Ts => "video/mp2t",
        })
    }

    fn protocol(self) -> Protocol {
        match self {
            LiveFormat::Flv { .. } => Protocol::HttpFlv,
            LiveFormat::Ts => Protocol::HttpTs,
        }
    }

    fn container(self, chunked: bool) -> Container {
        match (self, chunked) {
            (LiveFormat::Flv { .. }, false) => Container::Flv,
            (LiveFormat::Flv { .. }, true) => Container::FlvChunked,
            (LiveFormat::Ts, false) => Container::Raw,
            (LiveFormat::Ts, true) => Container::RawChunked,
        }
    }

    /// The first bytes of a player's file, once its media is there; a transport stream needs none, as its tables are
    /// repeated. A relay of ours is told by which way the media comes.
    pub(super) fn lead(self, entered: &AdmittedSession) -> Bytes {
        let mut file = BytesMut::new();
        if let LiveFormat::Flv { audio, video } = self {
            let tracks = entered.stream().info().tracks();
            flv::write_header(&mut file, audio && tracks.0, video && tracks.1);
            if let Some(way) = entered.way() {
                file.extend_from_slice(&self.way(entered, &way.borrow()));
            }
        }
        file.freeze()
    }

    /// Whether the player is a relay of ours that can be told by which way the media comes.
    pub(super) fn tells_way(self, entered: &AdmittedSession) -> bool {
        matches!(self, LiveFormat::Flv { .. }) && entered.session().identity.trail.claims_relay()
    }

    /// What such a relay is told of the way on which the media has come until here.
    pub(super) fn way(self, entered: &AdmittedSession, way: &[u8]) -> Bytes {
        let way_here = entered.admission().trails().way(way, &entered.session().key);
        data_tag(&relay_messages::way(&way_here))
    }

    /// What such a relay is told when the stream's publisher has gone.
    pub(super) fn idle(self) -> Bytes {
        data_tag(&relay_messages::idle())
    }
}

fn data_tag(payload: &[u8]) -> Bytes {
    let mut tag = BytesMut::new();
    flv::write_tag(&mut tag, MediaKind::Data, 0, payload);
    tag.freeze()
}

/// Answers with a live stream, as soon as its first media is there, or earlier with `http_early_head`.
pub(super) async fn answer(exchange: &Exchange<'_>, live: LiveHandler<'_>) -> Response<Body> {
    let Some(place) = PathParts::of(exchange) else { return plain(StatusCode::BAD_REQUEST) };
    let name = &place.last[..place.last.find(live.format.suffix()).unwrap_or(place.last.len())];
    if name.is_empty() {
        return plain(StatusCode::BAD_REQUEST);
    }
    let Some(origin) = RequestedStream::choose(exchange, live.addr, live.app, &place, name) else {
        return plain(StatusCode::NOT_FOUND);
    };
    let connection = exchange.connection;
    let protocol = live.format.protocol();
    let session = Arc::new(origin.session(exchange, connection.id, protocol, &IdentityOverrides::default()));
    let admission = &connection.service.admission;
    if admission.is_loop(&session.identity, session.role) {
        log::relay_loop(session.id, &session.identity);
        return plain(StatusCode::LOOP_DETECTED);
    }
    log::stream_requested(&session);
    let view = origin.view;
    let mut entered = AdmittedSession::enter(admission, &view, &session);
    if let Err(AdmissionRefusal(reason)) = entered.admit().await {
        session.set_reason(reason);
        return plain(StatusCode::FORBIDDEN);
    }
    if !view.held().get::<live::conf::Conf>().live {
        log::not_live(&session);
        return plain(StatusCode::NOT_FOUND);
    }
    let chunked = speaks_chunks(exchange.request) && exchange.location.conf.chunked;
    let container = live.format.container(chunked);
    let (feed, settings) = match live.format {
        LiveFormat::Flv { .. } => (None, player_settings(&view, container, 0, &session.identity.pargs)),
        LiveFormat::Ts => {
            let feed = connection.service.feeds.hold(entered.stream(), FeedSettings::of(&view));
            (Some(feed), mpegts::player_settings(&view, container, &session.identity.pargs))
        }
    };
    let stream = feed.as_deref().map_or(entered.stream(), MpegtsFeed::stream).clone();
    let may_wait = view.held().get::<live::conf::Conf>().idle_streams || entered.is_pulled();
    let mut arrival = Arrival { source: entered.stream().watch(), phase: stream.watch(), may_wait };
    let waited = if exchange.location.conf.http_early_head {
        arrival.settled(&session, &entered).await
    } else if live.format.tells_way(&entered) && !is_head(exchange.request) {
        arrival.media_or_settled(&session, &entered).await
    } else if is_head(exchange.request) {
        arrival.publisher(&session).await
    } else {
        arrival.media(&session).await
    };
    if let Err(reason) = waited {
        session.set_reason(reason);
        log::no_stream(&session);
        return plain(StatusCode::NOT_FOUND);
    }
    if is_head(exchange.request) {
        return head(exchange, live.format, chunked, super::full(Bytes::new()));
    }
    let player = HttpPlayer { view, entered, stream, arrival, settings, format: live.format, _feed: feed };
    connection.takeover.arm(player);
    head(exchange, live.format, chunked, SilentBody.boxed_unsync())
}

fn head(exchange: &Exchange<'_>, format: LiveFormat, chunked: bool, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    if !chunked {
        // hyper ends a response without length and chunks by closing only for HTTP/1.0.
        *response.version_mut() = Version::HTTP_10;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, format.content_type());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    cors::add(exchange, headers);
    response
}
