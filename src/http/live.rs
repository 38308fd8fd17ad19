//! Live streams as endless files, in any container.

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
pub struct LiveLocation<'a> {
    /// RTMP address whose streams are served.
    pub addr: &'a ListenAddr,
    /// The application, unless the request names one.
    pub app: Option<&'a BString>,
    /// Format of the response.
    pub format: Arc<dyn LiveFormat>,
}

/// Media for one player of a live location: the session's stream, or a feed made from it.
pub struct Sending {
    /// Delivery settings.
    pub settings: PlayerSettings,
    /// The feed, unless the session's own stream is sent.
    pub feed: Option<Arc<MpegtsFeed>>,
}

/// A container format for endless live files.
pub trait LiveFormat: Send + Sync {
    /// Optional suffix of stream names in paths.
    fn suffix(&self) -> &'static str;

    /// MIME type.
    fn content_type(&self) -> &'static str;

    /// Protocol of its players' sessions.
    fn protocol(&self) -> Protocol;

    /// Selects the media for a player; `chunked` means HTTP/1.1 chunks.
    fn sending(&self, view: &AppView, entered: &AdmittedSession, chunked: bool) -> Sending;

    /// First bytes of a player's file, built once media is available.
    fn lead(&self, _: &AdmittedSession) -> Bytes {
        Bytes::new()
    }

    /// Messages to a relay of another pingosd server; `None` if the player is no relay or the container cannot carry
    /// them.
    fn relay_messages(&self, _: &Session) -> Option<&dyn RelayMessages> {
        None
    }
}

/// Messages to relays of other pingosd servers inside a file.
pub trait RelayMessages: Send + Sync {
    /// The path that the media has taken so far.
    fn way(&self, entered: &AdmittedSession, way: &[u8]) -> Bytes;

    /// The stream's publisher has left.
    fn idle(&self) -> Bytes;
}

/// Responds with a live stream once there is media, or earlier with `http_early_head`.
pub async fn answer(
    exchange: &Exchange<'_>,
    live: LiveLocation<'_>,
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
        // For a response without length and chunks, hyper closes the connection only with HTTP/1.0.
        *response.version_mut() = Version::HTTP_10;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    cors::add(exchange, headers);
    response
}
