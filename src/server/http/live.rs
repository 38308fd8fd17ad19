//! `flv_live` and `ts_live`: a stream as an endless file.

use std::sync::Arc;

use bstr::{BString, ByteSlice};
use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode, Version};
use http_body_util::BodyExt;
use tokio::sync::watch;

use super::origin::{Origin, Overrides, Place};
use super::player::{Player, Silent};
use super::{Body, Exchange, cors, is_head, plain, speaks_chunks};
use crate::conf::ListenAddr;
use crate::hub::packet::Container;
use crate::hub::stream::Phase;
use crate::module::flv::conf::FlvLive;
use crate::module::relay::control;
use crate::module::ts::conf::TsLive;
use crate::server::admission::Entered;
use crate::server::admission::Refused;
use crate::server::event;
use crate::server::mpegts::{self, Feed, FeedSettings};
use crate::server::rtmp::play::player_settings;
use crate::server::session::{Protocol, Reason, Session};
use crate::wire::{MediaKind, flv};

/// A live location.
pub(super) struct Live<'a> {
    addr: &'a ListenAddr,
    app: Option<&'a BString>,
    format: Format,
}

/// What the file is.
#[derive(Clone, Copy)]
enum Format {
    Flv { audio: bool, video: bool },
    Ts,
}

impl<'a> From<&'a FlvLive> for Live<'a> {
    fn from(flv: &'a FlvLive) -> Self {
        let format = Format::Flv { audio: flv.audio, video: flv.video };
        Live { addr: &flv.addr, app: flv.app.as_ref(), format }
    }
}

impl<'a> From<&'a TsLive> for Live<'a> {
    fn from(ts: &'a TsLive) -> Self {
        Live { addr: &ts.addr, app: ts.app.as_ref(), format: Format::Ts }
    }
}

impl Format {
    /// What may follow the name in a path.
    fn suffix(self) -> &'static str {
        match self {
            Format::Flv { .. } => ".flv",
            Format::Ts => ".ts",
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Format::Flv { .. } => "video/x-flv",
            Format::Ts => "video/mp2t",
        })
    }

    fn protocol(self) -> Protocol {
        match self {
            Format::Flv { .. } => Protocol::HttpFlv,
            Format::Ts => Protocol::HttpTs,
        }
    }

    fn container(self, chunked: bool) -> Container {
        match (self, chunked) {
            (Format::Flv { .. }, false) => Container::Flv,
            (Format::Flv { .. }, true) => Container::FlvChunked,
            (Format::Ts, false) => Container::Raw,
            (Format::Ts, true) => Container::RawChunked,
        }
    }

    /// The first bytes of the file; a transport stream needs none, as its tables are repeated. `tracks` says whether there
    /// is audio and video.
    fn lead(self, tracks: (bool, bool)) -> Bytes {
        let mut file = BytesMut::new();
        if let Format::Flv { audio, video } = self {
            flv::write_header(&mut file, audio && tracks.0, video && tracks.1);
        }
        file.freeze()
    }
}

/// Answers with a live stream, as soon as its first media is there.
pub(super) async fn answer(exchange: &Exchange<'_>, live: Live<'_>) -> Response<Body> {
    let Some(place) = Place::of(exchange) else { return plain(StatusCode::BAD_REQUEST) };
    let name = &place.last[..place.last.find(live.format.suffix()).unwrap_or(place.last.len())];
    if name.is_empty() {
        return plain(StatusCode::BAD_REQUEST);
    }
    let Some(origin) = Origin::choose(exchange, live.addr, live.app, &place, name) else {
        return plain(StatusCode::NOT_FOUND);
    };
    let connection = exchange.connection;
    let protocol = live.format.protocol();
    let session = Arc::new(origin.session(exchange, connection.id, protocol, &Overrides::default()));
    if connection.context.relays.is_loop(&session.identity) {
        event::relay_loop(session.id, &session.identity);
        return plain(StatusCode::LOOP_DETECTED);
    }
    event::stream_requested(&session);
    let view = origin.view;
    let mut entered = Entered::enter(&connection.context, &view, &session);
    if let Err(Refused(reason)) = entered.admit().await {
        session.set_reason(reason);
        return plain(StatusCode::FORBIDDEN);
    }
    if !view.held().live.live {
        event::not_live(&session);
        return plain(StatusCode::NOT_FOUND);
    }
    let chunked = speaks_chunks(exchange.request) && exchange.location.conf.chunked;
    if is_head(exchange.request) {
        return head(exchange, live.format, chunked, super::full(Bytes::new()));
    }
    let container = live.format.container(chunked);
    let (feed, settings) = match live.format {
        Format::Flv { .. } => (None, player_settings(&view, container, 0, &session.identity.pargs)),
        Format::Ts if view.held().mpegts.cache_time.0 == 0 => {
            event::no_mpegts_cache(&session);
            let (waited, reason) = (view.server().timeout.duration(), session.closed());
            let _ = tokio::time::timeout(waited, reason).await;
            return plain(StatusCode::NOT_FOUND);
        }
        Format::Ts => {
            let (context, settings) = (&connection.context, FeedSettings::of(&view));
            let feed = context.feeds.hold(&context.registry, entered.stream(), settings);
            (Some(feed), mpegts::player_settings(&view, container, &session.identity.pargs))
        }
    };
    let stream = feed.as_deref().map_or(entered.stream(), Feed::stream).clone();
    let mut source = entered.stream().watch();
    let mut phase = stream.watch();
    let may_wait = view.held().live.idle_streams || entered.is_pulled();
    if let Err(reason) = first_media(&session, &mut source, &mut phase, may_wait).await {
        session.set_reason(reason);
        event::no_stream(&session);
        return plain(StatusCode::NOT_FOUND);
    }
    let mut lead = live.format.lead(entered.stream().info().tracks());
    if let (Some(way), Format::Flv { .. }) = (entered.way(), live.format) {
        let told = connection.context.relays.way(&way.borrow(), &session.key);
        let mut file = BytesMut::from(&lead[..]);
        flv::write_tag(&mut file, MediaKind::Data, 0, &control::way(&told));
        lead = file.freeze();
    }
    let player = Player { view, entered, stream, phase, settings, lead, _feed: feed };
    connection.takeover.arm(player);
    head(exchange, live.format, chunked, Silent.boxed_unsync())
}

/// Waits for media, as the original: nothing is answered before. `source` tells of the publisher, `phase` of what
/// is made of its media.
async fn first_media(
    session: &Session,
    source: &mut watch::Receiver<Phase>,
    phase: &mut watch::Receiver<Phase>,
    idle: bool,
) -> Result<(), Reason> {
    tokio::select! {
        flowing = phase.wait_for(|p| p.flowing) => flowing.map(|_| ()).map_err(|_| Reason::StreamEnd),
        _ = source.wait_for(|p| !idle && !p.publishing) => Err(Reason::StreamEnd),
        reason = session.closed() => Err(reason),
    }
}

fn head(exchange: &Exchange<'_>, format: Format, chunked: bool, body: Body) -> Response<Body> {
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
