//! A stream as an endless file, whatever its container.

use std::sync::Arc;

use bstr::{BString, ByteSlice};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode, Version};
use http_body_util::BodyExt;

use super::arrival::Arrival;
use super::cors;
use super::exchange::Exchange;
use super::origin::{IdentityOverrides, PathParts, RequestedStream};
use super::player::{HttpPlayer, SilentBody};
use super::reply::{Body, full, plain};
use crate::directive::ListenAddr;
use crate::hub::cursor::PlayerSettings;
use crate::media::admission::{Admission, AdmissionRefusal, AdmittedSession};
use crate::media::live;
use crate::media::log;
use crate::media::mpegts::MpegtsFeed;
use crate::media::session::{Protocol, Session};
use crate::media::view::AppView;

/// A live location.
pub struct LiveHandler<'a> {
    /// The RTMP address whose streams are served.
    pub addr: &'a ListenAddr,
    /// The application, unless the request names one.
    pub app: Option<&'a BString>,
    /// What the file is.
    pub format: Arc<dyn LiveFormat>,
}

/// What is sent to a player of a live location: the session's stream, or what is made of it.
pub struct Sending {
    /// How it is sent.
    pub settings: PlayerSettings,
    /// What makes it, if it is not the session's own stream.
    pub feed: Option<Arc<MpegtsFeed>>,
}

/// A container of live media as an endless file.
pub trait LiveFormat: Send + Sync {
    /// What may follow the name in a path.
    fn suffix(&self) -> &'static str;

    /// The type of the file.
    fn content_type(&self) -> &'static str;

    /// What the sessions of its players are.
    fn protocol(&self) -> Protocol;

    /// What a player is sent, in HTTP/1.1 chunks or not.
    fn sending(&self, view: &AppView, entered: &AdmittedSession, chunked: bool) -> Sending;

    /// The first bytes of a player's file, once its media is there.
    fn lead(&self, _: &AdmittedSession) -> Bytes {
        Bytes::new()
    }

    /// How a player that is a relay of ours is told what concerns relays, if it can be.
    fn relay_messages(&self, _: &Session) -> Option<&dyn RelayMessages> {
        None
    }
}

/// What relays of ours are told within a file.
pub trait RelayMessages: Send + Sync {
    /// By which way the media has come until here.
    fn way(&self, entered: &AdmittedSession, way: &[u8]) -> Bytes;

    /// That the stream's publisher has gone.
    fn idle(&self) -> Bytes;
}

/// Answers with a live stream, as soon as its first media is there, or earlier with `http_early_head`.
pub async fn answer(
    exchange: &Exchange<'_>,
    live: LiveHandler<'_>,
    admission: &Arc<Admission>,
) -> Response<Body> {
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
    let chunked = exchange.speaks_chunks();
    let Sending { settings, feed } = live.format.sending(&view, &entered, chunked);
    let stream = feed.as_deref().map_or(entered.stream(), MpegtsFeed::stream).clone();
    let may_wait = view.held().get::<live::conf::Conf>().idle_streams || entered.is_pulled();
    let mut arrival = Arrival { source: entered.stream().watch(), phase: stream.watch(), may_wait };
    let waited = if exchange.conf().http_early_head {
        arrival.settled(&session, &entered).await
    } else if live.format.relay_messages(&session).is_some() && !exchange.is_head() {
        arrival.media_or_settled(&session, &entered).await
    } else if exchange.is_head() {
        arrival.publisher(&session).await
    } else {
        arrival.media(&session).await
    };
    if let Err(reason) = waited {
        session.set_reason(reason);
        log::no_stream(&session);
        return plain(StatusCode::NOT_FOUND);
    }
    if exchange.is_head() {
        return head(exchange, &*live.format, chunked, full(Bytes::new()));
    }
    let player = HttpPlayer { view, entered, stream, arrival, settings, format: live.format, _feed: feed };
    let response = head(exchange, &*player.format, chunked, SilentBody.boxed_unsync());
    exchange.take_over(player);
    response
}

fn head(exchange: &Exchange<'_>, format: &dyn LiveFormat, chunked: bool, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    if !chunked {
        // hyper ends a response without length and chunks by closing only for HTTP/1.0.
        *response.version_mut() = Version::HTTP_10;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    cors::add(exchange, headers);
    response
}
