//! HTTP connections: hyper reads requests and writes answers; the media of a live response goes out through the
//! worker's delivery loop.

mod arrival;
mod condition;
pub mod conf;
mod control;
pub mod core;
mod cors;
pub mod directory;
mod expires;
mod files;
pub mod handler;
mod head;
pub mod header;
mod heads;
mod hls2;
mod io;
pub mod listen;
mod live;
pub mod location;
pub mod log;
mod method;
mod origin;
mod player;
mod precondition;
pub mod response;
pub mod server_conf;
mod stat;
pub mod types;
pub mod variable;
mod variables;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use bstr::{BStr, ByteSlice};
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERER, SERVER,
};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use parking_lot::Mutex;

use self::condition::{ConditionOutcome, RequestNotes};
use self::conf::{Conf, ServerTokens};
use self::files::{INDEX, IsIndex};
use self::header::AddHeader;
use self::heads::HeadTracker;
use self::io::{HttpIo, LiveTakeover};
use self::response::Return;
use self::types::ContentTypes;
use self::variables::RequestVariables;
use crate::config::history::SharedHistory;
use crate::config::model::{Handler, HttpServer, Location};
use crate::config::on_disk::ConfFiles;
use crate::config::store::Store;
use crate::directive::{ListenAddr, Undecided};
use crate::hub::registry::StreamRegistry;
use crate::limits;
use crate::media::admission::Admission;
use crate::media::mpegts::Feeds;
use crate::media::session::Sessions;
use crate::media::workers::Worker;
use crate::module::hls2::Viewers;
use crate::module::record::recordings::Recordings;
use crate::net::socket::{Peer, Socket};
use crate::task::lifetime::Lifetime;

/// The status of `return` that ends the connection without an answer.
const CLOSES: u16 = 444;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// What all HTTP connections use.
pub struct HttpService {
    /// The configuration in force.
    pub store: Arc<Store>,
    /// All streams.
    pub registry: Arc<StreamRegistry>,
    /// All sessions.
    pub sessions: Arc<Sessions>,
    /// Lets sessions in.
    pub admission: Arc<Admission>,
    /// Streams as MPEG-TS.
    pub feeds: Arc<Feeds>,
    /// Players of HLS from memory.
    pub viewers: Arc<Viewers>,
    /// Publishes that can be recorded.
    pub recordings: Arc<Recordings>,
    /// The files of the configuration.
    pub conf_files: Arc<ConfFiles>,
    /// What has become of configurations.
    pub history: Arc<SharedHistory>,
    /// The end of the process.
    pub lifetime: Lifetime,
    /// When the process started.
    pub started: Instant,
}

/// What all requests of a connection share.
struct HttpConnection {
    service: Arc<HttpService>,
    listen: ListenAddr,
    id: u64,
    peer: Peer,
    /// `http` or `https`.
    scheme: &'static str,
    started: Instant,
    socket: Arc<Socket>,
    takeover: Arc<LiveTakeover>,
    heads: Arc<HeadTracker>,
    usage: Mutex<ConnectionUsage>,
}

/// How a connection has been used.
struct ConnectionUsage {
    requests: u64,
    /// A request is being answered.
    in_flight: bool,
    /// Since when that is so, or not.
    since: Instant,
    /// How long it may be idle.
    idle: Duration,
    nodelay: bool,
}

impl HttpConnection {
    /// A request begins. Returns its number on the connection, from 1.
    fn begin(&self) -> u64 {
        let mut used = self.usage.lock();
        used.requests += 1;
        (used.in_flight, used.since) = (true, Instant::now());
        used.requests
    }

    /// What the location of a request says of its connection, from now on.
    fn adopt(&self, conf: &Conf) {
        self.takeover.set_send_timeout(conf.send_timeout);
        let mut used = self.usage.lock();
        used.idle = conf.keepalive_timeout.timeout.duration();
        if std::mem::replace(&mut used.nodelay, conf.tcp_nodelay) != conf.tcp_nodelay {
            self.socket.set_nodelay(conf.tcp_nodelay);
        }
    }

    fn end(&self) {
        let mut used = self.usage.lock();
        used.in_flight = false;
        used.since = Instant::now();
    }

    /// Whether a request has come. Somebody who was accepted just before the server drains still has an answer to get.
    fn is_used(&self) -> bool {
        self.usage.lock().requests > 0
    }

    /// When to look again whether the connection is idle for too long; `None`: it is.
    fn idle_until(&self) -> Option<Instant> {
        let used = self.usage.lock();
        let now = Instant::now();
        // A request takes as long as it takes; at its end the time begins anew. Without keep-alive the answer ends the
        // connection.
        if used.in_flight || used.idle.is_zero() {
            return Some(now + limits::HTTP_IDLE_LOOK);
        }
        let since = self.takeover.written().map_or(used.since, |written| written.max(used.since));
        let due = since.checked_add(used.idle).unwrap_or(now + limits::HTTP_IDLE_LOOK);
        (due > now).then_some(due)
    }
}

/// `return 444`: the connection ends without an answer.
#[derive(Debug)]
struct ConnectionClosed;

impl std::fmt::Display for ConnectionClosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed by \"return 444\"")
    }
}

impl std::error::Error for ConnectionClosed {}

/// A request on its way to a handler.
struct Exchange<'a> {
    connection: &'a HttpConnection,
    request: &'a Request<Incoming>,
    /// The request target as it was sent, without scheme and host.
    target: &'a BStr,
    server: &'a HttpServer,
    location: &'a Location,
    /// Percent-decoded, without `//`, `.` and `..`.
    path: &'a [u8],
    /// Whether the server itself has come to this path, so that `internal` locations are open.
    is_internal: bool,
    /// What `set` and regular expressions have noted.
    assigned: RequestNotes,
}

/// Serves one accepted connection to its end.
pub async fn serve(service: Arc<HttpService>, worker: Worker, listen: ListenAddr, socket: Socket) {
    let Ok(peer) = socket.peer() else { return };
    // Servers of this very address may share the wildcard's socket.
    let listen = socket.local(listen);
    let scheme = if socket.is_tls() { "https" } else { "http" };
    let socket = Arc::new(socket);
    let takeover = Arc::new(LiveTakeover::default());
    let heads = Arc::new(HeadTracker::default());
    let id = service.sessions.next_id();
    let connection = Arc::new(HttpConnection {
        service: service.clone(),
        listen: listen.clone(),
        id,
        peer,
        scheme,
        started: Instant::now(),
        socket: socket.clone(),
        takeover: takeover.clone(),
        heads: heads.clone(),
        usage: Mutex::new(ConnectionUsage {
            requests: 0,
            in_flight: false,
            since: Instant::now(),
            idle: Duration::ZERO,
            nodelay: false,
        }),
    });
    let outcome = {
        let config = service.store.load();
        let Some(servers) = config.http.as_ref().and_then(|h| h.servers_at(&listen)) else { return };
        // What holds before a request has chosen its server is that of the default server, as in nginx.
        let server = servers.default_server();
        connection.adopt(&server.fallback.conf);
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder
            .timer(hyper_util::rt::TokioTimer::new())
            .max_buf_size(limits::HTTP_HEAD_BYTES)
            .max_headers(limits::HTTP_HEADERS);
        if let Some(timeout) = server.held.client_header_timeout.nonzero() {
            builder.header_read_timeout(timeout);
        }
        // Whatever is kept of it here would live as long as the connection.
        drop(config);
        let served = connection.clone();
        let answers = service_fn(move |request| {
            let connection = connection.clone();
            async move { answer(&connection, request).await }
        });
        let io = HttpIo::new(socket.clone(), takeover.clone(), heads);
        let mut http = pin!(builder.serve_connection(io, answers));
        let mut stop = pin!(service.lifetime.shutdown.cancelled());
        let mut drain = pin!(service.lifetime.draining.cancelled());
        let (mut draining, mut drained) = (false, false);
        let mut timer = pin!(tokio::time::sleep(limits::HTTP_IDLE_LOOK));
        poll_fn(|cx| {
            let polled = http.as_mut().poll(cx);
            if polled.is_ready() || takeover.is_flushed() || stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(match polled {
                    Poll::Ready(outcome) => outcome,
                    Poll::Pending => Ok(()),
                });
            }
            draining = draining || drain.as_mut().poll(cx).is_ready();
            if draining && !drained && served.is_used() {
                drained = true;
                http.as_mut().graceful_shutdown();
                cx.waker().wake_by_ref();
            }
            loop {
                // A request may have brought another, shorter time.
                let Some(due) = served.idle_until() else { return Poll::Ready(Ok(())) };
                if timer.is_elapsed() || timer.deadline().into_std() > due {
                    timer.as_mut().reset(due.into());
                }
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    };
    if let Err(error) = outcome {
        log::error(id, &error);
    }
    // hyper and its buffers are gone; what is left of a playing connection is this task.
    if let Some(player) = takeover.take() {
        player.run(&worker, socket, &service.lifetime.shutdown).await;
    }
}

/// Finds the location and lets its handler answer.
async fn answer(
    connection: &HttpConnection,
    request: Request<Incoming>,
) -> Result<Response<Body>, ConnectionClosed> {
    let number = connection.begin();
    let facts = connection.heads.next().ok_or(head::UNTOLD);
    let answered = match facts.and_then(|facts| head::check(&request, &facts).map(|()| facts.target)) {
        Err((status, why)) => {
            log::refused(connection.id, status.as_u16(), why, &connection.peer);
            Some(head::refused(status))
        }
        Ok(target) => locate_and_answer(connection, &request, target.as_bstr(), number).await,
    };
    connection.end();
    let mut response = answered.ok_or(ConnectionClosed)?;
    if !response.headers().contains_key(SERVER) {
        response.headers_mut().insert(SERVER, HeaderValue::from_static("pingosd"));
    }
    Ok(response)
}

/// `None`: the connection ends without an answer.
async fn locate_and_answer(
    connection: &HttpConnection,
    request: &Request<Incoming>,
    target: &BStr,
    number: u64,
) -> Option<Response<Body>> {
    let config = connection.service.store.load();
    let Some(servers) = config.http.as_ref().and_then(|h| h.servers_at(&connection.listen)) else {
        return Some(plain(StatusCode::NOT_FOUND));
    };
    let Ok((server, named)) = servers.search(&host_of(request)) else {
        log::undecided(connection.id, "the host", &connection.peer);
        return Some(head::refused(StatusCode::INTERNAL_SERVER_ERROR));
    };
    let server = server.clone();
    drop(config);
    let Some(path) = files::normalize(request.uri().path().as_bytes()) else {
        return Some(plain(StatusCode::BAD_REQUEST));
    };
    let mut exchange = Exchange {
        connection,
        request,
        target,
        server: &server,
        location: &server.fallback,
        path: &path,
        is_internal: false,
        assigned: RequestNotes::default(),
    };
    if let Some(found) = named {
        exchange.assigned.matched(found);
    }
    let mut response = exchange.pass().await?;
    let index;
    if response.extensions().get::<IsIndex>().is_some() {
        // As in nginx, what guards the file itself is met as well.
        index = [&path[..], INDEX.as_bytes()].concat();
        let assigned = std::mem::take(&mut exchange.assigned);
        exchange =
            Exchange { location: &server.fallback, path: &index, is_internal: true, assigned, ..exchange };
        response = exchange.pass().await?;
    }
    connection.adopt(&exchange.location.conf);
    exchange.add_headers(response.status(), response.headers_mut());
    let keepalive = &exchange.location.conf;
    if number >= keepalive.keepalive_requests || keepalive.keepalive_timeout.timeout.0 == 0 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Some(response)
}

impl Exchange<'_> {
    /// nginx's phases: the server's statements, the location, its statements, access, the handler.
    async fn pass(&mut self) -> Option<Response<Body>> {
        if let Some(end) = self.follow(&self.server.steps) {
            match end {
                ConditionOutcome::Return(answer) => return self.fixed(answer),
                ConditionOutcome::Refuse(status) => return Some(plain(status)),
                ConditionOutcome::Break => {}
            }
        }
        let assigned = &mut self.assigned;
        let Ok(location) = self.server.find_location(self.path, &mut |found| assigned.matched(found)) else {
            log::undecided(self.connection.id, "the path", &self.connection.peer);
            return Some(plain(StatusCode::INTERNAL_SERVER_ERROR));
        };
        self.location = location;
        self.connection.adopt(&self.location.conf);
        if let Some(status) = self.misfit() {
            return Some(plain(status));
        }
        let method = self.request.method().as_str().as_bytes();
        match &self.location.limited {
            Some((methods, limited)) if !methods.iter().any(|known| known == method) => {
                self.location = limited;
            }
            _ => match self.follow(&self.location.steps) {
                Some(ConditionOutcome::Return(answer)) => return self.fixed(answer),
                Some(ConditionOutcome::Refuse(status)) => return Some(plain(status)),
                Some(ConditionOutcome::Break) | None => {}
            },
        }
        if self.is_denied() {
            return Some(plain(StatusCode::FORBIDDEN));
        }
        self.dispatch().await
    }

    /// What a location does not take at all: `internal`, `client_max_body_size`.
    fn misfit(&self) -> Option<StatusCode> {
        let conf = &self.location.conf;
        if conf.internal.is_some() && !self.is_internal {
            return Some(StatusCode::NOT_FOUND);
        }
        let length = self.header(CONTENT_LENGTH).to_str().ok().and_then(|text| text.parse::<u64>().ok());
        let limit = conf.client_max_body_size.0;
        (limit > 0 && length.is_some_and(|length| length > limit)).then_some(StatusCode::PAYLOAD_TOO_LARGE)
    }

    /// `allow` and `deny`.
    fn is_denied(&self) -> bool {
        let mut rules = self.location.conf.access.iter();
        let rule = rules.find(|rule| rule.network.contains(self.connection.peer.ip));
        let denied = rule.is_some_and(|rule| !rule.allow);
        if denied {
            log::access_denied(self.connection.id, &self.connection.peer);
        }
        denied
    }

    async fn dispatch(&self) -> Option<Response<Body>> {
        if let Some(answer) = method::answer(self) {
            return Some(answer);
        }
        Some(match &self.location.handler {
            Handler::FlvLive(flv) => live::answer(self, flv.into()).await,
            Handler::TsLive(ts) => live::answer(self, ts.into()).await,
            Handler::Hls2Live(hls2) => hls2::answer(self, hls2).await,
            Handler::RtmpStat(parts, stylesheet) => stat::answer(self, *parts, stylesheet).await,
            Handler::RtmpControl(parts) => control::answer(self, *parts),
            Handler::Static(place) => files::answer(self, place).await,
            Handler::SysStat | Handler::Unsupported(_) => plain(StatusCode::SERVICE_UNAVAILABLE),
        })
    }

    /// `return`; `None`: the connection ends without an answer.
    fn fixed(&self, fixed: &Return) -> Option<Response<Body>> {
        let mut text = Vec::new();
        if let Some(template) = &fixed.text {
            template.expand(&RequestVariables::new(self), &mut text);
        }
        if fixed.status == CLOSES {
            return None;
        }
        let status = StatusCode::from_u16(fixed.status).unwrap_or(StatusCode::BAD_REQUEST);
        if fixed.is_redirect() {
            let mut response = plain(status);
            // A header value with control bytes in it is no header value; the redirect then has no target.
            if let Ok(value) = HeaderValue::from_bytes(&self.absolute(&text)) {
                response.headers_mut().insert(LOCATION, value);
            }
            return Some(response);
        }
        // Only what is told of as a failure has a page of its own.
        if fixed.text.is_none() && !status.is_success() {
            return Some(plain(status));
        }
        let mut response = Response::new(full(Bytes::from(text)));
        *response.status_mut() = status;
        if status != StatusCode::NO_CONTENT {
            self.set_type(response.headers_mut(), self.path);
        }
        Some(response)
    }

    /// A path becomes an absolute URL, as nginx's `absolute_redirect on` does.
    fn absolute(&self, target: &[u8]) -> Vec<u8> {
        if !target.starts_with(b"/") {
            return target.to_vec();
        }
        let authority = match self.request.headers().get(http::header::HOST) {
            Some(host) => host.as_bytes().to_vec(),
            None => self.connection.peer.local_addr.clone().into_bytes(),
        };
        [self.connection.scheme.as_bytes(), b"://", &authority[..], target].concat()
    }

    fn set_type(&self, headers: &mut HeaderMap, path: &[u8]) {
        if let Ok(value) = HeaderValue::from_bytes(content_type(&self.location.conf, path)) {
            headers.insert(CONTENT_TYPE, value);
        }
    }

    /// `expires` and `add_header`, on the statuses that nginx adds them to.
    fn add_headers(&self, status: StatusCode, headers: &mut HeaderMap) {
        expires::add(self, status, headers);
        for AddHeader { name, value, .. } in
            self.location.conf.add_header.iter().filter(|header| header.applies_to(status.as_u16()))
        {
            let mut text = Vec::new();
            value.expand(&RequestVariables::new(self), &mut text);
            if text.is_empty() {
                continue;
            }
            let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(&text)) else {
                continue;
            };
            headers.append(name, value);
        }
        let server = match self.location.conf.server_tokens {
            ServerTokens::Off => "pingosd",
            ServerTokens::On | ServerTokens::Build => crate::VERSION,
        };
        headers.entry(SERVER).or_insert(HeaderValue::from_static(server));
    }

    /// `valid_referers`.
    fn is_referer_invalid(&self) -> Result<bool, Undecided> {
        let referer = self.request.headers().get(REFERER).map(HeaderValue::as_bytes);
        Ok(!self.location.referers.permit(referer)?)
    }

    /// Query string, without the question mark.
    fn query(&self) -> &[u8] {
        match self.assigned.query() {
            Some(args) => args,
            None => self.request.uri().query().unwrap_or("").as_bytes(),
        }
    }

    /// A request header; empty if it is missing.
    fn header(&self, name: HeaderName) -> &[u8] {
        self.request.headers().get(name).map_or(b"", HeaderValue::as_bytes)
    }
}

/// `types` by the path's extension, else `default_type`.
fn content_type<'a>(conf: &'a Conf, path: &[u8]) -> &'a [u8] {
    static USUAL: LazyLock<ContentTypes> = LazyLock::new(ContentTypes::default);
    let types = conf.types.as_ref().unwrap_or(&USUAL);
    types.of_path(path).map_or(conf.default_type.0.as_slice(), |found| found)
}

/// Host asked for: of an absolute request target, else the `Host` header; lower case, without port and final dot.
fn host_of(request: &Request<Incoming>) -> Bytes {
    let authority = match request.uri().authority() {
        Some(authority) => authority.as_str().as_bytes(),
        None => request.headers().get(http::header::HOST).map_or(&b""[..], HeaderValue::as_bytes),
    };
    Bytes::from(head::host_name(authority).to_ascii_lowercase())
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// nginx's short page for a status.
fn plain(status: StatusCode) -> Response<Body> {
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or(""));
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>pingosd</center>\r\n</body>\r\n</html>\r\n"
    );
    let no_body =
        status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    let mut response = Response::new(full(if no_body { Bytes::new() } else { Bytes::from(page) }));
    *response.status_mut() = status;
    if !no_body {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    }
    response
}

/// Whether the response may be sent in HTTP/1.1 chunks.
fn speaks_chunks(request: &Request<Incoming>) -> bool {
    request.version() == Version::HTTP_11
}

/// Whether only the head is wanted.
fn is_head(request: &Request<Incoming>) -> bool {
    request.method() == Method::HEAD
}
