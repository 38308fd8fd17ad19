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
use super::live_format::{LiveFormat, Sending};
use super::origin::{IdentityOverrides, PathParts, RequestedStream};
use super::player::{HttpPlayer, SilentBody};
use super::reply::{Body, full, plain};
use crate::directive::ListenAddr;
use crate::media::admission::{Admission, AdmissionRefusal, AdmittedSession};
use crate::media::live;
use crate::media::log;
use crate::media::mpegts::MpegtsFeed;

/// A live location.
pub struct LiveLocation<'a> {
    /// RTMP address whose streams are served.
    pub addr: &'a ListenAddr,
    /// The application, unless the request names one.
    pub app: Option<&'a BString>,
    /// Format of the response.
    pub format: Arc<dyn LiveFormat>,
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

impl Exchange<'_> {
    /// Passes the socket to a player once the response head is sent.
    fn take_over(&self, player: HttpPlayer) {
        self.connection.takeover.arm(player);
    }
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
