//! Subrequests: requests of the server's own that pass through the phases and whose responses are not sent.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bstr::BString;
use http::{Method, StatusCode};

use super::exchange::Exchange;
use super::response::{Body, BodySource, Piece, Response, Surrounding};
use crate::limits;

impl<'a> Exchange<'a> {
    /// Runs a subrequest and returns it with its response. Variables are shared with it as in nginx; give them back with
    /// [`Exchange::take_values`]. Beyond the bound of nested subrequests, the response is the page of status 500.
    pub fn subrequest(
        &mut self,
        path: BString,
        query: BString,
        method: Option<Method>,
    ) -> Pin<Box<dyn Future<Output = Exchange<'a>> + Send + '_>> {
        let mut inner = self.inner(path);
        (inner.has_query, inner.query) = (!query.is_empty(), query);
        inner.method = method.or_else(|| self.method.clone());
        inner.assigned = self.assigned.lend();
        inner.count_sent(self);
        inner.outer_charset = match self.is_subrequest() {
            true => self.outer_charset.clone(),
            false => self.response.charset.clone(),
        };
        Box::pin(async move {
            if inner.depth > limits::HTTP_SUBREQUESTS {
                inner.response = Response::page(StatusCode::INTERNAL_SERVER_ERROR);
                return inner;
            }
            // One that closes has no response and is not logged; see `Exchange::closed_with`.
            let answers = inner.process().await;
            if answers && inner.core().log_subrequest {
                inner.log();
            }
            inner
        })
    }

    /// Produces the content of the same path in the same location once more and returns the subrequest with its response.
    /// `keep` puts in what modules keep for it. Give its variables back with [`Exchange::take_values`].
    pub fn repeat(
        &mut self,
        keep: impl FnOnce(&mut http::Extensions),
    ) -> Pin<Box<dyn Future<Output = Exchange<'a>> + Send + '_>> {
        let mut inner = self.inner(self.path.clone());
        (inner.has_query, inner.query) = (self.has_query, self.query.clone());
        (inner.is_path_replaced, inner.is_target_replaced) = (self.is_path_replaced, self.is_target_replaced);
        (inner.has_location_name, inner.alias_takes_path) = (self.has_location_name, self.alias_takes_path);
        inner.method = self.method.clone();
        inner.location = self.location.clone();
        inner.assigned = self.assigned.lend_all();
        keep(&mut inner.kept);
        Box::pin(async move {
            let decision = inner.content().await;
            if !inner.conclude(decision).await {
                inner.response = Response::new(StatusCode::NO_CONTENT, Body::default());
            }
            inner
        })
    }

    /// Produces the content of the same path in the same location once more, beside this request and whatever its client does; the
    /// response is dropped. `keep` puts in what modules keep for it.
    pub fn repeat_beside(&self, keep: impl FnOnce(&mut http::Extensions)) {
        let (connection, request) = (self.connection.beside(), self.request.clone());
        let (server, location, path) = (self.server.clone(), self.location.clone(), self.path.clone());
        let (has_query, query) = (self.has_query, self.query.clone());
        let replaced = (self.is_path_replaced, self.is_target_replaced);
        let flags = (self.has_location_name, self.alias_takes_path, self.depth + 1);
        let (method, main_method) = (self.method.clone(), self.main_method().clone());
        let (client, body, chunked_length) = (self.client.clone(), self.body.clone(), self.chunked_length);
        let is_dropped = (self.is_body_refused, self.is_body_discarded);
        let (assigned, started) = (self.assigned.for_another(), self.started);
        let mut kept = http::Extensions::new();
        keep(&mut kept);
        tokio::spawn(async move {
            let mut inner = Exchange::new(&connection, &request, server, path, started);
            (inner.has_query, inner.query, inner.location) = (has_query, query, location);
            (inner.is_path_replaced, inner.is_target_replaced) = replaced;
            (inner.has_location_name, inner.alias_takes_path, inner.depth) = flags;
            (inner.method, inner.main_method) = (method, Some(main_method));
            (inner.client, inner.body, inner.chunked_length) = (client, body, chunked_length);
            (inner.is_body_refused, inner.is_body_discarded) = is_dropped;
            (inner.is_internal, inner.is_continued) = (true, true);
            (inner.assigned, inner.kept) = (assigned, kept);
            let decision = inner.content().await;
            let answers = inner.conclude(decision).await;
            if answers && inner.core().log_subrequest {
                inner.log();
            }
        });
    }

    /// Prepares a subrequest with the same method, query and body that runs after the response (`mirror`); its own response is dropped.
    pub fn send_later(&mut self, path: BString) {
        let mut inner = self.inner(path);
        inner.query = self.query.clone();
        inner.method = self.method.clone();
        inner.is_background = true;
        self.background.push(inner);
    }

    /// A subrequest for a path, with the client and the body of this request.
    fn inner(&self, path: BString) -> Exchange<'a> {
        let mut inner = Exchange::new(self.connection, self.request, self.server.clone(), path, self.started);
        inner.client = self.client.clone();
        (inner.depth, inner.is_background) = (self.depth + 1, self.is_background);
        inner.main_method = Some(self.main_method().clone());
        (inner.body, inner.chunked_length) = (self.body.clone(), self.chunked_length);
        (inner.is_body_refused, inner.is_body_discarded) = (self.is_body_refused, self.is_body_discarded);
        (inner.is_internal, inner.is_continued) = (true, true);
        (inner.is_path_replaced, inner.is_target_replaced) = (true, true);
        inner
    }

    /// Runs the subrequests that were prepared to run after the response.
    pub(super) async fn run_background(&mut self) {
        for mut inner in std::mem::take(&mut self.background) {
            inner.assigned = self.assigned.lend();
            // A page may have changed it since.
            inner.main_method = Some(self.main_method().clone());
            inner.count_sent(self);
            let answers = inner.process().await;
            if answers && inner.core().log_subrequest {
                inner.log();
            }
            self.take_values(&mut inner);
        }
    }

    /// As in nginx, a subrequest's numbers of sent bytes are those of the connection's response.
    fn count_sent(&mut self, outer: &Exchange<'_>) {
        (self.sent.bytes, self.sent.body_bytes) = (outer.sent.bytes, outer.sent.bytes);
    }

    /// Takes back the variables after a subrequest. As in nginx, the log goes on to name what was done for it last.
    pub fn take_values(&mut self, inner: &mut Exchange<'_>) {
        self.assigned.take_back(std::mem::take(&mut inner.assigned));
        self.doing = inner.doing;
    }

    /// Puts the responses of subrequests around the body. If one of them closes the connection, returns the status for the
    /// log.
    pub(super) async fn surround(&mut self) -> Option<u16> {
        let surroundings = std::mem::take(&mut self.surroundings);
        let (mut before, mut after) = (VecDeque::new(), VecDeque::new());
        // As in nginx, no subrequest is made for a body that is not sent.
        let made = surroundings.into_iter().filter(|_| !self.is_head()).collect::<Vec<_>>();
        for Surrounding { uri, is_before } in made {
            let mut inner = self.subrequest(uri, BString::default(), Some(Method::GET)).await;
            self.take_values(&mut inner);
            if let Some(status) = inner.closed_with() {
                return Some(status);
            }
            let bodies = if is_before { &mut before } else { &mut after };
            bodies.push_back(std::mem::take(&mut inner.response.body));
        }
        let own = std::mem::take(&mut self.response.body);
        let bodies = before.into_iter().chain([own]).chain(after).collect();
        self.response.body = Body::Source(Box::new(Bodies(bodies)));
        None
    }
}

/// Bodies one after another.
struct Bodies(VecDeque<Body>);

impl BodySource for Bodies {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        while let Some(body) = self.0.front_mut() {
            if let Some(piece) = ready!(body.poll_piece(cx)) {
                return Poll::Ready(Some(piece));
            }
            self.0.pop_front();
        }
        Poll::Ready(None)
    }

    fn length(&self) -> Option<u64> {
        None
    }

    fn is_flushed(&self) -> bool {
        self.0.front().is_some_and(Body::is_flushed)
    }
}
