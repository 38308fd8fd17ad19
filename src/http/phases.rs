//! nginx's phases of a request, and internal redirects between them.

use std::sync::Arc;

use http::StatusCode;

use super::core::conf::Satisfy;
use super::exchange::{Check, Decision, Exchange};
use super::leaving::OnLeaving;
use super::plan::{Phase, Positions};
use super::request::BodyFraming;
use super::request_body::RequestBody;
use super::response::{Body, Response};
use super::routes::{ByPath, Location, LocationRefusal, Wanted};
use super::status::shown;
use super::variable::{Template, is_true};
use super::{files, log, method, precondition, range_filter};
use crate::directive::{Match, Undecided};

/// Statuses that close the connection without a response, as in nginx.
const CLOSING: [u16; 3] = [408, 444, 499];

/// The phase with which the processing of a request goes on.
#[derive(Debug)]
enum Start {
    /// The first one.
    PostRead,
    /// After an internal redirect.
    ServerRewrite,
    /// In a named location.
    Named(Arc<Location>),
}

impl Exchange<'_> {
    /// Runs all phases and follows internal redirects until there is a response, which then is
    /// [`Exchange::response`]. `false` closes the connection without one.
    pub(super) async fn process(&mut self) -> bool {
        let start = if self.is_subrequest() { Start::ServerRewrite } else { Start::PostRead };
        let read = match self.reads_body_early() {
            true => Box::pin(self.read_body_early()).await,
            false => Ok(()),
        };
        let decision = match read {
            Ok(()) => self.run(start).await,
            Err(decision) => decision,
        };
        self.conclude(decision).await
    }

    /// Answers with the page of a status, without running the phases first.
    pub(super) async fn refuse(&mut self, status: StatusCode) -> bool {
        self.keeps_alive = false;
        self.conclude(Decision::page(status)).await
    }

    /// Follows internal redirects from a decision on.
    pub(super) async fn conclude(&mut self, mut decision: Decision) -> bool {
        loop {
            decision = match decision {
                Decision::Close(status) => {
                    (self.sent.status, self.is_closed) = (status, true);
                    // As in nginx, a request to which nothing was to be said is complete.
                    self.sent.is_complete = status == 0;
                    return false;
                }
                Decision::Done(response)
                    if response.is_page && CLOSING.contains(&response.status.as_u16()) =>
                {
                    Decision::Close(response.status.as_u16())
                }
                Decision::Done(response) => {
                    let is_page = response.is_page;
                    let discards = (!is_page || response.discards_body)
                        && !self.is_post_action
                        && !self.has_nothing_to_discard();
                    if discards && !self.discard_body().await {
                        decision = Decision::page(StatusCode::BAD_REQUEST);
                        continue;
                    }
                    let response = match is_page {
                        false => response,
                        true => match self.special(*response) {
                            Decision::Done(page) => page,
                            other => {
                                decision = other;
                                continue;
                            }
                        },
                    };
                    if self.is_post_action {
                        // As in nginx, nothing is sent of it.
                        self.sent.status = shown(self.error_status.unwrap_or(response.status)).as_u16();
                        let keeps_type = response.foreign.is_none() && !(is_page && self.is_answered);
                        let known = self.response.content_type.take().filter(|_| keeps_type);
                        self.response = *response;
                        self.response.body = Body::default();
                        if known.is_some() {
                            self.response.content_type = known;
                        }
                        return true;
                    }
                    match self.finish(response).await {
                        None => {
                            let asks_upstream = self.doing.is_some_and(|doing| doing.ends_with("upstream"));
                            if self.response.foreign.is_some() && asks_upstream && !self.is_subrequest() {
                                self.doing = Some(log::READING_UPSTREAM);
                            }
                            return true;
                        }
                        Some(other) => other,
                    }
                }
                Decision::Redirect { path, query } => {
                    // As in nginx, one too many changes neither path nor location.
                    if !self.count_change() {
                        decision = self.redirected_too_often("internally redirecting to", &path);
                        continue;
                    }
                    self.replace_path(path);
                    (self.has_query, self.query) = (query.is_some(), query.unwrap_or_default());
                    self.redirect();
                    self.doing = None;
                    self.adopt_keepalive();
                    self.run(Start::ServerRewrite).await
                }
                Decision::Named(name) => {
                    let location = self.server.routes().locations.named(&name).cloned();
                    match (self.count_change(), location) {
                        // As in nginx: the request line was not understood.
                        (true, _) if self.path.is_empty() => {
                            log::no_path_for_location(self, &name);
                            Decision::page(StatusCode::INTERNAL_SERVER_ERROR)
                        }
                        (true, Some(location)) => {
                            self.redirect();
                            self.run(Start::Named(location)).await
                        }
                        (false, _) => self.redirected_too_often("redirect to named location", &name),
                        (true, None) => {
                            log::no_named_location(self, &name);
                            Decision::page(StatusCode::INTERNAL_SERVER_ERROR)
                        }
                    }
                }
                Decision::Next | Decision::Allow => Decision::page(StatusCode::NOT_FOUND),
            };
        }
    }

    /// Prepares an internal redirect.
    fn redirect(&mut self) {
        self.location = self.server.routes().fallback.clone();
        (self.is_internal, self.is_path_changed, self.has_content) = (true, false, false);
        self.alias_takes_path = false;
    }

    fn redirected_too_often(&mut self, doing: &str, target: &[u8]) -> Decision {
        log::redirect_cycle(self, doing, target);
        Decision::page(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Runs the phases up to a decision.
    async fn run(&mut self, start: Start) -> Decision {
        match self.pass(start).await {
            Ok(()) => self.content().await,
            Err(decision) => decision,
        }
    }

    /// Passes the phases before the content. The error is the decision, if there is one.
    async fn pass(&mut self, start: Start) -> Result<(), Decision> {
        let mut named = None;
        match start {
            Start::PostRead if !self.has_checks(Phase::PostRead) => {}
            Start::PostRead => self.pass_phase(Phase::PostRead).await?,
            Start::ServerRewrite => self.has_location_name = true,
            Start::Named(location) => named = Some(location),
        }
        self.find_real_root().await;
        if named.is_none() {
            if self.has_checks(Phase::ServerRewrite) {
                self.pass_phase(Phase::ServerRewrite).await?;
            }
            self.is_path_changed = false;
        }
        loop {
            match named.take() {
                Some(location) => self.location = location,
                None => {
                    if let Some(decision) = self.find_location() {
                        return Err(decision);
                    }
                }
            }
            self.adopt_error_log();
            self.find_real_root().await;
            let is_rewritten = self.limit_methods();
            self.adopt_keepalive();
            if is_rewritten && self.has_checks(Phase::Rewrite) {
                self.pass_phase(Phase::Rewrite).await?;
            }
            if !std::mem::take(&mut self.is_path_changed) {
                break;
            }
            if !self.count_change() {
                let path = self.path.clone();
                return Err(self.redirected_too_often("processing", &path));
            }
        }
        self.adopt_keepalive();
        // Statements may have changed variables in `root`.
        self.find_real_root().await;
        if self.has_checks(Phase::PreAccess) {
            self.pass_phase(Phase::PreAccess).await?;
        }
        if !self.is_subrequest()
            && (!self.checks(Phase::Access).is_empty() || !self.conf().access.is_empty())
            && let Some(refusal) = self.access().await
        {
            let delay = self.core().auth_delay.duration();
            if !delay.is_zero() && is_status(&refusal, &[StatusCode::UNAUTHORIZED]) {
                log::delays_unauthorized(self);
                self.set_on_leaving(OnLeaving::Ends);
                tokio::time::sleep(delay).await;
                self.set_on_leaving(OnLeaving::default());
            }
            return Err(refusal);
        }
        match self.has_checks(Phase::PreContent) {
            true => self.pass_phase(Phase::PreContent).await,
            false => Ok(()),
        }
    }

    /// The checks of a phase that apply to the request.
    fn checks(&self, phase: Phase) -> Positions {
        let plan = match phase {
            Phase::ServerRewrite if !self.location.is_fallback => {
                self.service().plan(&self.server.routes().fallback)
            }
            _ => self.plan(),
        };
        plan.phases[phase as usize]
    }

    /// Whether a phase has checks: most have none, and are not begun then.
    fn has_checks(&self, phase: Phase) -> bool {
        let is_left_out = matches!(phase, Phase::ServerRewrite | Phase::Rewrite)
            && matches!(self.location.refusal, Some(LocationRefusal { of_peers: true, .. }));
        !is_left_out && !self.checks(phase).is_empty()
    }

    /// Passes a phase that has checks. The error is the decision of one of them.
    async fn pass_phase(&mut self, phase: Phase) -> Result<(), Decision> {
        let checks = self.service().phases.of(phase);
        for position in self.checks(phase) {
            let decision = match checks[position].check(self) {
                Check::Now(decision) => decision,
                Check::Later(decision) => decision.await,
            };
            if !matches!(decision, Decision::Next | Decision::Allow) {
                return Err(decision);
            }
        }
        Ok(())
    }

    /// The location of the path, and of variables if the server has predicates.
    fn search_location(&mut self) -> Result<Arc<Location>, Undecided> {
        let routes = self.server.routes();
        if routes.locations.has_predicates() {
            // They ask for the whole request, which must not change while it is borrowed.
            let server = self.server.clone();
            return server.routes().find_location(self).cloned();
        }
        let assigned = &mut self.assigned;
        let mut wanted = ByPath { path: &self.path, matched: &mut |found| assigned.matched(found) };
        routes.find_location(&mut wanted).cloned()
    }

    /// Selects the location of the path.
    fn find_location(&mut self) -> Option<Decision> {
        let Ok(location) = self.search_location() else {
            log::undecided(self, "the path");
            return Some(Decision::page(StatusCode::INTERNAL_SERVER_ERROR));
        };
        self.location = location;
        if self.conf().internal.is_some() && !self.is_internal {
            return Some(Decision::page(StatusCode::NOT_FOUND));
        }
        if let Some(refusal) = self.check_body_size() {
            return Some(refusal);
        }
        // A path without its last slash leads to the location that forwards requests.
        self.location
            .adds_slash_to(&self.path)
            .then(|| Decision::Done(Box::new(self.moved_to(self.location.name.spelled()))))
    }

    /// Refuses a body that is longer than the location allows.
    pub(super) fn check_body_size(&mut self) -> Option<Decision> {
        let limit = self.conf().client_max_body_size.0;
        // As in nginx, what was discarded is no body of subrequests.
        if self.is_subrequest() && self.is_body_discarded {
            return None;
        }
        let length = match self.request.body() {
            BodyFraming::Length(length) => length,
            // Known once it was read.
            BodyFraming::Chunked => self.chunked_length.filter(|_| !self.is_body_discarded)?,
            BodyFraming::None => return None,
        };
        if self.is_body_refused || limit == 0 || length <= limit {
            return None;
        }
        log::body_too_large(self, length);
        // As in nginx, the limit applies to subrequests, too: they have the body of their request, which is not theirs to drop.
        if self.is_subrequest() {
            return Some(Decision::page(StatusCode::PAYLOAD_TOO_LARGE));
        }
        (self.is_continued, self.is_body_refused) = (true, true);
        // As in nginx, it is discarded at once; one that is still to come is not read any more.
        if self.body.is_none() && self.drop_received_body() != Ok(true) {
            self.body = Some(RequestBody::default().into());
        }
        Some(Decision::page(StatusCode::PAYLOAD_TOO_LARGE))
    }

    /// Applies `limit_except`. Returns whether the statements of the location are executed: those of the server, which
    /// answers for paths without a location, were executed already.
    fn limit_methods(&mut self) -> bool {
        if let Some((methods, limited)) = &self.location.limited {
            let method = self.method().as_str().as_bytes();
            if !methods.iter().any(|known| known == method) {
                self.location = limited.clone();
                return false;
            }
        }
        !self.location.is_fallback
    }

    /// Checks access: `allow` and `deny`, then the modules' checks, combined as `satisfy` says. `None` grants it.
    async fn access(&mut self) -> Option<Decision> {
        let any = self.core().satisfy == Satisfy::Any;
        let mut refusal: Option<Decision> = None;
        let all = self.service().phases.of(Phase::Access);
        let mut checks = self.plan().phases[Phase::Access as usize].map(|position| &all[position]);
        let mut decision = self.check_addresses();
        loop {
            match decision {
                Decision::Next => {}
                Decision::Allow if any => return None,
                Decision::Allow => {}
                refused if any && is_status(&refused, &[StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED]) => {
                    let asks =
                        refusal.as_ref().is_some_and(|before| is_status(before, &[StatusCode::UNAUTHORIZED]));
                    if !asks {
                        refusal = Some(refused);
                    }
                }
                mut refused => {
                    // As in nginx, it goes on to tell of the password that an earlier check has asked for.
                    if let (Decision::Done(page), Some(Decision::Done(before))) = (&mut refused, &refusal) {
                        for value in before.headers.all(b"WWW-Authenticate") {
                            page.headers.append("WWW-Authenticate", value.to_vec());
                        }
                    }
                    return Some(refused);
                }
            }
            decision = match checks.next() {
                None => {
                    if refusal.as_ref().is_some_and(|refused| is_status(refused, &[StatusCode::FORBIDDEN])) {
                        log::access_denied(self);
                    }
                    return refusal;
                }
                Some(check) => match check.check(self) {
                    Check::Now(decision) => decision,
                    Check::Later(decision) => decision.await,
                },
            };
        }
    }

    /// Checks `allow` and `deny`.
    fn check_addresses(&self) -> Decision {
        let mut rules = self.conf().access.iter();
        match rules.find(|rule| rule.network.contains(self.peer().ip)) {
            None => Decision::Next,
            Some(rule) if rule.allow => Decision::Allow,
            Some(_) => {
                // As in nginx, which says nothing where another check may grant access.
                if self.core().satisfy == Satisfy::All {
                    log::access_denied(self);
                }
                Decision::page(StatusCode::FORBIDDEN)
            }
        }
    }

    pub(super) async fn content(&mut self) -> Decision {
        if self.location.refusal.is_some() {
            return Decision::page(StatusCode::SERVICE_UNAVAILABLE);
        }
        self.has_content = true;
        let handler = self.plan().handler.map(|position| &self.service().handlers[position]);
        if let Some((handler, answer)) = handler.and_then(|handler| Some((handler, handler.answer(self)?))) {
            let response = match method::answer(self, handler.methods()) {
                Some(refusal) => refusal,
                None => answer.await,
            };
            return Decision::Done(Box::new(response));
        }
        match self.pass_phase(Phase::Content).await {
            Ok(()) => files::content(self).await,
            Err(decision) => decision,
        }
    }

    /// Makes a response the one that is sent, after all filters. Returns what replaces it.
    async fn finish(&mut self, mut response: Box<Response>) -> Option<Decision> {
        std::mem::swap(&mut self.response, &mut response);
        drop(response);
        let encoding = self.response.headers.get(b"Content-Encoding");
        self.response.encoding =
            encoding.filter(|encoding| !encoding.is_empty()).map(|encoding| encoding.to_owned());
        (self.has_status, self.is_answered) = (true, true);
        // As in nginx, headers such as WWW-Authenticate stay when `error_page` replaces the response.
        if let Some((mut headers, location)) = self.carried.take() {
            self.response.location = self.response.location.take().or(location);
            for (name, value) in self.response.headers.iter() {
                headers.append(name.to_vec(), value.to_vec());
            }
            self.response.headers = headers;
        }
        let has_type = self.response.foreign.is_some() && self.response.content_type.is_some();
        if let Some((content_type, charset)) = self.carried_type.take().filter(|_| !has_type) {
            (self.response.content_type, self.response.charset) = (Some(content_type), charset);
        }
        if let Some(status) = self.error_status {
            self.response.status = status;
        }
        let service = self.service();
        self.plan().adapters.for_each(|position| service.adapters[position].filter(self));
        if let Some(page) = precondition::filter(self) {
            self.is_cut_short = true;
            return Some(Decision::Done(Box::new(page)));
        }
        self.plan().filters.for_each(|position| service.filters[position].filter(self));
        if !self.surroundings.is_empty()
            && let Some(status) = Box::pin(self.surround()).await
        {
            return Some(Decision::Close(status));
        }
        self.plan().encodings.for_each(|position| service.encodings[position].filter(self));
        let mut page = range_filter::filter(self)?;
        // As in nginx, what filters have added to the response stays, and they add to the page once more.
        let mut headers = std::mem::take(&mut self.response.headers);
        for (name, value) in page.headers.iter() {
            // A page that is refused for the same reason has it already; nginx then sends it twice.
            if !headers.all(name).any(|known| known == value) {
                headers.append(name.to_vec(), value.to_vec());
            }
        }
        (page.headers, page.has_expiry) = (headers, self.response.has_expiry);
        page.expects_trailers = self.response.expects_trailers;
        Some(Decision::Done(Box::new(page)))
    }
}

impl Wanted for Exchange<'_> {
    fn path(&self) -> &[u8] {
        &self.path
    }

    fn matched(&mut self, found: Match) {
        self.assigned.matched(found);
    }

    fn holds(&self, predicate: &Template) -> Result<bool, Undecided> {
        let value = self.expand(predicate);
        if self.take_undecided() { Err(Undecided) } else { Ok(is_true(&value)) }
    }
}

fn is_status(decision: &Decision, statuses: &[StatusCode]) -> bool {
    matches!(decision, Decision::Done(response) if statuses.contains(&response.status))
}
