//! Live streams as endless files, in any container.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use bstr::{BString, ByteSlice};
use http::StatusCode;

use super::arrival::Arrival;
use super::cors;
use super::exchange::Exchange;
use super::live_format::{LiveFormat, Sending};
use super::origin::{IdentityOverrides, PathParts, RequestedStream};
use super::player::HttpPlayer;
use super::response::{Body, BodySource, Piece, Response};
use crate::directive::ListenAddr;
use crate::media::admission::{Admission, AdmissionRefusal, AdmittedSession};
use crate::media::live;
use crate::media::log;
use crate::media::mpegts::MpegtsFeed;
use crate::media::past::{PastFormat, PastRequest, Pasts};
use crate::media::session::Reason;

/// A live location.
pub struct LiveLocation<'a> {
    /// RTMP address whose streams are served.
    pub addr: &'a ListenAddr,
    /// The application, unless the request names one.
    pub app: Option<&'a BString>,
    /// Format of the response.
    pub format: Arc<dyn LiveFormat>,
    /// What is recorded of streams.
    pub pasts: &'a dyn Pasts,
}

/// Responds with a live stream once there is media, or earlier with `http_early_head`.
pub async fn answer(exchange: &Exchange<'_>, live: LiveLocation<'_>, admission: &Arc<Admission>) -> Response {
    let Some(place) = PathParts::of(exchange) else { return Response::page(StatusCode::BAD_REQUEST) };
    let name = &place.last[..place.last.find(live.format.suffix()).unwrap_or(place.last.len())];
    if name.is_empty() {
        return Response::page(StatusCode::BAD_REQUEST);
    }
    let Some(origin) = RequestedStream::choose(exchange, live.addr, live.app, &place, name) else {
        return Response::page(StatusCode::NOT_FOUND);
    };
    let protocol = live.format.protocol();
    let session =
        Arc::new(origin.session(exchange, exchange.session_id(), protocol, &IdentityOverrides::default()));
    if admission.is_loop(&session.identity, session.role) {
        log::relay_loop(session.id, &session.identity);
        return Response::page(StatusCode::LOOP_DETECTED);
    }
    log::stream_requested(&session);
    if admission.refuses(&session) {
        return Response::page(StatusCode::FORBIDDEN);
    }
    let view = origin.view;
    let mut entered = AdmittedSession::enter(admission, &view, &session);
    if let Err(AdmissionRefusal(reason)) = entered.admit().await {
        session.set_reason(reason);
        return Response::page(match reason {
            Reason::OverLimit => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::FORBIDDEN,
        });
    }
    if !view.held().get::<live::conf::Conf>().live {
        log::not_live(&session);
        return Response::page(StatusCode::NOT_FOUND);
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
        return Response::page(StatusCode::NOT_FOUND);
    }
    if exchange.is_head() {
        return head(exchange, &*live.format, Body::Source(Box::new(Endless)));
    }
    // Relays fetch the live stream.
    let ago_ms = live.format.past(&view, &session.identity.pargs);
    let past = match ago_ms.filter(|_| live.format.relay_messages(&session).is_none()) {
        Some(ago_ms) => {
            let format = match &feed {
                Some(feed) => PastFormat::Mpegts(feed.stream().clone()),
                None => PastFormat::Tags,
            };
            let (view, session, stream) = (view.clone(), session.clone(), entered.stream().clone());
            live.pasts.open(PastRequest { view, session, stream, format, ago_ms }).await
        }
        None => None,
    };
    let player =
        HttpPlayer { view, entered, stream, arrival, settings, format: live.format, past, _feed: feed };
    let format = player.format.clone();
    head(exchange, &*format, Body::Live(Box::new(player)))
}

/// The body of a live response to HEAD, which is never sent.
struct Endless;

impl BodySource for Endless {
    fn poll_piece(&mut self, _: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        Poll::Ready(None)
    }

    fn length(&self) -> Option<u64> {
        None
    }
}

fn head(exchange: &Exchange<'_>, format: &dyn LiveFormat, body: Body) -> Response {
    let mut response = Response::ok(format.content_type(), body);
    response.closes = true;
    response.headers.append("Cache-Control", "no-cache");
    cors::add(exchange, &mut response.headers);
    response
}
