//! A request, its connection, and the modules that take part in answering it; `server/parts.rs` lists them.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use bstr::BStr;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, Version};
use hyper::body::Incoming;
use parking_lot::Mutex;

use super::assigned::AssignedValues;
use super::conf::Conf;
use super::head;
use super::heads::HeadTracker;
use super::io::LiveTakeover;
use super::reply::Body;
use super::routes::Location;
use super::types::ContentTypes;
use crate::config::model::HttpServer;
use crate::config::store::Store;
use crate::directive::{ListenAddr, Slot, Undecided};
use crate::limits;
use crate::media::session::Sessions;
use crate::media::trails::Trails;
use crate::net::socket::{Peer, Socket};
use crate::task::lifetime::Lifetime;

/// Data shared by all HTTP connections.
pub struct HttpService {
    /// The configuration in force.
    pub store: Arc<Store>,
    /// All sessions; they share their numbers with connections.
    pub sessions: Arc<Sessions>,
    /// Checks the trails of relays.
    pub trails: Arc<Trails>,
    /// Shutdown of the process.
    pub lifetime: Lifetime,
    /// Checks before the handlers, in this order.
    pub phases: Vec<Box<dyn PhaseCheck>>,
    /// Handlers; the first that takes a location answers.
    pub handlers: Vec<Box<dyn Handler>>,
    /// Response filters, in this order.
    pub filters: Vec<Box<dyn ResponseFilter>>,
    /// Variables of modules.
    pub variables: Vec<Box<dyn RequestVariable>>,
}

impl HttpService {
    /// The module's variable with this name.
    pub(super) fn variable(&self, name: &str) -> Option<&dyn RequestVariable> {
        self.variables.iter().find(|variable| variable.name() == name).map(|variable| &**variable)
    }
}

/// A future response.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Response<Body>> + Send + 'a>>;

/// Methods that a handler supports; others are answered for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// GET and HEAD, as of files.
    Document,
    /// GET and HEAD of a stream. `OPTIONS` tells players in browsers so, with CORS headers.
    Stream,
    /// All except `OPTIONS`: PingOS's handlers for tools, which send POST, ignore the method.
    Any,
}

/// Answers requests of the locations in which a directive of its module is set. The first handler that takes a request
/// answers; without one, files are served.
pub trait Handler: Send + Sync {
    /// The methods that reach it.
    fn methods(&self) -> Methods;

    /// The response, if the location's values select this handler. Nothing happens before it is awaited.
    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<Answer<'a>>;
}

/// Result of a phase.
pub enum Decision {
    /// The next phase follows.
    Next,
    /// The response; `None` closes the connection without one.
    Done(Option<Response<Body>>),
}

/// Runs before the handler, in nginx's rewrite phases.
pub trait PhaseCheck: Send + Sync {
    /// Runs before the location is selected.
    fn server_rewrite(&self, exchange: &mut Exchange<'_>) -> Decision;

    /// Runs after the location is selected and before access rules.
    fn rewrite(&self, exchange: &mut Exchange<'_>) -> Decision;
}

/// Changes the head or the body of responses.
pub trait ResponseFilter: Send + Sync {
    /// Changes a response.
    fn filter(&self, exchange: &Exchange<'_>, response: &mut Response<Body>);
}

/// A variable with a value of its module.
pub trait RequestVariable: Send + Sync {
    /// Name of the variable.
    fn name(&self) -> &'static str;

    /// Appends the value.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression is.
    fn value(&self, exchange: &Exchange<'_>, out: &mut Vec<u8>) -> Result<(), Undecided>;
}

/// Data shared by all requests of a connection.
pub(super) struct HttpConnection {
    pub(super) service: Arc<HttpService>,
    pub(super) listen: ListenAddr,
    pub(super) id: u64,
    pub(super) peer: Peer,
    /// `http` or `https`.
    pub(super) scheme: &'static str,
    pub(super) started: Instant,
    pub(super) socket: Arc<Socket>,
    pub(super) takeover: Arc<LiveTakeover>,
    pub(super) heads: Arc<HeadTracker>,
    pub(super) usage: Mutex<ConnectionUsage>,
}

/// Use of a connection.
pub(super) struct ConnectionUsage {
    pub(super) requests: u64,
    /// Whether a request is in progress.
    pub(super) in_flight: bool,
    /// Time of the last change of `in_flight`.
    pub(super) since: Instant,
    /// Idle timeout.
    pub(super) idle: Duration,
    pub(super) nodelay: bool,
}

impl HttpConnection {
    /// Records the start of a request. Returns its number on the connection, from 1.
    pub(super) fn begin(&self) -> u64 {
        let mut used = self.usage.lock();
        used.requests += 1;
        (used.in_flight, used.since) = (true, Instant::now());
        used.requests
    }

    /// Applies the connection settings of a request's location.
    pub(super) fn adopt(&self, conf: &Conf) {
        self.takeover.set_send_timeout(conf.send_timeout);
        let mut used = self.usage.lock();
        used.idle = conf.keepalive_timeout.timeout.duration();
        if std::mem::replace(&mut used.nodelay, conf.tcp_nodelay) != conf.tcp_nodelay {
            self.socket.set_nodelay(conf.tcp_nodelay);
        }
    }

    pub(super) fn end(&self) {
        let mut used = self.usage.lock();
        used.in_flight = false;
        used.since = Instant::now();
    }

    /// Whether a request was received. A client accepted just before the server drains still gets a response.
    pub(super) fn is_used(&self) -> bool {
        self.usage.lock().requests > 0
    }

    /// Time of the next check whether the connection is idle for too long; `None` if it is.
    pub(super) fn idle_until(&self) -> Option<Instant> {
        let used = self.usage.lock();
        let now = Instant::now();
        // A request may take any time; the idle timeout starts at its end. Without keep-alive the response closes the
        // connection.
        if used.in_flight || used.idle.is_zero() {
            return Some(now + limits::HTTP_IDLE_LOOK);
        }
        let since = self.takeover.written().map_or(used.since, |written| written.max(used.since));
        let due = since.checked_add(used.idle).unwrap_or(now + limits::HTTP_IDLE_LOOK);
        (due > now).then_some(due)
    }
}

/// A request being processed.
pub struct Exchange<'a> {
    pub(super) connection: &'a HttpConnection,
    /// The request; its body is not read yet.
    pub request: &'a Request<Incoming>,
    /// Request target as sent, without scheme and host.
    pub target: &'a BStr,
    /// The virtual server.
    pub server: &'a HttpServer,
    /// The location, or the block that applies instead of it.
    pub location: &'a Location,
    /// Percent-decoded path without `//`, `.` and `..`.
    pub path: &'a [u8],
    /// Values assigned by statements and regular expressions.
    pub assigned: AssignedValues,
    /// Whether the path is the result of an internal redirect, so that `internal` locations are accessible.
    pub(super) is_internal: bool,
}

impl<'a> Exchange<'a> {
    /// A request received from a client.
    pub(super) fn new(
        connection: &'a HttpConnection,
        request: &'a Request<Incoming>,
        target: &'a BStr,
        server: &'a HttpServer,
        path: &'a [u8],
    ) -> Self {
        let (location, assigned) = (&*server.routes().fallback, AssignedValues::default());
        Exchange { connection, request, target, server, location, path, assigned, is_internal: false }
    }

    /// An internal redirect: the same request with another path.
    pub(super) fn redirected<'b>(self, path: &'b [u8]) -> Exchange<'b>
    where
        'a: 'b,
    {
        Exchange { location: &self.server.routes().fallback, path, is_internal: true, ..self }
    }

    pub(super) fn service(&self) -> &'a HttpService {
        &self.connection.service
    }

    /// Connection number, for the log.
    pub fn id(&self) -> u64 {
        self.connection.id
    }

    /// The client.
    pub fn peer(&self) -> &'a Peer {
        &self.connection.peer
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        self.connection.scheme
    }

    /// The location's values of the HTTP core.
    pub(super) fn conf(&self) -> &'a Conf {
        self.location.get()
    }

    /// The values that select the location's handler.
    pub fn chosen_by<T: Slot>(&self) -> &'a T {
        self.location.choosing.get()
    }

    /// Makes a path an absolute URL, as nginx's `absolute_redirect on` does.
    pub fn absolute(&self, target: &[u8]) -> Vec<u8> {
        if !target.starts_with(b"/") {
            return target.to_vec();
        }
        let authority = match self.request.headers().get(http::header::HOST) {
            Some(host) => host.as_bytes().to_vec(),
            None => self.connection.peer.local_addr.clone().into_bytes(),
        };
        [self.connection.scheme.as_bytes(), b"://", &authority[..], target].concat()
    }

    /// Sets Content-Type by the path's extension.
    pub fn set_type(&self, headers: &mut HeaderMap, path: &[u8]) {
        if let Ok(value) = HeaderValue::from_bytes(content_type(self.conf(), path)) {
            headers.insert(CONTENT_TYPE, value);
        }
    }

    /// Query string without question mark.
    pub fn query(&self) -> &[u8] {
        match self.assigned.query() {
            Some(args) => args,
            None => self.request.uri().query().unwrap_or("").as_bytes(),
        }
    }

    /// Value of a request header; empty if missing.
    pub fn header(&self, name: HeaderName) -> &[u8] {
        self.request.headers().get(name).map_or(b"", HeaderValue::as_bytes)
    }

    /// Whether it is a HEAD request.
    pub fn is_head(&self) -> bool {
        self.request.method() == Method::HEAD
    }

    /// Whether the response may use HTTP/1.1 chunks.
    pub(super) fn speaks_chunks(&self) -> bool {
        self.request.version() == Version::HTTP_11 && self.conf().chunked
    }
}

/// Content type: `types` by the path's extension, otherwise `default_type`.
fn content_type<'a>(conf: &'a Conf, path: &[u8]) -> &'a [u8] {
    static USUAL: LazyLock<ContentTypes> = LazyLock::new(ContentTypes::default);
    let types = conf.types.as_ref().unwrap_or(&USUAL);
    types.of_path(path).map_or(conf.default_type.0.as_slice(), |found| found)
}

/// Requested host: of an absolute request target, otherwise of the `Host` header; in lower case, without port and final
/// dot.
pub(super) fn host_of(request: &Request<Incoming>) -> Bytes {
    let authority = match request.uri().authority() {
        Some(authority) => authority.as_str().as_bytes(),
        None => request.headers().get(http::header::HOST).map_or(&b""[..], HeaderValue::as_bytes),
    };
    Bytes::from(head::host_name(authority).to_ascii_lowercase())
}
