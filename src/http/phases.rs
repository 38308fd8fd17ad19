//! nginx's phases of a request.

use bstr::ByteSlice;
use http::header::{CONTENT_LENGTH, ETAG, HeaderName, HeaderValue, LAST_MODIFIED, SERVER};
use http::{Response, StatusCode};

use super::conf::ServerTokens;
use super::exchange::{Decision, Exchange, PhaseCheck};
use super::header::AddHeader;
use super::reply::{Body, plain};
use super::routes::Refusal;
use super::{files, log, method};

impl Exchange<'_> {
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
}
