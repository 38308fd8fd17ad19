//! `flv_live`: a stream as an endless FLV file.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bstr::ByteSlice;
use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, REFERER};
use http::{HeaderMap, Response, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};
use tokio::sync::watch;

use super::{Body, Exchange, host_of, is_head, plain, speaks_chunks};
use crate::hub::packet::{Container, http_chunk};
use crate::hub::stream::Phase;
use crate::module::flv::conf::FlvLive;
use crate::server::admission::{Entered, Refused};
use crate::server::context::Worker;
use crate::server::delivery::{Gone, Join};
use crate::server::event;
use crate::server::rtmp::play::player_settings;
use crate::server::session::{Identity, Moments, Protocol, Reason, Role, Session, mark};
use crate::server::socket::Socket;
use crate::server::variables::query_argument;
use crate::server::view::AppView;
use crate::wire::flv;

/// What the original tells callbacks of an HTTP player: every audio codec of RTMP 1.0 §7.2.1.1 ...
const AUDIO_CODECS: u32 = 3575;
/// ... and every video codec.
const VIDEO_CODECS: u32 = 252;

/// Headers the original gives every live response, for players in a browser.
const CORS: [(&str, &str); 5] = [
    ("access-control-allow-origin", "*"),
    ("access-control-allow-credentials", "true"),
    ("access-control-allow-methods", "*"),
    ("access-control-allow-headers", "Content-Type,Access-Token"),
    ("access-control-expose-headers", "*"),
];

/// Answers with a live stream, as soon as its first media is there.
pub(super) async fn answer(exchange: &Exchange<'_>, flv: &FlvLive) -> Response<Body> {
    let Some(wanted) = Wanted::of(exchange, flv) else { return plain(StatusCode::BAD_REQUEST) };
    let context = &exchange.connection.context;
    let host = host_of(exchange.request);
    let Some(view) = AppView::choose(&context.store, &flv.addr, &host, &wanted.app) else {
        event::unknown_application(exchange.connection.id, &wanted.app, &host);
        return plain(StatusCode::NOT_FOUND);
    };
    let session = Arc::new(session(exchange, &view, wanted, host));
    event::stream_requested(&session);
    let mut entered = Entered::enter(context, &view, &session);
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
        return head(exchange, chunked, super::full(Bytes::new()));
    }
    let mut phase = entered.stream().watch();
    if let Err(reason) = first_media(&session, &mut phase, view.held().live.idle_streams).await {
        session.set_reason(reason);
        event::no_stream(&session);
        return plain(StatusCode::NOT_FOUND);
    }
    let container = if chunked { Container::FlvChunked } else { Container::Flv };
    let player = Player { view, entered, phase, container, audio: flv.audio, video: flv.video };
    exchange.connection.takeover.arm(player);
    head(exchange, chunked, Silent.boxed_unsync())
}

/// What a request names.
struct Wanted {
    app: Bytes,
    name: Bytes,
}

impl Wanted {
    /// The last path element without what follows `.flv` is the name; `?app=` wins over `app=` of the location,
    /// that over the path elements before the name. `None`: no name.
    fn of(exchange: &Exchange<'_>, flv: &FlvLive) -> Option<Self> {
        let path = exchange.path;
        let (before, name) = path.rsplit_once_str("/")?;
        let name = &name[..name.find(".flv").unwrap_or(name.len())];
        let bare = exchange
            .location
            .name
            .prefix()
            .is_some_and(|p| path.trim_end_with(|c| c == '/') == p.trim_end_with(|c| c == '/'));
        if name.is_empty() || bare {
            return None;
        }
        let asked = query_argument(exchange.query(), b"app");
        let app = match (&flv.app, asked) {
            (_, asked) if !asked.is_empty() => asked,
            (Some(app), _) => app.as_slice(),
            (None, _) => before.trim_start_with(|c| c == '/'),
        };
        Some(Wanted { app: Bytes::copy_from_slice(app), name: Bytes::copy_from_slice(name) })
    }
}

fn session(exchange: &Exchange<'_>, view: &AppView, wanted: Wanted, host: Bytes) -> Session {
    let connection = exchange.connection;
    let query = exchange.query();
    let tc_url = Bytes::from([b"http://", &host[..], b"/", &wanted.app[..]].concat());
    let identity = Identity {
        domain: host,
        app: wanted.app,
        name: wanted.name,
        args: Bytes::new(),
        pargs: Bytes::copy_from_slice(query),
        tc_url,
        page_url: Bytes::copy_from_slice(exchange.header(REFERER)),
        swf_url: Bytes::new(),
        flash_ver: Bytes::copy_from_slice(query_argument(query, b"flashver")),
        audio_codecs: AUDIO_CODECS,
        video_codecs: VIDEO_CODECS,
        serverid: Bytes::copy_from_slice(&view.server().serverid),
        scheme: "http",
    };
    let moments = Moments::default();
    mark(&moments.ptime);
    Session::new(
        connection.id,
        connection.peer.clone(),
        Protocol::HttpFlv,
        Role::Player,
        identity,
        connection.started,
        moments,
    )
}

/// Waits for media, as the original: nothing is answered before.
async fn first_media(
    session: &Session,
    phase: &mut watch::Receiver<Phase>,
    idle: bool,
) -> Result<(), Reason> {
    let flowing = phase.wait_for(|p| p.flowing || (!idle && !p.publishing));
    let seen = tokio::select! {
        seen = flowing => *seen.map_err(|_| Reason::StreamEnd)?,
        reason = session.closed() => return Err(reason),
    };
    if seen.flowing { Ok(()) } else { Err(Reason::StreamEnd) }
}

fn head(exchange: &Exchange<'_>, chunked: bool, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    if !chunked {
        // hyper ends a response without length and chunks by closing only for HTTP/1.0.
        *response.version_mut() = Version::HTTP_10;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("video/x-flv"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    add_cors(exchange, headers);
    response
}

/// Adds the headers that `add_header` does not set itself: browsers refuse a second value.
fn add_cors(exchange: &Exchange<'_>, headers: &mut HeaderMap) {
    for (name, value) in CORS {
        let own = &exchange.location.conf.add_header;
        if !own.iter().any(|header| header.name.eq_ignore_ascii_case(name.as_bytes())) {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
    }
}

/// The body hyper believes in: it never says anything, since the media does not pass through hyper.
struct Silent;

impl HttpBody for Silent {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Poll::Pending
    }
}

/// A player whose response head is out.
pub struct Player {
    view: AppView,
    entered: Box<Entered>,
    phase: watch::Receiver<Phase>,
    container: Container,
    audio: bool,
    video: bool,
}

impl Player {
    /// Lets the delivery loop send until one side ends it. As the original, the end is that of the connection: a
    /// chunked body gets no last chunk, so that a player can tell a stream that broke off from a whole file.
    pub async fn run(mut self: Box<Self>, worker: &Worker, socket: Arc<Socket>) {
        let session = self.entered.session().clone();
        let context = self.entered.context().clone();
        socket.set_nodelay(self.view.held().rtmp.tcp_nodelay);
        mark(&session.moments.first_data);
        worker.delivery.join(Join {
            session: session.id,
            stream: self.entered.stream().clone(),
            socket: socket.clone(),
            settings: player_settings(&self.view, self.container, 0),
            lead: self.lead(),
            link: session.link.clone(),
            send_timeout: self.view.server().held.timeout.duration(),
        });
        event::playing(&session);
        let idle = self.view.held().live.idle_streams;
        let mut shutdown = context.shutdown.subscribe();
        let reason = tokio::select! {
            () = hung_up(&socket) => Reason::NormalClose,
            reason = session.closed() => reason,
            () = session.link.ended() => match session.link.gone() {
                Some(Gone::WriteError) | None => Reason::FlvSendErr,
                Some(Gone::SendTimeout | Gone::Stalled) => Reason::FlvSendTimeout,
            },
            _ = self.phase.wait_for(|p| !idle && !p.publishing) => Reason::StreamEnd,
            _ = shutdown.wait_for(|stop| *stop) => Reason::ProcessExit,
        };
        session.set_reason(reason);
        worker.delivery.leave(self.entered.stream().id(), session.id);
        event::played(&session, session.link.dropped_total.load(std::sync::atomic::Ordering::Relaxed));
    }

    /// The file header, as the first bytes of the body.
    fn lead(&self) -> Bytes {
        let mut file = BytesMut::new();
        flv::write_header(&mut file, self.audio, self.video);
        if self.container != Container::FlvChunked {
            return file.freeze();
        }
        http_chunk(&file)
    }
}

/// Waits until the peer closes. What it still sends is of no interest.
async fn hung_up(socket: &Socket) {
    let mut ignored = [0; 512];
    while socket.readable().await.is_ok() {
        match socket.try_read(&mut ignored) {
            Ok(0) => return,
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
