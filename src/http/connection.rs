//! One HTTP connection: reads requests one after another, and answers each before the next.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};
use bytes::BytesMut;
use http::{Method, StatusCode, Version};
use parking_lot::Mutex;
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFuture;

use super::browser;
use super::conf::Conf;
use super::core::conf::{Current as Core, KeepaliveDisable, LingeringClose};
use super::counters::Doing;
use super::exchange::{Exchange, HttpConnection, HttpService};
use super::http2;
use super::input::Input;
use super::log;
use super::request::{HeadBuffers, HeadError, HeadParser, HeaderNames, Request};
use super::response::Body;
use super::routes::Location;
use super::server_conf::ServerConf;
use crate::config::model::{Config, HttpServer};
use crate::config::names::NameTable;
use crate::directive::{ListenAddr, Match, Undecided};
use crate::limits;
use crate::media::workers::Worker;
use crate::net::socket::{Peer, Socket};
use crate::net::ssl::conf::VerifyClient;
use crate::net::{ssl, tls};
use crate::task::lifetime::{Lifetime, StopSignal};

/// What follows a response.
pub(super) enum After {
    /// The next request.
    Next,
    /// The connection is closed, possibly after reading what the client still sends.
    Close { lingers: bool },
    /// The socket is closed at once.
    Gone,
}

/// Outcome of the wait for a request head.
enum Head {
    /// It is complete.
    Complete(Box<Request>),
    /// It is refused.
    Refused(Box<Request>, HeadError),
    /// The client has closed before it was complete.
    Left(Box<Request>),
    /// There is none: the client has closed, was silent for too long, or the server stops.
    None,
}

/// Settings of the head of a request, which its server does not apply to yet: those of the address's default server.
#[derive(Clone, Copy)]
pub(super) struct HeadSettings {
    pub(super) buffers: HeadBuffers,
    pub(super) names: HeaderNames,
    pub(super) timeout: Option<Duration>,
}

impl HttpConnection {
    pub(super) fn head_settings(&self, server: &HttpServer) -> HeadSettings {
        let fallback = &server.routes().fallback;
        let core: &Core = fallback.get_at(self.service.plan(fallback).core);
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        HeadSettings {
            buffers: HeadBuffers {
                first: size(core.client_header_buffer_size.0).max(1),
                number: size(core.large_client_header_buffers.count),
                size: size(core.large_client_header_buffers.size.0),
            },
            names: HeaderNames {
                underscores: core.underscores_in_headers,
                ignores_invalid: core.ignore_invalid_headers,
                merges_slashes: core.merge_slashes,
            },
            timeout: server.get::<ServerConf>().client_header_timeout.nonzero(),
        }
    }
}

/// nginx's own status of a request without TLS where TLS is spoken; clients see 400.
const PLAIN_TO_TLS: u16 = 497;

/// nginx's statuses of a request whose client's certificate is not trusted, or missing.
const CERTIFICATE_ERROR: u16 = 495;
const NO_CERTIFICATE: u16 = 496;

/// What a client gets that asks for a server whose certificates of clients it was not asked for.
const MISDIRECTED: HeadError = (
    StatusCode::MISDIRECTED_REQUEST,
    "client attempted to request the server name different from the one that was negotiated",
);

/// The server of a request.
struct Selected<'c> {
    server: &'c Arc<HttpServer>,
    /// The match, if the server's name is a regular expression.
    named: Option<Match>,
    /// Whether the request must not reach the server that its host selects, because that one verifies clients and another
    /// one was negotiated.
    is_misdirected: bool,
}

/// nginx's status of a request whose client has closed the connection before the response.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The log's status of a request that ends with the server before anything was answered.
const NO_STATUS: u16 = 0;

/// Status of requests whose connection is closed without a response, as the configuration says.
const CLOSED_WITHOUT_RESPONSE: u16 = 444;

/// Serves a connection of HTTP/1 until its end. Of what it has sent, `before` was read already.
pub(super) async fn serve(
    service: Arc<HttpService>,
    worker: Worker,
    listen: ListenAddr,
    accepted: (Socket, Peer),
    lacks_tls: bool,
    before: BytesMut,
) {
    let mut connection = HttpConnection::new(service, worker, listen, accepted);
    connection.lacks_tls = lacks_tls;
    connection.input = Mutex::new(Input::with(before));
    let Lifetime { shutdown, draining, .. } = connection.service.lifetime.clone();
    let mut waits = Waits {
        timer: pin!(tokio::time::sleep(limits::HTTP_FIRST_WAIT)),
        ends: [(&shutdown, pin!(shutdown.cancelled())), (&draining, pin!(draining.cancelled()))],
        woken: None,
        settings: None,
    };
    let counters = connection.service.counters.clone();
    let mut counted = counters.connection();
    let mut idle = None;
    loop {
        counted.does(if idle.is_some() { Doing::Waiting } else { Doing::Reading });
        connection.is_pipelined = idle.is_some() && !connection.input.get_mut().buffer.is_empty();
        // Requests are boxed: while the connection is idle, it needs no room for one.
        let head = connection.read_head(idle, &mut waits).await;
        if matches!(head, Head::None) {
            return;
        }
        counted.request();
        connection.requests += 1;
        let (request, refused) = match head {
            Head::Complete(request) => (request, None),
            Head::Refused(request, error) => (request, Some(error)),
            Head::Left(request) => return connection.log_left(&request).await,
            Head::None => return,
        };
        if refused.is_none() {
            connection.input.get_mut().begin_body(request.body());
        }
        let answered = Box::pin(connection.answer(&request, refused)).await;
        match answered {
            (After::Next, keepalive) => idle = Some(keepalive),
            (After::Close { lingers: false }, _) => return connection.socket.shutdown_write(),
            (After::Close { lingers: true }, settings) => return connection.linger(settings).await,
            (After::Gone, _) => return,
        }
    }
}

/// What ends the wait for a request, kept for the life of a connection: to begin such a wait anew for each request would
/// cost more than many requests do.
struct Waits<'w, 't> {
    timer: Pin<&'w mut Sleep>,
    /// Shutdown, and draining, which ends idle connections only.
    ends: [(&'t StopSignal, Pin<&'w mut WaitForCancellationFuture<'t>>); 2],
    /// What the timer and the signals wake.
    woken: Option<Waker>,
    /// Settings of the head, and the generation of the configuration that they are from.
    settings: Option<(u64, HeadSettings)>,
}

/// How a wait ended.
enum Waited {
    /// There is input.
    Readable,
    /// The time is over.
    TimedOut,
    /// The connection failed, or the server stops.
    Ended,
}

impl Waits<'_, '_> {
    /// Waits for input. A server that drains ends the wait only if the connection is idle.
    async fn readable(&mut self, socket: &Socket, until: Option<Instant>, is_idle: bool) -> Waited {
        poll_fn(|cx| {
            if let Poll::Ready(readable) = socket.poll_read_ready(cx) {
                return Poll::Ready(if readable.is_ok() { Waited::Readable } else { Waited::Ended });
            }
            self.wakes(cx);
            let [(shutdown, _), (draining, _)] = &self.ends;
            if shutdown.is_cancelled() || (is_idle && draining.is_cancelled()) {
                return Poll::Ready(Waited::Ended);
            }
            let Some(until) = until else { return Poll::Pending };
            while self.timer.is_elapsed() || self.timer.deadline().into_std() > until {
                if Instant::now() >= until {
                    return Poll::Ready(Waited::TimedOut);
                }
                self.timer.as_mut().reset(until.into());
                if self.timer.as_mut().poll(cx).is_pending() {
                    break;
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Lets the timer and the signals wake the task. They go on to, so that this is done once, not for each wait.
    fn wakes(&mut self, cx: &mut Context<'_>) {
        if self.woken.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return;
        }
        self.woken = Some(cx.waker().clone());
        for (_, end) in &mut self.ends {
            let _ = end.as_mut().poll(cx);
        }
        let _ = self.timer.as_mut().poll(cx);
    }
}

/// Times that the location of a response has set for what follows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct AfterTimes {
    keepalive: Duration,
    pub(super) lingering_time: Duration,
    pub(super) lingering_timeout: Duration,
}

impl HttpConnection {
    /// The servers of the connection's address, and whether there are any: after a reload that ends them, others stand in
    /// for the last answer on an open connection.
    pub(super) fn servers<'c>(&self, config: &'c Config) -> Option<(&'c NameTable<HttpServer>, bool)> {
        let http = config.http.as_ref()?;
        match http.servers_at(&self.listen) {
            Some(servers) => Some((servers, true)),
            None => Some((&http.listeners.first()?.servers, false)),
        }
    }

    /// The server whose settings apply before a request has selected one.
    pub(super) fn first_server<'c>(&self, servers: &'c NameTable<HttpServer>) -> &'c Arc<HttpServer> {
        self.select(servers, None).map_or_else(|_| servers.default_server(), |selected| selected.server)
    }

    /// Selects a server by host. Without one, because the head of a request is incomplete or refused, it is the server that
    /// was negotiated with TLS, as in nginx.
    fn select<'c>(
        &self,
        servers: &'c NameTable<HttpServer>,
        host: Option<&[u8]>,
    ) -> Result<Selected<'c>, Undecided> {
        let plain = |(server, named)| Selected { server, named, is_misdirected: false };
        let name = self.socket.tls_info().and_then(|info| info.server_name());
        let negotiated = match name {
            Some(name) => servers.negotiated(name.as_bytes())?.map(|found| (name, found)),
            None => None,
        };
        let Some((name, (server, named))) = negotiated else {
            return servers.search(host.unwrap_or_default()).map(plain);
        };
        let Some(host) = host else { return Ok(plain((server, None))) };
        if name.strip_suffix('.').unwrap_or(name).as_bytes().eq_ignore_ascii_case(host) {
            return Ok(plain((server, named)));
        }
        let found = servers.search(host)?;
        match found.0.get::<ssl::conf::Conf>().verify_client {
            VerifyClient::Off => Ok(plain(found)),
            _ => Ok(Selected { server, named: None, is_misdirected: true }),
        }
    }

    /// Why a server does not serve a client, by the client's certificate.
    fn refusal_of_client(&self, server: &HttpServer) -> Option<HeadError> {
        let refusal = self.socket.tls_info()?.admits(server.get::<ssl::conf::Conf>().verify_client).err()?;
        let (status, why) = match refusal {
            tls::Refusal::Untrusted(verdict) => {
                log::client_untrusted(self.id, verdict.code, verdict.text, &self.peer);
                (CERTIFICATE_ERROR, "client SSL certificate verify error")
            }
            tls::Refusal::Status(status) => {
                log::client_status(self.id, status.text(), &self.peer);
                (CERTIFICATE_ERROR, "client SSL certificate verify error")
            }
            tls::Refusal::NoCertificate => (NO_CERTIFICATE, "client sent no required SSL certificate"),
        };
        Some((StatusCode::from_u16(status).expect("it is one"), why))
    }

    /// Waits for a request head. `idle` is set after the first request.
    async fn read_head(&mut self, idle: Option<AfterTimes>, waits: &mut Waits<'_, '_>) -> Head {
        let generation = self.service.store.generation();
        let settings = match waits.settings {
            Some((of, settings)) if of == generation => settings,
            _ => {
                let config = self.service.store.load();
                let Some((servers, _)) = self.servers(&config) else { return Head::None };
                // Until a request has selected its server, those of the server negotiated with TLS or of the default
                // server apply, as in nginx.
                self.head_settings(self.first_server(servers))
            }
        };
        waits.settings = Some((generation, settings));
        let mut parser = HeadParser::default();
        let mut received = std::mem::take(&mut self.input.get_mut().buffer);
        let mut deadline = None;
        loop {
            if !received.is_empty() {
                match parser.parse(&received, settings.names) {
                    Ok(false) => {}
                    Ok(true) => {
                        if parser.has_invalid {
                            log::invalid_header(self.id, &self.peer);
                        }
                        let request = parser.take(&mut received);
                        self.input.get_mut().buffer = received;
                        return match request.check() {
                            Ok(()) => Head::Complete(Box::new(request)),
                            Err(error) => Head::Refused(Box::new(request), error),
                        };
                    }
                    Err(error) => {
                        let request = parser.take(&mut received);
                        self.input.get_mut().buffer = received;
                        return Head::Refused(Box::new(request), error);
                    }
                }
            }
            let room = match parser.room(received.len(), &settings.buffers) {
                Ok(room) => room,
                Err(error) => return Head::Refused(Box::new(parser.take(&mut received)), error),
            };
            match self.socket.read_some(&mut received, room.min(limits::HTTP_READ_BYTES)) {
                Ok(0) if received.is_empty() => return Head::None,
                Ok(0) => return Head::Left(Box::new(parser.take(&mut received))),
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) if received.is_empty() => return Head::None,
                Err(_) => return Head::Left(Box::new(parser.take(&mut received))),
            }
            // As in nginx, an empty line is the beginning of a request.
            let is_idle = received.is_empty() && idle.is_some();
            if is_idle {
                // An idle connection holds no memory for input; empty lines before a request are forgotten.
                (received, parser) = (BytesMut::new(), HeadParser::default());
            }
            let until = match idle {
                Some(times) if is_idle => Some(Instant::now() + times.keepalive),
                _ => *deadline
                    .get_or_insert_with(|| settings.timeout.map(|patience| Instant::now() + patience)),
            };
            match waits.readable(&self.socket, until, is_idle).await {
                Waited::Readable => {}
                Waited::TimedOut if !received.is_empty() => {
                    let error = (StatusCode::REQUEST_TIMEOUT, "client timed out");
                    return Head::Refused(Box::new(parser.take(&mut received)), error);
                }
                Waited::TimedOut | Waited::Ended => return Head::None,
            }
        }
    }

    /// Logs a request whose client has closed the connection before its head was complete, as nginx does.
    async fn log_left(&self, request: &Request) {
        let server = {
            let config = self.service.store.load();
            let Some((servers, _)) = self.servers(&config) else { return };
            let selected = self.select(servers, Some(request.host_as_sent()));
            selected.map_or_else(|_| servers.default_server().clone(), |selected| selected.server.clone())
        };
        let path: BString = request.path().into();
        let is_target_invalid = request.is_path_invalid();
        let mut exchange = Exchange::new(self, request, server, path, Instant::now());
        exchange.adopt_error_log();
        log::left_early(self.id, &self.peer);
        exchange.is_target_invalid = is_target_invalid;
        exchange.sent.status = StatusCode::BAD_REQUEST.as_u16();
        self.follow_up(&mut exchange, true).await;
        exchange.log();
    }

    /// Answers a request, or refuses it.
    pub(super) async fn answer(
        &self,
        request: &Request,
        mut refused: Option<HeadError>,
    ) -> (After, AfterTimes) {
        let started = Instant::now();
        let (server, named) = {
            let config = self.service.store.borrow();
            let Some((servers, is_present)) = self.servers(&config) else {
                return (After::Close { lingers: false }, AfterTimes::NONE);
            };
            if !is_present {
                refused = refused.or(Some((StatusCode::NOT_FOUND, "no server listens here any more")));
            }
            match self.select(servers, refused.is_none().then(|| request.host_as_sent())) {
                Ok(Selected { server, named, is_misdirected }) => {
                    if is_misdirected {
                        refused = refused.or(Some(MISDIRECTED));
                    }
                    (server.clone(), named)
                }
                Err(_) => {
                    log::undecided(self.id, "the host", &self.peer);
                    let why = "the host cannot be decided";
                    refused = refused.or(Some((StatusCode::INTERNAL_SERVER_ERROR, why)));
                    (servers.default_server().clone(), None)
                }
            }
        };
        if self.lacks_tls {
            refused = refused.or(Some((
                StatusCode::from_u16(PLAIN_TO_TLS).expect("it is one"),
                "client sent plain HTTP request to HTTPS port",
            )));
        }
        refused = refused.or_else(|| self.refusal_of_client(&server));
        let path: BString = request.path().into();
        let mut exchange = Exchange::new(self, request, server, path, started);
        if let Some(found) = named {
            exchange.assigned.matched(found);
        }
        exchange.adopt_error_log();
        exchange.is_target_invalid = request.is_path_invalid();
        if exchange.is_target_invalid {
            exchange.query.clear();
            exchange.has_query = false;
        }
        // A connection of HTTP/2 is kept by its owner.
        exchange.keeps_alive = self.socket.http2().is_none()
            && wants_keepalive(request)
            && refused.is_none_or(|(status, _)| status != MISDIRECTED.0);
        if let Some((status, why)) = refused {
            log::refused(self.id, status.as_u16(), why, &self.peer);
        }
        let answered = {
            let mut processed = pin!(async {
                match refused {
                    Some((status, _)) => exchange.refuse(status).await,
                    None => {
                        exchange.adopt_keepalive();
                        exchange.process().await
                    }
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
        };
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

    /// Does what follows the response, until the server stops.
    async fn follow_up(&self, exchange: &mut Exchange<'_>, acts: bool) {
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
        let is_body_done = was_refused
            || match self.discard(exchange).await {
                Ok(is_done) => is_done,
                // As in nginx, one that is found only now, when a page is sent, is not told.
                Err(_) => {
                    exchange.keeps_alive = false;
                    true
                }
            };
        self.adopt_nodelay(exchange.conf().tcp_nodelay);
        if self.socket.http2().is_some() {
            exchange.refuse_tunnel();
        }
        let needs_client = exchange.response.foreign.as_ref().is_some_and(|foreign| foreign.needs_client);
        let mut ended = None;
        let sent = tokio::select! {
            biased;
            sent = exchange.send() => sent,
            () = self.client_left(), if needs_client => {
                ended = Some(CLIENT_CLOSED_REQUEST);
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            () = self.service.lifetime.shutdown.cancelled() => {
                ended = Some(NO_STATUS);
                Err(io::ErrorKind::ConnectionAborted.into())
            }
        };
        if let Some(status) = ended.filter(|_| exchange.sent.bytes == 0) {
            exchange.sent.status = status;
        }
        if let Err(error) = sent {
            match ended {
                None => log::send_failed(exchange, &error),
                Some(NO_STATUS) => {}
                Some(_) => log::client_left(exchange),
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
            let received = std::mem::take(&mut self.input.lock().buffer).freeze();
            tokio::select! {
                sent = tunnel.run(self.socket.clone(), received) => {
                    exchange.sent.bytes += sent;
                    exchange.sent.body_bytes += sent;
                }
                () = self.service.lifetime.shutdown.cancelled() => {}
            }
            return After::Gone;
        }
        if self.socket.http2().is_some() {
            // The client is told with the end of the stream that the rest of the body is not wanted.
            return After::Next;
        }
        let is_body_done = is_body_done || self.discard_rest(exchange).await;
        if exchange.keeps_alive && is_body_done {
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

    /// Applies `tcp_nodelay`.
    fn adopt_nodelay(&self, nodelay: bool) {
        if self.nodelay.swap(nodelay, Ordering::Relaxed) != nodelay {
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
        let life: &http2::conf::Current = self.location.get();
        if conf.keepalive_timeout.timeout.0 == 0
            || self.connection.requests >= conf.keepalive_requests
            || self.connection.started.elapsed() > life.keepalive_time.duration()
        {
            self.keeps_alive = false;
            return;
        }
        let disabled = self.core().keepalive_disable.0.unwrap_or(KeepaliveDisable::NONE);
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
