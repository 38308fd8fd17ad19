//! `hls2_live`: playlists and fragments of HLS from memory.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bstr::ByteSlice;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::conf::{Conf, Current};
use super::live::Hls2Live;
use super::{
    Fragment, Fragments, HlsRequest, MasterRequest, SessionId, ViewerRefusal, ViewerRequest, Viewers, log,
};
use crate::http::cors;
use crate::http::exchange::Exchange;
use crate::http::exchange::{Answer, Handler, Methods};
use crate::http::origin::{IdentityOverrides, PathParts, RequestedStream};
use crate::http::reply::{Body, full, plain};
use crate::hub::registry::StreamRegistry;
use crate::media::mpegts::Feeds;
use crate::media::segments::Presentation;
use crate::media::session::{Protocol, Sessions};
use crate::media::variables::query_argument;

const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";
const FRAGMENT_TYPE: &str = "video/mp2t";

/// Handler of `hls2_live`.
pub struct Hls2Handler {
    /// Its players.
    pub viewers: Arc<Viewers>,
    /// All streams.
    pub registry: Arc<StreamRegistry>,
    /// Streams as MPEG-TS.
    pub feeds: Arc<Feeds>,
    /// All sessions.
    pub sessions: Arc<Sessions>,
}

impl Handler for Hls2Handler {
    fn methods(&self) -> Methods {
        Methods::Stream
    }

    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<Answer<'a>> {
        let live = exchange.chosen_by::<Current>().hls2_live.0.as_ref()?;
        Some(Box::pin(self.respond(exchange, live)))
    }
}

impl Hls2Handler {
    async fn respond(&self, exchange: &Exchange<'_>, live: &Hls2Live) -> Response<Body> {
        let Some(place) = PathParts::of(exchange) else { return plain(StatusCode::BAD_REQUEST) };
        let Some(target) = HlsRequest::parse(place.last) else { return plain(StatusCode::NOT_FOUND) };
        let session = query_argument(exchange.query(), b"session");
        let (name, fragment) = match target {
            HlsRequest::Playlist { name } => (name, None),
            HlsRequest::Fragment { name, id } => (name, Some(id)),
        };
        if session.is_empty() && fragment.is_none() {
            let origin = RequestedStream::choose(exchange, &live.addr, live.app.as_ref(), &place, name);
            let known = origin.and_then(|origin| self.presentation(&origin));
            return ok(exchange, PLAYLIST_TYPE, full(self.master(exchange, known.as_ref()).into()));
        }
        let Some(session) = SessionId::parse(session) else { return plain(StatusCode::NOT_FOUND) };
        let Some(origin) = RequestedStream::choose(exchange, &live.addr, live.app.as_ref(), &place, name)
        else {
            return plain(StatusCode::NOT_FOUND);
        };
        match fragment {
            Some(id) => self.send_fragment(exchange, &origin, &session, id).await,
            None => self.send_playlist(exchange, live, &origin, session, name).await,
        }
    }

    /// Master playlist with a new session. The stream need not exist, and no callback is sent yet.
    fn master(&self, exchange: &Exchange<'_>, known: Option<&Presentation>) -> String {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let id = self.viewers.issue(seconds, exchange.id());
        let request = MasterRequest {
            scheme: exchange.scheme(),
            host: &exchange.header(HOST).to_str_lossy(),
            path: exchange.request.uri().path(),
            query: exchange.request.uri().query().unwrap_or(""),
        };
        request.playlist(&id, known)
    }

    /// Attributes of the stream, if it exists and has fragments.
    fn presentation(&self, origin: &RequestedStream) -> Option<Presentation> {
        let stream = self.registry.find(&origin.key())?;
        let fragments = self.feeds.find(&stream)?.find_companion::<Fragments>()?;
        fragments.presentation(&stream.info())
    }

    async fn send_playlist(
        &self,
        exchange: &Exchange<'_>,
        live: &Hls2Live,
        origin: &RequestedStream,
        session: SessionId,
        name: &[u8],
    ) -> Response<Body> {
        let (key, addr) = (origin.key(), exchange.peer().ip);
        // An existing session continues as it began, whatever has become of its application.
        let visit = match self.viewers.visit(&key, &session, addr) {
            Some(visit) => visit,
            None if !origin.view.held().get::<Conf>().hls2 => {
                log::switched_off(exchange.id(), &key.app);
                return plain(StatusCode::NOT_FOUND);
            }
            None => {
                let entering = self.viewers.visit_or_enter(&origin.view, session, &key, addr, || {
                    let overrides = IdentityOverrides {
                        flash_ver: live.flashver.as_ref(),
                        swf_url: live.swf_url.as_ref(),
                        tc_url: live.tc_url.as_ref(),
                        page_url: live.page_url.as_ref(),
                    };
                    origin.session(exchange, self.sessions.next_session_id(), Protocol::Hls2, &overrides)
                });
                let Some(visit) = entering else { return plain(StatusCode::SERVICE_UNAVAILABLE) };
                visit
            }
        };
        if !visit.allows(exchange.query()) {
            return plain(StatusCode::FORBIDDEN);
        }
        let conf = visit.conf().clone();
        let base_url = conf.base_url.0.to_str_lossy();
        let made = visit.playlist(name, &base_url);
        // A request for a stream that does not appear is not kept forever; PingOS never answers it.
        match tokio::time::timeout(Duration::from_millis(conf.timeout_ms()), made).await {
            Ok(Ok(text)) => {
                visit.sent(text.len());
                ok(exchange, PLAYLIST_TYPE, full(text.into()))
            }
            Ok(Err(denied)) => plain(status(denied)),
            Err(_) => plain(StatusCode::NOT_FOUND),
        }
    }

    async fn send_fragment(
        &self,
        exchange: &Exchange<'_>,
        origin: &RequestedStream,
        session: &SessionId,
        id: u64,
    ) -> Response<Body> {
        let Some(visit) = self.viewers.visit(&origin.key(), session, exchange.peer().ip) else {
            return plain(StatusCode::NOT_FOUND);
        };
        let fragments = match visit.admitted().await {
            Ok(fragments) => fragments,
            Err(denied) => return plain(status(denied)),
        };
        match fragments.fragment(id) {
            Some(fragment) => ok(exchange, FRAGMENT_TYPE, FragmentBody::new(&fragment, visit).boxed_unsync()),
            None => plain(StatusCode::NOT_FOUND),
        }
    }
}

fn status(denied: ViewerRefusal) -> StatusCode {
    match denied {
        ViewerRefusal::Forbidden => StatusCode::FORBIDDEN,
        ViewerRefusal::NoStream => StatusCode::NOT_FOUND,
        ViewerRefusal::Over => StatusCode::GONE,
    }
}

fn ok(exchange: &Exchange<'_>, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    cors::add(exchange, response.headers_mut());
    response
}

/// Body with the pieces of a fragment, without copying.
struct FragmentBody {
    left: VecDeque<Bytes>,
    len: u64,
    /// Keeps the viewer during the response.
    visit: ViewerRequest,
}

impl FragmentBody {
    fn new(fragment: &Arc<Fragment>, visit: ViewerRequest) -> Self {
        FragmentBody { left: fragment.chunks.iter().cloned().collect(), len: fragment.len as u64, visit }
    }
}

impl HttpBody for FragmentBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let next = self.left.pop_front().map(|chunk| {
            self.len -= chunk.len() as u64;
            self.visit.sent(chunk.len());
            Ok(Frame::data(chunk))
        });
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len)
    }
}
