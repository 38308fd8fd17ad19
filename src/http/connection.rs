//! One HTTP connection: reads requests one after another, and answers each before the next.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bstr::BString;
use bytes::BytesMut;
use http::StatusCode;
use parking_lot::Mutex;
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFuture;

use super::answering::After;
use super::counters::{ConnectionActivity, CountedConnection};
use super::exchange::{Exchange, HttpConnection, HttpService};
use super::head_parser::{HeadBuffers, HeadParser, HeaderNames};
use super::input::Input;
use super::log;
use super::request::{HeadError, Request};
use super::server_conf::ServerConf;
use crate::config::model::HttpServer;
use crate::directive::ListenAddr;
use crate::limits;
use crate::media::workers::Worker;
use crate::net::moderation;
use crate::net::socket::{Peer, Socket};
use crate::task::lifetime::{Lifetime, StopSignal};

/// Outcome of the wait for a request head.
enum Head {
    /// It is complete.
    Complete(Box<Request>),
    /// It is refused.
    Refused(Box<Request>, HeadError),
    /// The client has closed before it was complete, or the connection failed.
    Left(Box<Request>, Option<io::Error>),
    /// There is none: the client has closed, was silent for too long, or the server stops.
    None,
}

thread_local! {
    /// Requests that are over, for their memory, the latest one last. A worker whose connections use the same memory in turn finds it in the
    /// processor's cache, and a connection that waits holds none.
    #[expect(clippy::vec_box, reason = "they are boxed before they come here and afterwards")]
    static SPARES: RefCell<Vec<Box<Request>>> = const { RefCell::new(Vec::new()) };
}

/// Settings of the head of a request, which its server does not apply to yet: those of the address's default server.
#[derive(Clone, Copy)]
pub(super) struct HeadSettings {
    pub(super) buffers: HeadBuffers,
    pub(super) names: HeaderNames,
    pub(super) timeout: Option<Duration>,
}

impl HttpConnection {
    /// Settings of a server for heads.
    pub(super) fn head_settings(&self, server: &HttpServer) -> HeadSettings {
        let fallback = &server.routes().fallback;
        let core = &self.service.plan(fallback).core;
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
                most: size(core.max_headers.0),
            },
            timeout: server.get::<ServerConf>().client_header_timeout.nonzero(),
        }
    }
}

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
    let mut keepalive = None;
    while let Some(until) = connection.serve_request(keepalive, &mut waits, &mut counted).await {
        keepalive = Some(until);
    }
}

/// Keeps a request that is over for its memory, if that is worth using again.
fn keep_spare(mut request: Box<Request>) {
    if !request.forget() {
        return;
    }
    SPARES.with_borrow_mut(|spares| {
        if spares.len() < limits::HTTP_SPARES {
            spares.push(request);
        }
    });
}

/// A request that says nothing yet, if possible in the memory of one that is over.
fn spare() -> Box<Request> {
    SPARES.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// The request with its head, as far as that was received.
fn finished(parser: &HeadParser, request: Option<Box<Request>>, received: &mut BytesMut) -> Box<Request> {
    let mut request = request.unwrap_or_default();
    parser.finish(&mut request, received);
    request
}

/// Timer and signals that end the wait for a request, kept for the life of a connection: to begin such a wait anew for each
/// request would cost more than many requests do.
struct Waits<'w, 't> {
    timer: Pin<&'w mut Sleep>,
    /// Shutdown, and draining, which ends idle connections only.
    ends: [(&'t StopSignal, Pin<&'w mut WaitForCancellationFuture<'t>>); 2],
    /// Waker that the timer and the signals use.
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

impl HttpConnection {
    /// Waits for a request, until `keepalive` behind another one, and answers it. Returns how long the next one is waited for; `None` if
    /// there will be none.
    async fn serve_request(
        &mut self,
        keepalive: Option<Instant>,
        waits: &mut Waits<'_, '_>,
        counted: &mut CountedConnection<'_>,
    ) -> Option<Instant> {
        let (request, refused) = match self.read_head(keepalive, waits, counted).await {
            Head::Complete(request) => (request, None),
            Head::Refused(request, error) => (request, Some(error)),
            Head::Left(request, failure) => {
                self.count_request(counted);
                Box::pin(self.log_left(&request, failure.as_ref())).await;
                return None;
            }
            Head::None => return None,
        };
        self.count_request(counted);
        if refused.is_none() {
            self.input.get_mut().begin_body(request.body());
        }
        // Boxed: while the connection is idle, it needs no room for requests. Made in its place, because it is large: to move it there
        // would be a good part of a small answer.
        let answer = Box::write(Box::new_uninit(), self.answer(&request, refused));
        let (after, times) = Box::into_pin(answer).await;
        match after {
            After::Next => {}
            After::Close { lingers: true } => {
                Box::pin(self.linger(times)).await;
                return None;
            }
            After::Close { lingers: false } | After::Gone => return None,
        }
        self.is_pipelined = !self.input.get_mut().buffer.is_empty();
        keep_spare(request);
        Some(Instant::now() + times.keepalive)
    }

    fn count_request(&mut self, counted: &mut CountedConnection<'_>) {
        counted.request();
        self.requests += 1;
    }

    /// Waits for a request head; `keepalive` is set after the first request.
    async fn read_head(
        &mut self,
        keepalive: Option<Instant>,
        waits: &mut Waits<'_, '_>,
        counted: &mut CountedConnection<'_>,
    ) -> Head {
        let generation = self.service.store.generation();
        let settings = match waits.settings {
            Some((of, settings)) if of == generation => settings,
            _ => {
                let config = self.service.store.load();
                let Some(servers) = self.servers(&config) else { return Head::None };
                // Until a request has selected its server, those of the server negotiated with TLS or of the default
                // server apply, as in nginx.
                let server = self.first_server(servers);
                // As in nginx, lines before the first request go to its log.
                self.adopt_error_log(&self.service.plan(&server.routes().fallback).core);
                self.head_settings(server)
            }
        };
        waits.settings = Some((generation, settings));
        let mut parser = HeadParser::default();
        let mut received = std::mem::take(&mut self.input.get_mut().buffer);
        let mut request: Option<Box<Request>> = None;
        let mut deadline = None;
        // Behind another request, there is rarely anything yet.
        let mut reads = keepalive.is_none() || !received.is_empty();
        loop {
            if std::mem::replace(&mut reads, true) {
                let known = request.get_or_insert_with(spare);
                if !received.is_empty() {
                    let parsed = parser.parse(known, &received, settings.names);
                    if !matches!(parsed, Ok(false)) {
                        let request = finished(&parser, request, &mut received);
                        self.input.get_mut().buffer = received;
                        return match parsed.err().or_else(|| request.check().err()) {
                            None => Head::Complete(request),
                            Some(error) => Head::Refused(request, error),
                        };
                    }
                }
                let room = match parser.room(&received, &settings.buffers) {
                    Ok(room) => room,
                    Err(error) => return Head::Refused(finished(&parser, request, &mut received), error),
                };
                if received.capacity() == 0 {
                    received = std::mem::take(&mut known.head);
                }
                match self.socket.read_some(&mut received, room.min(limits::HTTP_READ_BYTES)) {
                    Ok(0) if received.is_empty() => {
                        log::closed_idle(self, keepalive.is_some(), None);
                        return Head::None;
                    }
                    Ok(0) => return Head::Left(finished(&parser, request, &mut received), None),
                    Ok(_) => continue,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) if received.is_empty() => {
                        log::closed_idle(self, keepalive.is_some(), Some(&error));
                        return Head::None;
                    }
                    Err(error) => return Head::Left(finished(&parser, request, &mut received), Some(error)),
                }
            }
            // As in nginx, a connection also waits before its first request.
            let has_begun = !received.is_empty();
            counted.does(if has_begun { ConnectionActivity::Reading } else { ConnectionActivity::Waiting });
            // As in nginx, an empty line is the beginning of a request.
            let waiting = keepalive.filter(|_| received.is_empty());
            let until = match waiting {
                Some(until) => Some(until),
                None => *deadline
                    .get_or_insert_with(|| settings.timeout.map(|patience| Instant::now() + patience)),
            };
            if received.is_empty() {
                let memory = std::mem::take(&mut received);
                if let Some(mut request) = request.take() {
                    request.head = memory;
                    keep_spare(request);
                }
            }
            moderation::is_prompt(self.socket.descriptor());
            match waits.readable(&self.socket, until, waiting.is_some()).await {
                Waited::Readable => {}
                Waited::TimedOut if !received.is_empty() => {
                    let request = finished(&parser, request, &mut received);
                    let error = HeadError::new(408, "client timed out (110: Connection timed out)");
                    let error = if request.has_line() { error } else { error.in_line() };
                    return Head::Refused(request, error);
                }
                Waited::TimedOut => {
                    if keepalive.is_none() {
                        log::silent(self);
                    }
                    return Head::None;
                }
                Waited::Ended => return Head::None,
            }
        }
    }

    /// Logs a request whose client has closed the connection before its head was complete, as nginx does.
    async fn log_left(&self, request: &Request, failure: Option<&io::Error>) {
        let Some(mut exchange) = self.unanswered(request) else { return };
        log::left_early(&exchange, failure);
        exchange.sent.status = StatusCode::BAD_REQUEST.as_u16();
        self.follow_up(&mut exchange, true).await;
        exchange.log();
    }

    /// A request whose head is incomplete, to be logged; `None` if there are no servers any more.
    pub(super) fn unanswered<'r>(&'r self, request: &'r Request) -> Option<Exchange<'r>> {
        let server = {
            let config = self.service.store.load();
            let servers = self.servers(&config)?;
            let selected = self.select(servers, Some(request.host_as_sent()));
            selected.map_or_else(|_| servers.default_server().clone(), |selected| selected.server.clone())
        };
        let path: BString = request.path().into();
        let mut exchange = Exchange::new(self, request, server, path, Instant::now());
        exchange.adopt_error_log();
        exchange.is_target_invalid = request.is_path_invalid();
        Some(exchange)
    }
}
