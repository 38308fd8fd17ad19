//! A request, its connection, and the modules that take part in answering it; `server/parts.rs` lists them.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bstr::{BStr, BString};
use http::{Method, StatusCode};
use parking_lot::Mutex;
use strum::EnumCount;

use super::assigned::AssignedValues;
use super::conf::Conf;
use super::core::conf::Current as Core;
use super::counters::HttpCounters;
pub use super::decision::{Check, Decision, Lookup, Methods, ResponseFuture, VariableLookup};
use super::headers::Headers;
use super::http2::conf::Current as Life;
use super::input::Input;
use super::leaving::OnLeaving;
use super::plan::{Phase, Plan, Positions};
use super::request::Request;
use super::request_body::RequestBody;
use super::response::{Body, Response, Surrounding};
use super::routes::Location;
use super::variable::RealRootUse;
use crate::config::model::HttpServer;
use crate::config::store::Store;
use crate::directive::{ListenAddr, Slot};
use crate::limits;
use crate::log::{ConnectionLog, ErrorLog};
use crate::media::session::Sessions;
use crate::media::trails::Trails;
use crate::media::workers::Worker;
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
    /// Checks of the phases before the content, in this order.
    pub phases: PhaseChecks,
    /// Handlers of locations.
    pub handlers: Vec<Box<dyn Handler>>,
    /// Filters that run before preconditions are checked.
    pub adapters: Vec<Box<dyn ResponseFilter>>,
    /// Response filters, in this order.
    pub filters: Vec<Box<dyn ResponseFilter>>,
    /// Filters of the whole body, with the responses of subrequests that were put around it.
    pub encodings: Vec<Box<dyn ResponseFilter>>,
    /// Variables of modules.
    pub variables: Vec<Box<dyn RequestVariables>>,
    /// Numbers of connections and requests.
    pub counters: Arc<HttpCounters>,
    /// Logs of requests.
    pub logs: Vec<Box<dyn RequestLog>>,
    /// The error log, which servers and locations may replace.
    pub error_log: ErrorLog,
}

/// The checks of all phases.
#[derive(Default)]
pub struct PhaseChecks([Vec<Box<dyn PhaseCheck>>; Phase::COUNT]);

impl PhaseChecks {
    /// Adds checks to a phase, in this order.
    pub fn with<const N: usize>(mut self, phase: Phase, checks: [Box<dyn PhaseCheck>; N]) -> Self {
        self.0[phase as usize].extend(checks);
        self
    }

    /// The checks of a phase.
    pub(super) fn of(&self, phase: Phase) -> &[Box<dyn PhaseCheck>] {
        &self.0[phase as usize]
    }
}

impl HttpService {
    /// Modules that take part in the requests of a location.
    pub(super) fn plan<'l>(&self, location: &'l Location) -> &'l Plan {
        location.plan.get_or_init(|| {
            let filters = |filters: &[Box<dyn ResponseFilter>]| {
                Positions::of(filters, |filter| filter.applies_to(location))
            };
            Plan {
                handler: self.handlers.iter().position(|handler| handler.applies_to(location)),
                conf: location.share(),
                core: location.share(),
                life: location.share(),
                phases: self
                    .phases
                    .0
                    .each_ref()
                    .map(|checks| Positions::of(checks, |check| check.applies_to(location))),
                adapters: filters(&self.adapters),
                filters: filters(&self.filters),
                encodings: filters(&self.encodings),
                logs: Positions::of(&self.logs, |log| log.applies_to(location)),
                uses_real_root: location.get::<RealRootUse>().0,
            }
        })
    }
}

/// Answers requests of the locations in which a directive of its module selects it. Requests that it does not answer go to
/// the checks of the content phase.
pub trait Handler: Send + Sync {
    /// Whether a directive selects it as the handler of a location.
    fn applies_to(&self, location: &Location) -> bool;

    /// The methods that reach it.
    fn methods(&self) -> Methods;

    /// The response, if the location's values select this handler. Nothing happens before it is awaited.
    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<ResponseFuture<'a>>;
}

/// Takes part in a phase.
pub trait PhaseCheck: Send + Sync {
    /// Whether it may have something to do for requests of a location.
    fn applies_to(&self, _location: &Location) -> bool {
        true
    }

    /// Decides about a request.
    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a>;
}

/// Changes the head or the body of responses.
pub trait ResponseFilter: Send + Sync {
    /// Whether it may have something to do for responses of a location.
    fn applies_to(&self, _location: &Location) -> bool {
        true
    }

    /// Changes [`Exchange::response`].
    fn filter(&self, exchange: &mut Exchange<'_>);

    /// Adds trailers to [`Exchange::response`], which expects some, once its body was sent.
    fn end(&self, exchange: &mut Exchange<'_>) {
        let _ = exchange;
    }
}

/// Continues a body while it is sent, by subrequests for example.
pub trait Continuation: Send + Sync {
    /// Whether the body waits for it.
    fn is_wanted(&self) -> bool;

    /// Makes the next part of the body; afterwards the body no longer waits for it.
    fn advance<'a>(
        self: Arc<Self>,
        exchange: &'a mut Exchange<'_>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

/// Variables with values of a module; their names are in [`OF_MODULES`](super::module_variables::OF_MODULES).
pub trait RequestVariables: Send + Sync {
    /// Appends the value of a variable, whose name is in lower case. `None` if it is not the module's.
    ///
    /// # Errors
    ///
    /// [`Undecided`](crate::directive::Undecided), if a regular expression is.
    fn value(&self, exchange: &Exchange<'_>, name: &BStr, out: &mut Vec<u8>) -> VariableLookup;
}

/// Writes log lines about requests.
pub trait RequestLog: Send + Sync {
    /// Whether requests of a location are logged.
    fn applies_to(&self, location: &Location) -> bool;

    /// Logs a request after its response.
    fn log(&self, exchange: &Exchange<'_>);
}

/// Data shared by all requests of a connection.
pub(super) struct HttpConnection {
    pub(super) service: Arc<HttpService>,
    pub(super) worker: Worker,
    pub(super) listen: ListenAddr,
    pub(super) id: u64,
    pub(super) peer: Arc<Peer>,
    /// `http` or `https`.
    pub(super) scheme: &'static str,
    /// Whether the client was to begin with a TLS handshake and has not.
    pub(super) lacks_tls: bool,
    pub(super) started: Instant,
    pub(super) socket: Arc<Socket>,
    pub(super) input: Mutex<Input>,
    /// Requests so far, with the present one.
    pub(super) requests: u64,
    /// Whether the current request came together with the one before.
    pub(super) is_pipelined: bool,
    /// Whether small packets are sent without delay, as the location of the latest response says.
    pub(super) nodelay: AtomicBool,
    /// The error log of the location selected last.
    pub(super) error_log: Mutex<ConnectionLog>,
    /// Whether that location has one of its own.
    pub(super) has_error_log: AtomicBool,
}

impl HttpConnection {
    /// Lets its lines go to the `error_log` of a location or server.
    pub(super) fn adopt_error_log(&self, core: &Core) {
        let own = &core.error_log;
        if own.is_empty() && !self.has_error_log.load(Ordering::Relaxed) {
            return;
        }
        self.error_log.lock().select(own);
        self.has_error_log.store(!own.is_empty(), Ordering::Relaxed);
    }

    /// A connection that begins now, with HTTP/1 or HTTP/2.
    pub(super) fn new(
        service: Arc<HttpService>,
        worker: Worker,
        listen: ListenAddr,
        (socket, peer): (Socket, Peer),
    ) -> HttpConnection {
        let id = service.sessions.next_id();
        HttpConnection {
            id,
            error_log: Mutex::new(service.error_log.connection(id)),
            has_error_log: AtomicBool::new(false),
            service,
            worker,
            listen,
            peer: Arc::new(peer),
            scheme: if socket.is_tls() { "https" } else { "http" },
            lacks_tls: false,
            started: Instant::now(),
            socket: Arc::new(socket),
            input: Mutex::default(),
            requests: 0,
            is_pipelined: false,
            nodelay: AtomicBool::new(false),
        }
    }

    /// The connection for a request of its own, which goes on when the client has left and never reads from it.
    pub(super) fn beside(&self) -> HttpConnection {
        let mut input = Input::default();
        input.on_leaving = OnLeaving::GoesOn;
        self.with(self.socket.clone(), input)
    }

    /// The connection for a request that has its own socket or its own input.
    pub(super) fn with(&self, socket: Arc<Socket>, input: Input) -> HttpConnection {
        HttpConnection {
            service: self.service.clone(),
            worker: self.worker.clone(),
            listen: self.listen.clone(),
            id: self.id,
            peer: self.peer.clone(),
            scheme: self.scheme,
            lacks_tls: self.lacks_tls,
            started: self.started,
            socket,
            input: Mutex::new(input),
            requests: self.requests,
            is_pipelined: self.is_pipelined,
            nodelay: AtomicBool::new(false),
            error_log: Mutex::new(self.service.error_log.connection(self.id)),
            has_error_log: AtomicBool::new(false),
        }
    }
}

/// Part of a response that was sent.
#[derive(Debug, Default)]
pub(super) struct ResponseSent {
    /// Status that the client saw; 0 before the head is sent.
    pub(super) status: u16,
    /// Bytes of head and body.
    pub(super) bytes: u64,
    /// Bytes of the body.
    pub(super) body_bytes: u64,
    /// Length of the body, if it was known before.
    pub(super) length: Option<u64>,
    /// Whether the response was sent completely.
    pub(super) is_complete: bool,
    /// Whether it was sent in chunks.
    pub(super) is_chunked: bool,
}

/// A request being processed.
pub struct Exchange<'a> {
    pub(super) connection: &'a HttpConnection,
    /// The request.
    pub request: &'a Request,
    /// The virtual server.
    pub server: Arc<HttpServer>,
    /// The location, or the block that applies instead of it.
    pub location: Arc<Location>,
    /// Decoded and normalized path (`$uri`).
    pub path: BString,
    /// Query string without question mark (`$args`).
    pub query: BString,
    /// Whether `$args` has a value, although the query string may be empty.
    pub has_query: bool,
    /// Values assigned by statements and regular expressions.
    pub assigned: AssignedValues,
    /// Whether the path was changed, so that the location is selected again.
    pub is_path_changed: bool,
    /// Whether the path is no longer that of the request.
    pub is_path_replaced: bool,
    /// Whether the target of the request no longer stands for path and query: as in nginx, it does where `try_files` has found a file.
    pub is_target_replaced: bool,
    /// Whether `alias` of a location with a regular expression is followed by the path, because `try_files` has found it there.
    pub alias_takes_path: bool,
    /// Whether the path begins with the name of the location: not behind `rewrite ... break`.
    pub has_location_name: bool,
    /// The client, where `realip` has replaced it.
    pub client: Option<Peer>,
    /// The body, once [`Exchange::read_body`] was called: as far as it could be read.
    pub body: Option<Arc<RequestBody>>,
    /// Data that modules keep for this request.
    pub kept: http::Extensions,
    /// Where the request is forwarded to, for log lines about it. Bytes of the client's are escaped.
    pub upstream: Option<Arc<str>>,
    /// What is done for the request, with that server or the client, for log lines.
    pub doing: Option<&'static str>,
    /// The response, once there is one. Filters change it; its body is gone when it was sent.
    pub response: Response,
    /// Whether a regular expression exceeded its bounds while a variable was looked up.
    pub(super) is_undecided: AtomicBool,
    /// Whether it is logged that the directory is not there.
    pub(super) has_told_no_root: AtomicBool,
    /// The directory of the location, and its real path.
    pub(super) real_root: Option<(PathBuf, io::Result<PathBuf>)>,
    /// `$request_id`
    pub(super) random_id: OnceLock<String>,
    /// Continuation of the body while it is sent.
    pub continuation: Option<Arc<dyn Continuation>>,
    /// Charset of the response that this subrequest's response becomes a part of.
    pub outer_charset: Option<BString>,
    /// Texts around the body of the response.
    pub surroundings: Vec<Surrounding>,
    /// Method that replaces the request's (`error_page`, subrequests).
    pub(super) method: Option<Method>,
    /// Method of the request that this one is a subrequest of.
    pub(super) main_method: Option<Method>,
    /// Whether the path is the result of an internal redirect, so that `internal` locations are accessible.
    pub(super) is_internal: bool,
    /// Number of requests that this one is a subrequest of.
    pub(super) depth: u32,
    /// Headers and target of the response that `error_page` replaces.
    pub(super) carried: Option<(Headers, Option<BString>)>,
    /// Content type and charset of a response that is sent with another body (`X-Accel-Redirect`).
    pub(super) carried_type: Option<(BString, Option<BString>)>,
    /// Path changes that are still allowed.
    pub(super) changes_left: u32,
    /// Status that replaces the response's own (`error_page`).
    pub(super) error_status: Option<StatusCode>,
    /// Whether an `error_page` was applied that excludes others.
    pub(super) has_error_page: bool,
    /// Whether the body was refused, could not be read, or was passed on as it came: what answers later has none.
    pub(super) is_body_refused: bool,
    /// Whether the connection is closed without a response.
    pub(super) is_closed: bool,
    /// Whether the body was discarded, as far as it had come.
    pub(super) is_body_discarded: bool,
    /// Whether the target was not understood.
    pub(super) is_target_invalid: bool,
    /// Whether `response` has its status already.
    pub(super) has_status: bool,
    /// Whether the location's content answers, and nothing before it has.
    pub has_content: bool,
    /// Whether its preconditions have failed: as in nginx, it then never counts as completed.
    pub(super) is_cut_short: bool,
    /// Whether the response is final.
    pub(super) is_answered: bool,
    /// Whether the client need not be asked for its body any more.
    pub(super) is_continued: bool,
    /// Whether the connection stays open.
    pub(super) keeps_alive: bool,
    /// Whether what follows on the connection cannot be trusted, so that it is not read before the connection is closed.
    pub(super) is_untrusted: bool,
    /// Bytes of the body that `$request_length` counts, as nginx does.
    pub(super) body_length: i64,
    /// Length that `$content_length` tells of a body in chunks, once it was read or discarded.
    pub(super) chunked_length: Option<u64>,
    /// Whether this is a subrequest that runs after the response.
    pub(super) is_background: bool,
    /// Subrequests that run after the response.
    pub(super) background: Vec<Exchange<'a>>,
    /// Whether the response was sent and `post_action` goes on.
    pub(super) is_post_action: bool,
    pub(super) started: Instant,
    pub(super) sent: ResponseSent,
}

impl<'a> Exchange<'a> {
    /// A request received from a client.
    pub(super) fn new(
        connection: &'a HttpConnection,
        request: &'a Request,
        server: Arc<HttpServer>,
        path: BString,
        started: Instant,
    ) -> Self {
        let location = server.routes().fallback.clone();
        Exchange {
            connection,
            request,
            location,
            server,
            path,
            query: request.query_without_fragment().to_owned(),
            has_query: request.raw_query().is_some_and(|query| !query.is_empty()),
            assigned: AssignedValues::default(),
            is_path_changed: false,
            is_path_replaced: false,
            is_target_replaced: false,
            alias_takes_path: false,
            has_location_name: true,
            client: None,
            body: None,
            kept: http::Extensions::new(),
            upstream: None,
            doing: None,
            response: Response::new(StatusCode::OK, Body::default()),
            is_undecided: AtomicBool::new(false),
            has_told_no_root: AtomicBool::new(false),
            real_root: None,
            random_id: OnceLock::new(),
            continuation: None,
            outer_charset: None,
            surroundings: Vec::new(),
            method: None,
            main_method: None,
            is_internal: false,
            depth: 0,
            carried: None,
            carried_type: None,
            changes_left: limits::HTTP_PATH_CHANGES,
            error_status: None,
            has_error_page: false,
            is_body_refused: false,
            is_body_discarded: false,
            is_closed: false,
            is_target_invalid: false,
            has_status: false,
            has_content: false,
            is_cut_short: false,
            is_answered: false,
            is_continued: false,
            keeps_alive: false,
            is_untrusted: false,
            body_length: 0,
            chunked_length: None,
            is_background: false,
            background: Vec::new(),
            is_post_action: false,
            started,
            sent: ResponseSent::default(),
        }
    }

    /// Lets the lines about the connection go to the `error_log` of the location.
    pub(super) fn adopt_error_log(&self) {
        self.connection.adopt_error_log(self.core());
    }

    pub(super) fn service(&self) -> &'a HttpService {
        &self.connection.service
    }

    /// Connection number, for the log.
    pub fn id(&self) -> u64 {
        self.connection.id
    }

    /// The client: the peer, or what `realip` replaced it with.
    pub fn peer(&self) -> &Peer {
        self.client.as_ref().unwrap_or(&self.connection.peer)
    }

    /// Number for a session of this request: the connection's, unless several may have a session at a time.
    pub fn session_id(&self) -> u64 {
        match self.connection.socket.http2() {
            Some(_) => self.service().sessions.next_id(),
            None => self.connection.id,
        }
    }

    /// The other end of the connection.
    pub fn connected_peer(&self) -> &'a Peer {
        &self.connection.peer
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        self.connection.scheme
    }

    /// The location's values of the HTTP core.
    pub(super) fn conf(&self) -> &Conf {
        &self.plan().conf
    }

    /// The location's values of the other directives of the HTTP core.
    pub(super) fn core(&self) -> &Core {
        &self.plan().core
    }

    /// The location's life of connections.
    pub(super) fn life(&self) -> &Life {
        &self.plan().life
    }

    /// Modules that take part in requests of the location.
    pub(super) fn plan(&self) -> &Plan {
        self.service().plan(&self.location)
    }

    /// The values that select the location's handler.
    pub fn chosen_by<T: Slot>(&self) -> &T {
        self.location.handling().get()
    }

    /// Sets what it means for the request that its client has closed. Subrequests behind the response change nothing.
    pub fn set_on_leaving(&self, meaning: OnLeaving) {
        if !self.is_background {
            self.connection.input.lock().on_leaving = meaning;
        }
    }
}
