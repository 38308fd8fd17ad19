//! One request in nginx's phases.

use std::sync::LazyLock;

use bstr::{BStr, ByteSlice};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LAST_MODIFIED, SERVER};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;

use super::assigned::AssignedValues;
use super::conf::{Conf, ServerTokens};
use super::connection::HttpConnection;
use super::extension::{Decision, PhaseCheck};
use super::header::AddHeader;
use super::player::HttpPlayer;
use super::reply::{Body, plain};
use super::routes::{Location, Refusal};
use super::types::ContentTypes;
use super::variable::{Template, Variable, Variables};
use super::variables::RequestVariables;
use super::{HttpService, files, head, log, method};
use crate::config::model::HttpServer;
use crate::directive::Slot;
use crate::net::socket::Peer;

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
    is_internal: bool,
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

    /// Runs nginx's phases: statements of the server, selection of the location, its statements, access rules, handler.
    /// `None` closes the connection without a response.
    pub(super) async fn pass(&mut self) -> Option<Response<Body>> {
        if let Decision::Done(answer) = self.rewrite(|check, exchange| check.server_rewrite(exchange)) {
            return answer;
        }
        let assigned = &mut self.assigned;
        let routes = self.server.routes();
        let Ok(location) = routes.find_location(self.path, &mut |found| assigned.matched(found)) else {
            log::undecided(self.connection.id, "the path", &self.connection.peer);
            return Some(plain(StatusCode::INTERNAL_SERVER_ERROR));
        };
        self.location = location;
        self.connection.adopt(self.conf());
        if let Some(status) = self.misfit() {
            return Some(plain(status));
        }
        let method = self.request.method().as_str().as_bytes();
        match &self.location.limited {
            Some((methods, limited)) if !methods.iter().any(|known| known == method) => {
                self.location = limited;
            }
            // The server's statements were executed already.
            _ if std::ptr::eq(self.location, &*routes.fallback) => {}
            _ => {
                if let Decision::Done(answer) = self.rewrite(|check, exchange| check.rewrite(exchange)) {
                    return answer;
                }
            }
        }
        if self.is_denied() {
            return Some(plain(StatusCode::FORBIDDEN));
        }
        Some(self.dispatch().await)
    }

    /// Runs the modules' checks of one rewrite phase.
    fn rewrite(&mut self, phase: impl Fn(&dyn PhaseCheck, &mut Self) -> Decision) -> Decision {
        if matches!(self.location.refusal, Some(Refusal { of_peers: true, .. })) {
            return Decision::Next;
        }
        for check in &self.service().phases {
            let decision = phase(&**check, self);
            if let Decision::Done(_) = decision {
                return decision;
            }
        }
        Decision::Next
    }

    /// Refusals before the handler: `internal`, `client_max_body_size`.
    fn misfit(&self) -> Option<StatusCode> {
        let conf = self.conf();
        if conf.internal.is_some() && !self.is_internal {
            return Some(StatusCode::NOT_FOUND);
        }
        let length = self.header(CONTENT_LENGTH).to_str().ok().and_then(|text| text.parse::<u64>().ok());
        let limit = conf.client_max_body_size.0;
        (limit > 0 && length.is_some_and(|length| length > limit)).then_some(StatusCode::PAYLOAD_TOO_LARGE)
    }

    /// Checks `allow` and `deny`.
    fn is_denied(&self) -> bool {
        let mut rules = self.conf().access.iter();
        let rule = rules.find(|rule| rule.network.contains(self.connection.peer.ip));
        let denied = rule.is_some_and(|rule| !rule.allow);
        if denied {
            log::access_denied(self.connection.id, &self.connection.peer);
        }
        denied
    }

    async fn dispatch(&self) -> Response<Body> {
        if self.location.refusal.is_some() {
            return plain(StatusCode::SERVICE_UNAVAILABLE);
        }
        let mut handlers = self.service().handlers.iter();
        match handlers.find_map(|handler| Some((handler, handler.answer(self)?))) {
            Some((handler, answer)) => match method::answer(self, handler.methods()) {
                Some(refusal) => refusal,
                None => answer.await,
            },
            None => files::answer(self, self.location.get()).await,
        }
    }

    /// Applies the modules' response filters, `add_header` and the `Server` header to a response.
    pub(super) fn filter(&self, response: &mut Response<Body>) {
        self.service().filters.iter().for_each(|filter| filter.filter(self, response));
        let (status, headers) = (response.status().as_u16(), response.headers_mut());
        for AddHeader { name, value, .. } in
            self.conf().add_header.iter().filter(|header| header.applies_to(status))
        {
            let Ok(name) = HeaderName::from_bytes(name) else { continue };
            let text = self.expand(value);
            // As in nginx, a response has one of each of these: the line replaces it, an empty value removes it.
            if name == ETAG || name == LAST_MODIFIED {
                headers.remove(&name);
            }
            if !text.is_empty()
                && let Ok(value) = HeaderValue::from_bytes(&text)
            {
                headers.append(name, value);
            }
        }
        let server = match self.conf().server_tokens {
            ServerTokens::Off => "pingosd",
            ServerTokens::On | ServerTokens::Build => crate::VERSION,
        };
        headers.entry(SERVER).or_insert(HeaderValue::from_static(server));
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

    /// Expands a template for this request.
    pub fn expand(&self, template: &Template) -> Vec<u8> {
        let mut text = Vec::new();
        template.expand(&RequestVariables::new(self), &mut text);
        text
    }

    /// Value of a variable for this request.
    pub fn value(&self, variable: &Variable) -> Vec<u8> {
        let mut value = Vec::new();
        RequestVariables::new(self).value(variable, &mut value);
        value
    }

    /// Passes the socket to a player once the response head is sent.
    pub(super) fn take_over(&self, player: HttpPlayer) {
        self.connection.takeover.arm(player);
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
