//! The answer to a request on its connection: what is sent, what is logged, and what follows.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};
use http::{Method, StatusCode, Version};

use super::browser;
use super::conf::Conf;
use super::core::conf::{Current as Core, KeepaliveDisable, LingeringClose};
use super::exchange::{Exchange, HttpConnection};
use super::log;
use super::pass_body::RestFailure;
use super::request::{HeadError, Request};
use super::request_body::BodyFailure;
use super::response::Body;
use super::rest_of_body::RestOfBody;
use super::routes::Location;
use super::select::Selected;
use super::send::Sending;
use super::tunnel::{Tunnel, TunnelFailure};
use crate::limits;

/// Next step after a response.
pub(super) enum After {
    /// The next request.
    Next,
    /// The connection is closed, possibly after reading what the client still sends.
    Close { lingers: bool },
    /// The socket is closed at once.
    Gone,
}

/// Why a response ends before it is sent.
enum CutShort {
    /// The client has left where it is needed.
    ClientLeft,
    /// The server stops.
    Stopped,
    /// The rest of the request's body cannot be read.
    Body(RestFailure),
}

impl CutShort {
    /// The status for the log of a request whose client has not seen one.
    fn status(&self, is_http2: bool) -> u16 {
        match self {
            CutShort::ClientLeft => CLIENT_CLOSED_REQUEST,
            CutShort::Stopped => NO_STATUS,
            CutShort::Body(failure) => failure.0.status(is_http2).as_u16(),
        }
    }
}

/// Times that the location of a response has set for what follows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct AfterTimes {
    pub(super) keepalive: Duration,
    pub(super) lingering_time: Duration,
    pub(super) lingering_timeout: Duration,
}

/// nginx's own status of a request without TLS where TLS is spoken; clients see 400.
const PLAIN_TO_TLS: u16 = 497;

/// Response to a request for another server than that of the handshake, if either verifies certificates of clients.
const MISDIRECTED: &str =
    "client attempted to request the server name different from the one that was negotiated";

/// nginx's status of a request whose client has closed the connection before the response.
pub(super) const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The log's status of a request that ends, with the server or its connection, before anything was answered.
pub(super) const NO_STATUS: u16 = 0;

/// Status of requests whose connection is closed without a response, as the configuration says.
const CLOSED_WITHOUT_RESPONSE: u16 = 444;

impl HttpConnection {
    /// Answers a request, or refuses it.
    pub(super) async fn answer(
        &self,
        request: &Request,
        mut refused: Option<HeadError>,
    ) -> (After, AfterTimes) {
        let started = Instant::now();
        let mut is_undecided = false;
        let (server, named) = {
            let config = self.service.store.borrow();
            let Some(servers) = self.servers(&config) else {
                return (After::Close { lingers: false }, AfterTimes::NONE);
            };
            // As in nginx, a host that was read counts, whatever comes behind it.
            let host = Some(request.host_as_sent()).filter(|host| refused.is_none() || !host.is_empty());
            match self.select(servers, host) {
                Ok(Selected { server, named, is_misdirected }) => {
                    if is_misdirected {
                        refused = Some(HeadError::new(421, MISDIRECTED));
                    }
                    (server.clone(), named)
                }
                Err(_) => {
                    is_undecided = true;
                    (servers.default_server().clone(), None)
                }
            }
        };
        if self.lacks_tls {
            let why = "client sent plain HTTP request to HTTPS port";
            refused = refused.or(Some(HeadError::new(PLAIN_TO_TLS, why)));
        }
        refused = refused.or_else(|| self.refusal_of_client(&server));
        let path: BString = request.path().into();
        let mut exchange = Exchange::new(self, request, server, path, started);
        if let Some(found) = named {
            exchange.assigned.matched(found);
        }
        exchange.adopt_error_log();
        exchange.is_target_invalid = request.is_path_invalid();
        // What `error_page` answers with has no body.
        exchange.is_body_refused = refused.is_some() || is_undecided;
        if exchange.is_target_invalid {
            exchange.query.clear();
            exchange.has_query = false;
        }
        // A connection of HTTP/2 is kept by its owner.
        exchange.keeps_alive = self.socket.http2().is_none()
            && wants_keepalive(request)
            && refused.as_ref().is_none_or(|error| error.status != StatusCode::MISDIRECTED_REQUEST);
        if let Some(line) = request.left_out() {
            log::left_out(&exchange, line);
        }
        if let Some(error) = &refused {
            exchange.doing = Some(if error.is_in_line { log::READING_LINE } else { log::READING_HEADERS });
            log::refused(&exchange, error);
        }
        if is_undecided {
            log::undecided(&exchange, "the host");
        }
        let undecided = is_undecided.then_some(StatusCode::INTERNAL_SERVER_ERROR);
        let refused = refused.map(|error| error.status).or(undecided);
        let answered = self.process(&mut exchange, refused).await;
        let answers = match answered {
            Ok(answers) => answers,
            Err(status) => {
                if status == CLIENT_CLOSED_REQUEST {
                    log::client_left(&exchange);
                }
                exchange.sent.status = status;
                self.follow_up(&mut exchange, true).await;
                exchange.log();
                return (After::Gone, AfterTimes::NONE);
            }
        };
        let times = AfterTimes::of(&exchange);
        // As in nginx, a connection goes on after a request to which nothing was to be said.
        if !answers && exchange.sent.is_complete && exchange.keeps_alive {
            self.follow_up(&mut exchange, true).await;
            exchange.keeps_alive = false;
            exchange.log();
            return (After::Next, times);
        }
        if !answers {
            let acts = refused.is_none() && exchange.sent.status != CLOSED_WITHOUT_RESPONSE;
            if exchange.sent.status == CLOSED_WITHOUT_RESPONSE
                && let Some(stream) = self.socket.http2()
            {
                stream.blame_client();
            }
            self.follow_up(&mut exchange, acts).await;
            exchange.log();
            return (After::Close { lingers: false }, times);
        }
        let mut after = self.finish(&mut exchange, refused.is_some()).await;
        let kept = exchange.keeps_alive;
        self.follow_up(&mut exchange, true).await;
        if kept && !exchange.keeps_alive && matches!(after, After::Next) {
            after = After::Close { lingers: false };
        }
        // As in nginx, the log does not tell that the connection stays open.
        exchange.keeps_alive = false;
        exchange.log();
        (after, times)
    }

    /// Processes a request, or refuses it. Returns whether there is a response; the error is the status for the log of a request
    /// that ends before, because its client has left or the server stops.
    async fn process(&self, exchange: &mut Exchange<'_>, refused: Option<StatusCode>) -> Result<bool, u16> {
        let mut processed = pin!(async {
            match refused {
                Some(status) => exchange.refuse(status).await,
                None => exchange.process().await,
            }
        });
        // Most requests are answered without waiting for anything.
        match poll_fn(|cx| Poll::Ready(processed.as_mut().poll(cx))).await {
            Poll::Ready(answers) => Ok(answers),
            Poll::Pending => tokio::select! {
                biased;
                answers = processed.as_mut() => Ok(answers),
                () = self.client_left() => Err(CLIENT_CLOSED_REQUEST),
                () = self.service.lifetime.shutdown.cancelled() => Err(NO_STATUS),
            },
        }
    }

    /// Sends the rest of the response, and passes the rest of the request's body on meanwhile. Returns why it ends early, if it does.
    async fn send_rest(
        &self,
        exchange: &mut Exchange<'_>,
        sending: &mut Sending,
        rest: &mut Option<RestOfBody>,
    ) -> Option<CutShort> {
        let needs_client = exchange.response.foreign.as_ref().is_some_and(|foreign| foreign.needs_client);
        let client = exchange.client_of_body();
        let mut sent = pin!(exchange.send_rest(sending));
        // Most responses are sent without waiting for anything.
        if poll_fn(|cx| Poll::Ready(sent.as_mut().poll(cx))).await.is_ready() {
            return None;
        }
        let mut left = pin!(self.client_left());
        loop {
            let is_passed_on = rest.as_ref().is_some_and(|rest| !rest.is_over());
            let passed_on = async {
                match rest {
                    Some(rest) => rest.pass_on(client).await,
                    None => Ok(()),
                }
            };
            tokio::select! {
                biased;
                () = sent.as_mut() => return None,
                passed = passed_on, if is_passed_on => {
                    if let Err(failure) = passed {
                        return Some(CutShort::Body(failure));
                    }
                }
                () = left.as_mut(), if needs_client => return Some(CutShort::ClientLeft),
                () = self.service.lifetime.shutdown.cancelled() => return Some(CutShort::Stopped),
            }
        }
    }

    /// Does what follows the response, until the server stops.
    pub(super) async fn follow_up(&self, exchange: &mut Exchange<'_>, acts: bool) {
        if !exchange.has_follow_up() {
            return;
        }
        tokio::select! {
            () = Box::pin(exchange.follow_up(acts)) => {}
            () = self.service.lifetime.shutdown.cancelled() => {}
        }
    }

    /// Sends the response, and decides what follows.
    async fn finish(&self, exchange: &mut Exchange<'_>, was_refused: bool) -> After {
        if self.service.lifetime.draining.is_cancelled() {
            exchange.keeps_alive = false;
        }
        let mut rest = exchange.response.foreign.as_mut().and_then(|foreign| foreign.rest.take());
        // As in nginx, the head does not tell whether the rest of the body will have been passed on.
        let is_body_done = was_refused
            || rest.is_some()
            || exchange.has_nothing_to_discard()
            || match self.discard(exchange).await {
                Ok(is_done) => is_done,
                // As in nginx, the client is not told what is found only now, when a page is sent.
                Err(bad) => {
                    log::body_failed(exchange, &BodyFailure::Bad(bad));
                    exchange.keeps_alive = false;
                    true
                }
            };
        self.adopt_nodelay(exchange.conf().tcp_nodelay);
        if self.socket.http2().is_some() {
            exchange.refuse_tunnel();
        }
        let mut sending = exchange.begin_sending();
        let ended = match sending.is_over() {
            true => None,
            // Boxed, because most responses need no room for it.
            false => Box::pin(self.send_rest(exchange, &mut sending, &mut rest)).await,
        };
        let sent = exchange.end_sending(sending);
        if let Some(rest) = rest {
            exchange.end_rest(rest);
            exchange.keeps_alive &= exchange.is_body_received();
        }
        if let Some(why) = ended.as_ref().filter(|_| exchange.sent.bytes == 0) {
            exchange.sent.status = why.status(self.socket.http2().is_some());
        }
        if let Err(error) = sent {
            match ended {
                None => log::send_failed(exchange, &error),
                Some(CutShort::Stopped) => {}
                Some(CutShort::ClientLeft) => log::client_left(exchange),
                Some(CutShort::Body(failure)) => drop(exchange.rest_failed(failure)),
            }
            if exchange.core().reset_timedout_connection {
                self.socket.abort_on_close();
            }
            return After::Gone;
        }
        if let Body::Live(player) = std::mem::take(&mut exchange.response.body) {
            let session = player.session().clone();
            // Boxed, because other responses need no room for them.
            Box::pin(exchange.run_background()).await;
            Box::pin(player.run(&self.worker, self.socket.clone(), &self.service.lifetime.shutdown)).await;
            let sent = session.traffic().sent;
            exchange.sent.bytes += sent;
            exchange.sent.body_bytes += sent;
            return After::Gone;
        }
        if let Some(tunnel) = exchange.response.foreign.as_mut().and_then(|foreign| foreign.tunnel.take()) {
            self.run_tunnel(exchange, tunnel).await;
            // A client that still sends would lose the last bytes to a reset.
            let lingers = match exchange.core().lingering_close {
                _ if !exchange.sent.is_complete => false,
                LingeringClose::Off => false,
                LingeringClose::Always => true,
                LingeringClose::On => self.has_input(),
            };
            return After::Close { lingers };
        }
        if self.socket.http2().is_some() {
            // The client is told with the end of the stream that the rest of the body is not wanted.
            return After::Next;
        }
        let is_body_done = is_body_done || Box::pin(self.discard_rest(exchange)).await;
        // As in nginx, a server that answers before a location is selected does not say so in the head.
        let is_kept = exchange.keeps_alive && exchange.conf().keepalive_timeout.timeout.0 > 0;
        if is_kept && is_body_done {
            return After::Next;
        }
        let lingers = match exchange.core().lingering_close {
            LingeringClose::Off => false,
            LingeringClose::Always => true,
            LingeringClose::On => {
                let status = exchange.response.status;
                let is_untrusted =
                    exchange.is_untrusted || (was_refused && status == StatusCode::BAD_REQUEST);
                // The rest of a refused head may still be on its way.
                (!is_untrusted && exchange.has_body()) || !exchange.request.is_complete || self.has_input()
            }
        };
        After::Close { lingers }
    }

    /// Goes on with the connection behind a response of status 101, until its end.
    async fn run_tunnel(&self, exchange: &mut Exchange<'_>, mut tunnel: Box<dyn Tunnel>) {
        let received = std::mem::take(&mut self.input.lock().buffer).freeze();
        let send_timeout = exchange.conf().send_timeout.nonzero();
        let ended = tokio::select! {
            ended = tunnel.run(self.socket.clone(), received, send_timeout) => Some(ended),
            () = self.service.lifetime.shutdown.cancelled() => None,
        };
        let sent = tunnel.sent();
        exchange.sent.bytes += sent;
        exchange.sent.body_bytes += sent;
        match ended {
            Some(Ok(())) => {}
            Some(Err(failure)) => {
                exchange.sent.is_complete &= failure.counts_as_complete();
                log::tunnel_failed(exchange, &failure);
                if matches!(failure, TunnelFailure::ClientTimedOut)
                    && exchange.core().reset_timedout_connection
                {
                    self.socket.abort_on_close();
                }
            }
            // As in nginx, what the end of the server ends is not complete.
            None => exchange.sent.is_complete = false,
        }
    }

    /// Applies `tcp_nodelay`.
    fn adopt_nodelay(&self, nodelay: bool) {
        if self.nodelay.load(Ordering::Relaxed) != nodelay {
            self.nodelay.store(nodelay, Ordering::Relaxed);
            self.socket.set_nodelay(nodelay);
        }
    }

    /// Whether the client has sent what was not processed: closing at once would then reset the connection, and the client
    /// could lose the response.
    fn has_input(&self) -> bool {
        let mut input = self.input.lock();
        !input.buffer.is_empty()
            || self
                .socket
                .read_some(&mut input.buffer, limits::HTTP_READ_BYTES)
                .is_ok_and(|length| length > 0)
    }
}

impl AfterTimes {
    const NONE: AfterTimes = AfterTimes {
        keepalive: Duration::ZERO,
        lingering_time: Duration::ZERO,
        lingering_timeout: Duration::ZERO,
    };

    fn of(exchange: &Exchange<'_>) -> Self {
        AfterTimes::new(exchange.conf(), exchange.core())
    }

    /// As a location has set them.
    pub(super) fn of_location(location: &Location) -> Self {
        AfterTimes::new(location.get(), location.get())
    }

    fn new(conf: &Conf, core: &Core) -> Self {
        AfterTimes {
            keepalive: conf.keepalive_timeout.timeout.duration(),
            lingering_time: core.lingering_time.duration(),
            lingering_timeout: core.lingering_timeout.duration(),
        }
    }
}

impl Exchange<'_> {
    /// Applies the location's limits of kept connections.
    pub(super) fn adopt_keepalive(&mut self) {
        if !self.keeps_alive {
            return;
        }
        let conf = self.conf();
        // As in nginx, at the time when the request began.
        let end = self.connection.started.checked_add(self.life().keepalive_time.duration());
        if conf.keepalive_timeout.timeout.0 == 0
            || self.connection.requests >= conf.keepalive_requests
            || end.is_some_and(|end| self.started > end)
        {
            self.keeps_alive = false;
            return;
        }
        let disabled = self.core().keepalive_disable.0.unwrap_or(KeepaliveDisable::MSIE6);
        let is_old_msie = || {
            disabled.contains(KeepaliveDisable::MSIE6)
                && *self.request.method() == Method::POST
                && browser::is_msie6(self.header("user-agent"))
        };
        let is_safari = || {
            let agent = self.header("user-agent");
            agent.contains_str("Safari/") && !agent.contains_str("Chrome") && agent.contains_str("Mac OS X")
        };
        if is_old_msie() || (disabled.contains(KeepaliveDisable::SAFARI) && is_safari()) {
            self.keeps_alive = false;
        }
    }

    /// Writes the access log.
    pub(super) fn log(&self) {
        let logs = &self.service().logs;
        self.plan().logs.for_each(|position| logs[position].log(self));
    }
}

/// Whether the client asks to keep the connection, by version and `Connection`.
fn wants_keepalive(request: &Request) -> bool {
    // The last header that says one of the two counts.
    if request.version() >= Version::HTTP_11 && request.header("connection").is_none() {
        return true;
    }
    let said = request.headers_named(b"connection").filter_map(|value| {
        let value = value.to_ascii_lowercase();
        if value.contains_str("close") {
            Some(false)
        } else {
            value.contains_str("keep-alive").then_some(true)
        }
    });
    said.last().unwrap_or(request.version() >= Version::HTTP_11)
}
