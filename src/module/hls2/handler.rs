//! `hls2_live`: playlists and fragments of HLS from memory.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bstr::ByteSlice;
use bytes::Bytes;
use http::StatusCode;
use http::header::HOST;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;

use super::answer::status;
use super::conf::{Conf, Current};
use super::live::Hls2Live;
use super::{
    Fragment, FragmentPiece, Fragments, HlsRequest, MasterRequest, SampleFeeds, SessionId, ViewerAnswer,
    ViewerQuestion, ViewerRequest, Viewers, log,
};
use crate::http::cors;
use crate::http::exchange::Exchange;
use crate::http::exchange::{Handler, Methods, ResponseFuture};
use crate::http::origin::{PathParts, RequestedStream};
use crate::http::response::{Body, BodySource, Piece, Response};
use crate::http::routes::Location;
use crate::hub::registry::StreamRegistry;
use crate::limits;
use crate::media::counterpart::Counterpart;
use crate::media::counterpart::message::{CounterpartRequest, VIEWER_KNOWN};
use crate::media::mpegts::Feeds;
use crate::media::segments::Presentation;
use crate::media::session::{Protocol, Sessions};
use crate::media::variables::query_argument;
use crate::task::clock::since_1970;

const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";
const MPEGTS_TYPE: &str = "video/mp2t";
const MP4_TYPE: &str = "video/mp4";

/// Handler of `hls2_live`.
pub struct Hls2Handler {
    /// Its players.
    pub viewers: Arc<Viewers>,
    /// All streams.
    pub registry: Arc<StreamRegistry>,
    /// Streams as MPEG-TS.
    pub feeds: Arc<Feeds>,
    /// Streams as fragmented MP4.
    pub samples: Arc<SampleFeeds>,
    /// All sessions.
    pub sessions: Arc<Sessions>,
    /// The other process of an upgrade.
    pub counterpart: Arc<Counterpart>,
}

impl Handler for Hls2Handler {
    fn applies_to(&self, location: &Location) -> bool {
        location.handler == Some("hls2_live")
    }

    fn methods(&self) -> Methods {
        Methods::Stream
    }

    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<ResponseFuture<'a>> {
        let live = exchange.chosen_by::<Current>().hls2_live.0.as_ref()?;
        Some(Box::pin(async move {
            // Players in browsers read the status of an error only with these, such as of a part that will not come.
            let mut response = self.respond(exchange, live).await;
            cors::add(exchange, &mut response.headers);
            response
        }))
    }
}

impl Hls2Handler {
    async fn respond(&self, exchange: &Exchange<'_>, live: &Hls2Live) -> Response {
        let Some(place) = PathParts::of(exchange) else { return Response::page(StatusCode::BAD_REQUEST) };
        let nested = nested(exchange, live, &place);
        let place = nested.as_ref().map_or(&place, |(above, _)| above);
        let target = nested.as_ref().map(|(_, target)| *target).or_else(|| HlsRequest::parse(place.last));
        let Some(target) = target else {
            return Response::page(StatusCode::NOT_FOUND);
        };
        let session = query_argument(exchange.query(), b"session");
        let (name, fragment) = match target {
            HlsRequest::Playlist { name } => (name, None),
            HlsRequest::Fragment { name, id, piece } => (name, Some((id, piece))),
        };
        if session.is_empty() && fragment.is_none() {
            let origin = RequestedStream::choose(exchange, &live.addr, live.app.as_ref(), place, name);
            if let Some(origin) = &origin {
                let (id, overrides) = (exchange.session_id(), live.overrides());
                let session = origin.session(exchange, id, Protocol::Hls2, &overrides);
                if self.viewers.refuses(&origin.view, &session) {
                    return Response::page(StatusCode::FORBIDDEN);
                }
            }
            let known = origin.and_then(|origin| self.presentation(&origin));
            return Response::ok(PLAYLIST_TYPE, self.master(exchange, known.as_ref()));
        }
        let Some(session) = SessionId::parse(session) else { return Response::page(StatusCode::NOT_FOUND) };
        // The address of a fragment has the session but, as in PingOS, no application.
        let known = fragment.and_then(|_| self.viewers.stream_of(&session, name));
        let origin = match known {
            Some(_) => None,
            None => RequestedStream::choose(exchange, &live.addr, live.app.as_ref(), place, name),
        };
        let Some(key) = known.or_else(|| origin.as_ref().map(RequestedStream::key)) else {
            return Response::page(StatusCode::NOT_FOUND);
        };
        let question = ViewerQuestion {
            stream: &key,
            session: &session,
            addr: exchange.peer().ip,
            query: exchange.query(),
            fragment,
        };
        if let Some(answer) = self.viewers.answer_known(&question).await {
            return respond(&question, answer);
        }
        if let Some(response) = self.answer_there(&question).await {
            return response;
        }
        let Some(origin) = origin.filter(|_| fragment.is_none()) else {
            return Response::page(StatusCode::NOT_FOUND);
        };
        if !origin.view.held().get::<Conf>().hls2 {
            log::switched_off(exchange.id(), &key.app);
            return Response::page(StatusCode::NOT_FOUND);
        }
        let entering =
            self.viewers.visit_or_enter(&origin.view, session.clone(), &key, question.addr, || {
                let overrides = live.overrides();
                origin.session(exchange, self.sessions.next_session_id(), Protocol::Hls2, &overrides)
            });
        match entering {
            Ok(visit) => respond(&question, ViewerAnswer::to(visit, &question).await),
            Err(refusal) => Response::page(status(refusal)),
        }
    }

    /// The response to a viewer that the other process of an upgrade knows. It goes on as it began there.
    async fn answer_there(&self, question: &ViewerQuestion<'_>) -> Option<Response> {
        let request = CounterpartRequest::Viewer {
            stream: question.stream.into(),
            session: question.session.as_str().to_owned(),
            addr: question.addr,
            query: question.query.into(),
            fragment: question.fragment.map(|(id, _)| id),
            end: question.fragment.map(|(_, piece)| piece.end()).unwrap_or_default(),
        };
        let socket = self.counterpart.ask(&request).await.ok()?;
        let mut reader = BufReader::new(socket);
        let mut known = [0; VIEWER_KNOWN.len()];
        let is_known =
            tokio::time::timeout(limits::COUNTERPART_PATIENCE, reader.read_exact(&mut known)).await;
        if !matches!(is_known, Ok(Ok(_))) || known != VIEWER_KNOWN {
            return None;
        }
        let answer = tokio::time::timeout(limits::CONTROL_PATIENCE, read_answer(&mut reader)).await;
        Some(match answer {
            Ok(Some((StatusCode::OK, body))) => Response::ok(content_type(question), body),
            Ok(Some((status, _))) => Response::page(status),
            // The viewer is not entered here: it is the other process's.
            Ok(None) | Err(_) => Response::page(StatusCode::BAD_GATEWAY),
        })
    }

    /// Master playlist with a new session. The stream need not exist, and no callback is sent yet: what callbacks refuse shows
    /// at the media playlist, what bans and access rules refuse before.
    fn master(&self, exchange: &Exchange<'_>, known: Option<&Presentation>) -> String {
        let id = self.viewers.issue(since_1970().as_secs(), exchange.id());
        let request = MasterRequest {
            scheme: exchange.scheme(),
            host: &exchange.header(HOST).to_str_lossy(),
            path: &exchange.request.raw_path().to_str_lossy(),
            query: &exchange.request.raw_query().unwrap_or_default().to_str_lossy(),
        };
        request.playlist(&id, known)
    }

    /// Attributes of the stream, if it exists and has fragments.
    fn presentation(&self, origin: &RequestedStream) -> Option<Presentation> {
        let stream = self.registry.find(&origin.key())?;
        let fragments = if origin.view.held().get::<Conf>().is_fmp4() {
            self.samples.find(&stream)?
        } else {
            self.feeds.find(&stream)?.find_companion::<Fragments>()?
        };
        fragments.presentation(&stream.info())
    }
}

/// What is asked for in a directory with the name of a stream, if the application serves such (`hls2_nested`).
fn nested<'a>(
    exchange: &Exchange<'_>,
    live: &Hls2Live,
    place: &PathParts<'a>,
) -> Option<(PathParts<'a>, HlsRequest<'a>)> {
    let above = place.above(exchange)?;
    let target = HlsRequest::parse_nested(above.last, place.last)?;
    let origin = RequestedStream::find(exchange, &live.addr, live.app.as_ref(), &above, above.last)?;
    origin.view.held().get::<Conf>().nested.then_some((above, target))
}

/// Reads status, length and body; `None` if the answer is not complete.
async fn read_answer(reader: &mut BufReader<UnixStream>) -> Option<(StatusCode, Bytes)> {
    let mut head = String::new();
    reader.read_line(&mut head).await.ok()?;
    let (status, length) = head.trim_end().split_once(' ')?;
    let length: u64 = length.parse().ok().filter(|length| *length <= limits::CONTROL_ANSWER)?;
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body).await.ok()?;
    let is_whole = body.len() as u64 == length;
    is_whole.then_some((StatusCode::from_bytes(status.as_bytes()).ok()?, body.into()))
}

fn content_type(question: &ViewerQuestion<'_>) -> &'static str {
    match question.fragment {
        None => PLAYLIST_TYPE,
        Some((_, FragmentPiece::Ts)) => MPEGTS_TYPE,
        Some(_) => MP4_TYPE,
    }
}

fn respond(question: &ViewerQuestion<'_>, answer: ViewerAnswer) -> Response {
    match answer {
        ViewerAnswer::Playlist(text) => Response::ok(PLAYLIST_TYPE, text),
        ViewerAnswer::Fragment(fragment, visit) => {
            Response::ok(content_type(question), Body::Source(Box::new(FragmentBody::new(&fragment, visit))))
        }
        ViewerAnswer::Piece(bytes) => Response::ok(content_type(question), bytes),
        ViewerAnswer::Refused(status) => Response::page(status),
    }
}

/// Body with the chunks of a fragment, without copying.
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

impl BodySource for FragmentBody {
    fn poll_piece(&mut self, _: &mut TaskContext<'_>) -> Poll<Option<io::Result<Piece>>> {
        let next = self.left.pop_front().map(|chunk| {
            self.visit.sent(chunk.len());
            Ok(Piece::Memory(chunk))
        });
        Poll::Ready(next)
    }

    fn length(&self) -> Option<u64> {
        Some(self.len)
    }
}
