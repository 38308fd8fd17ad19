//! One connection of HTTP/2: takes requests, lets each be answered on its stream, and ends when it is idle, when it is to, or
//! when its client does not keep to the rules.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::StatusCode;
use parking_lot::Mutex;
use tokio::time::Sleep;

use super::conf::Current as Http2;
use super::head;
use crate::directive::ListenAddr;
use crate::http::answering::{AfterTimes, NO_STATUS};
use crate::http::conf::Conf;
use crate::http::connection::HeadSettings;
use crate::http::counters::{ConnectionActivity, CountedConnection};
use crate::http::exchange::{HttpConnection, HttpService};
use crate::http::input::Input;
use crate::http::log;
use crate::http::request::{BodyFraming, HeadError, Request};
use crate::limits;
use crate::media::workers::Worker;
use crate::net::http2::hpack::HeadBounds;
use crate::net::http2::intake::{ReceivedHead, Terms};
use crate::net::http2::{Fault, Http2Connection, Http2Stream, Offer, Traffic, is_wrong_preface};
use crate::net::moderation;
use crate::net::socket::{Peer, Socket};
use crate::task::lifetime::Lifetime;

/// Values of the default server of a connection's address.
struct Settings {
    head: HeadSettings,
    streams: u32,
    preread: u32,
    keepalive: Duration,
    keepalive_requests: u64,
    keepalive_time: Duration,
    send_timeout: Option<Duration>,
    lingering: AfterTimes,
}

impl Settings {
    /// How long a connection that was accepted at `started` takes requests.
    fn terms(&self, started: Instant) -> Terms {
        // As in nginx, the first one is the last if the connection is not kept.
        let requests = if self.keepalive.is_zero() { 1 } else { self.keepalive_requests };
        Terms { requests, until: started.checked_add(self.keepalive_time) }
    }
}

/// How many requests are being answered, shared with their tasks.
#[derive(Default)]
struct Running(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    now: usize,
    completed: u64,
    /// Requests that the client has reset before their responses were complete.
    reset: u64,
    /// The connection's task, which waits for the last one to end.
    waker: Option<Waker>,
}

/// A request being answered.
struct Run(Arc<Running>);

impl Run {
    fn begin(running: &Arc<Running>) -> Run {
        running.0.lock().now += 1;
        Run(running.clone())
    }

    fn ended(&self, was_reset: bool) {
        let mut counts = self.0.0.lock();
        match was_reset {
            true => counts.reset += 1,
            false => counts.completed += 1,
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock();
        counts.now -= 1;
        if let Some(waker) = counts.waker.as_ref().filter(|_| counts.now == 0) {
            waker.wake_by_ref();
        }
    }
}

/// Event on a connection.
enum Event {
    /// A request has come.
    Request(Box<http::Request<RecvStream>>, SendResponse<Bytes>),
    /// The client does not keep to the rules, or the socket failed.
    Failed(h2::Error),
    /// The client has closed, or everything that was to be answered is.
    Ended,
    /// The socket accepts nothing more.
    Gone,
    /// The server drains.
    Drains,
    /// Nothing more is waited for.
    TimedOut(&'static str),
    /// The client resets too many requests.
    Resets,
    /// The client sends too many requests at a time, again and again.
    Refused,
}

/// Serves a connection that speaks HTTP/2, of which `before` was read already.
pub(in crate::http) async fn serve(
    service: Arc<HttpService>,
    worker: Worker,
    listen: ListenAddr,
    accepted: (Socket, Peer),
    before: Bytes,
) {
    // As in nginx, small frames are sent without delay.
    accepted.0.set_nodelay(true);
    let counters = service.counters.clone();
    let mut base = HttpConnection::new(service, worker, listen, accepted);
    base.nodelay = AtomicBool::new(true);
    let Some(settings) = base.http2_settings() else { return };
    let buffers = &settings.head.buffers;
    let bounds = HeadBounds {
        field: buffers.size,
        head: buffers.number.saturating_mul(buffers.size),
        fields: settings.head.names.most.saturating_add(limits::HTTP2_FIELDS),
    };
    let traffic = Arc::new(Traffic::of_client(bounds));
    traffic.set_terms(settings.terms(base.started));
    // Boxed, because it needs much room, and for a short time.
    let begun = Box::pin(begin(&base, &settings, before, traffic.clone())).await;
    let Some(connection) = begun else { return };
    traffic.gather();
    let Lifetime { shutdown, draining, .. } = base.service.lifetime.clone();
    let mut serving = Serving {
        generation: base.service.store.generation(),
        streams: settings.streams,
        base,
        settings,
        connection,
        traffic,
        running: Arc::default(),
        idle_since: None,
        incomplete_since: None,
    };
    let served = serving.run(counters.connection());
    let mut served = pin!(served);
    let mut waits_to_drain = true;
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            // The connection sees it at its next turn.
            () = draining.cancelled(), if waits_to_drain => waits_to_drain = false,
            () = served.as_mut() => return,
        }
    }
}

/// Takes the client's preface and sends the settings.
async fn begin(
    base: &HttpConnection,
    settings: &Settings,
    before: Bytes,
    traffic: Arc<Traffic>,
) -> Option<Http2Connection> {
    let offer = Offer { streams: settings.streams, window: settings.preread };
    let handshake = Http2Connection::begin(base.socket.clone(), before, traffic, offer);
    let begun = async {
        let begun = match settings.head.timeout {
            None => handshake.await,
            Some(patience) => tokio::time::timeout(patience, handshake).await.ok()?,
        };
        if begun.as_ref().is_err_and(is_wrong_preface) {
            log::http2_failed(base.id, "invalid connection preface", &base.peer);
        }
        begun.ok()
    };
    tokio::select! {
        begun = begun => begun,
        () = base.service.lifetime.shutdown.cancelled() => None,
        () = base.service.lifetime.draining.cancelled() => None,
    }
}

/// A connection being served.
struct Serving {
    base: HttpConnection,
    settings: Settings,
    /// Generation of the configuration that the settings are from.
    generation: u64,
    /// Most streams at a time, as the client was told.
    streams: u32,
    connection: Http2Connection,
    traffic: Arc<Traffic>,
    running: Arc<Running>,
    /// Since when no request is being answered.
    idle_since: Option<Instant>,
    /// Since when a frame or a head is incomplete.
    incomplete_since: Option<Instant>,
}

impl Serving {
    async fn run(&mut self, mut counted: CountedConnection<'_>) {
        let mut timer = pin!(tokio::time::sleep(limits::HTTP_FIRST_WAIT));
        loop {
            counted.does(match self.running.0.lock().now {
                _ if self.base.requests == 0 => ConnectionActivity::Reading,
                0 => ConnectionActivity::Waiting,
                _ => ConnectionActivity::Writing,
            });
            self.adopt_settings();
            let event = poll_fn(|cx| self.poll_event(timer.as_mut(), cx)).await;
            if !matches!(event, Event::Request(..) | Event::Drains) {
                self.log_incomplete(&mut counted);
            }
            match event {
                Event::Request(request, respond) => {
                    counted.request();
                    // Many are answered before the next turn, which would take the connection for idle all along.
                    self.idle_since = None;
                    self.answer(*request, respond).await;
                }
                Event::Drains => self.traffic.leave(),
                // What the client sends before it has read the end must not reset the connection: it would lose the rest of
                // its responses.
                Event::Ended if self.traffic.is_ending() => {
                    self.log_left();
                    return self.base.linger(self.settings.lingering).await;
                }
                Event::Ended | Event::Gone => return self.log_left(),
                Event::Failed(error) => {
                    let (why, reason) = match self.traffic.fault() {
                        Some(Fault::Flood) => {
                            ("http2 flood detected".to_owned(), Some(Reason::ENHANCE_YOUR_CALM))
                        }
                        Some(Fault::Frame(violation)) => (violation.to_string(), Some(violation.reason)),
                        None if error.is_io() => return self.log_left(),
                        None => (error.to_string(), error.reason()),
                    };
                    log::http2_failed(self.base.id, &why, &self.base.peer);
                    return self.close(reason).await;
                }
                Event::TimedOut(why) => {
                    if !why.is_empty() {
                        log::http2_failed(self.base.id, why, &self.base.peer);
                    }
                    return self.close(None).await;
                }
                Event::Refused => {
                    log::http2_failed(self.base.id, "client sent too many refused streams", &self.base.peer);
                    return self.close(Some(Reason::NO_ERROR)).await;
                }
                Event::Resets => {
                    log::http2_failed(self.base.id, "client reset too many streams", &self.base.peer);
                    return self.close(Some(Reason::ENHANCE_YOUR_CALM)).await;
                }
            }
        }
    }

    /// Takes over changes of the configuration.
    fn adopt_settings(&mut self) {
        let generation = self.base.service.store.generation();
        if self.generation != generation
            && let Some(settings) = self.base.http2_settings()
        {
            self.traffic.set_terms(settings.terms(self.base.started));
            (self.generation, self.settings) = (generation, settings);
        }
    }

    fn poll_event(&mut self, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<Event> {
        let counts = {
            let mut counts = self.running.0.lock();
            if !counts.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                counts.waker = Some(cx.waker().clone());
            }
            (counts.now, counts.reset > limits::HTTP2_RESETS + 2 * counts.completed)
        };
        if counts.1 {
            return Poll::Ready(Event::Resets);
        }
        match self.connection.poll_accept(cx) {
            Poll::Ready(Some(Ok((request, respond)))) => {
                return Poll::Ready(Event::Request(Box::new(request), respond));
            }
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Event::Failed(error)),
            Poll::Ready(None) => return Poll::Ready(Event::Ended),
            Poll::Pending => moderation::is_prompt(self.base.socket.descriptor()),
        }
        let written = self.traffic.poll_output(&*self.base.socket, cx);
        if let Poll::Ready(Err(_)) = written {
            return Poll::Ready(Event::Gone);
        }
        let (refused, all) = self.traffic.take_refused();
        for _ in 0..refused {
            let text = format!("concurrent streams exceeded {}", self.streams);
            log::http2_failed(self.base.id, &text, &self.base.peer);
        }
        if all > u64::from(self.streams).max(limits::HTTP2_REFUSED) {
            return Poll::Ready(Event::Refused);
        }
        self.traffic.call_next(cx);
        let is_ending = self.traffic.is_ending();
        if !is_ending && self.base.service.lifetime.draining.is_cancelled() {
            return Poll::Ready(Event::Drains);
        }
        let now = Instant::now();
        self.incomplete_since = self.traffic.is_incomplete().then(|| self.incomplete_since.unwrap_or(now));
        // As in nginx, a slow head costs its stream.
        if self
            .incomplete_since
            .zip(self.settings.head.timeout)
            .is_some_and(|(since, wait)| now >= since + wait)
            && self.traffic.give_up_head()
        {
            // Its stream is taken next: until then the connection is not idle for long.
            (self.incomplete_since, self.idle_since) = (None, None);
            cx.waker().wake_by_ref();
        }
        let is_idle = counts.0 == 0 && !self.connection.has_streams();
        if is_ending && is_idle && written.is_ready() && self.traffic.has_said_all() {
            return Poll::Ready(Event::Ended);
        }
        if is_idle && self.idle_since.is_none() {
            self.traffic.rest();
        }
        self.idle_since = is_idle.then(|| self.idle_since.unwrap_or(now));
        let parks_at = self.connection.rest(is_idle && !is_ending, now);
        let settings = &self.settings;
        let patience = match self.base.requests {
            _ if is_ending => limits::HTTP2_LAST_WORDS.min(settings.keepalive),
            // As in nginx, the first request is waited for like its head.
            0 => settings.head.timeout.unwrap_or(settings.keepalive),
            _ => settings.keepalive,
        };
        let incomplete = self.incomplete_since.zip(settings.head.timeout);
        let idle = self.idle_since.filter(|_| incomplete.is_none());
        let until = [
            (incomplete, "client timed out"),
            (idle.map(|since| (since, patience)), ""),
            (self.traffic.blocked_since().zip(settings.send_timeout), "client timed out"),
        ];
        let until = until.into_iter().filter_map(|(wait, why)| wait.map(|(since, wait)| (since + wait, why)));
        let last = until.min_by_key(|(until, _)| *until);
        if let Some((_, why)) = last.filter(|(until, _)| now >= *until) {
            return Poll::Ready(Event::TimedOut(why));
        }
        let Some(until) = last.map(|(until, _)| until).into_iter().chain(parks_at).min() else {
            return Poll::Pending;
        };
        // It is set anew only when it has passed, or is too late: most waits are as long as the one before.
        while timer.is_elapsed() || timer.deadline().into_std() > until {
            timer.as_mut().reset(until.into());
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Answers a request: at once, or in a task of its own if that takes time.
    async fn answer(&mut self, request: http::Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let body = request.into_body();
        let has_body = !body.is_end_stream();
        self.base.requests += 1;
        let names = self.settings.head.names;
        let (request, refused) = match self.traffic.take_head(respond.stream_id().as_u32()) {
            Some(head) if head.is_late => {
                self.log_unanswered(&head, StatusCode::REQUEST_TIMEOUT.as_u16());
                return respond.send_reset(Reason::PROTOCOL_ERROR);
            }
            Some(head) => head::request(&head, has_body, names),
            None => (head::beginning(None, names), Some(HeadError::bad("too many requests wait"))),
        };
        let (socket, traffic) = (self.base.socket.clone(), self.traffic.clone());
        let stream = Http2Stream::new(socket, traffic, body, respond);
        let connection = self.base.of_stream(stream);
        let run = Run::begin(&self.running);
        let mut answered = Box::pin(answered(connection, request, refused, run));
        // Most requests are answered without waiting for anything.
        if poll_fn(|cx| Poll::Ready(answered.as_mut().poll(cx))).await.is_pending() {
            tokio::spawn(answered);
        }
    }

    /// That a client is gone is told if it leaves requests.
    fn log_left(&self) {
        if self.running.0.lock().now > 0 || self.traffic.is_incomplete() {
            log::http2_failed(self.base.id, "client prematurely closed connection", &self.base.peer);
        }
    }

    /// As nginx does, logs the request whose head has begun and does not end with the connection.
    fn log_incomplete(&mut self, counted: &mut CountedConnection<'_>) {
        let Some(head) = self.traffic.incomplete_head() else { return };
        counted.request();
        self.base.requests += 1;
        self.log_unanswered(&head, NO_STATUS);
    }

    /// Logs a request whose head is incomplete.
    fn log_unanswered(&self, head: &ReceivedHead, status: u16) {
        let request = head::beginning(Some(head), self.settings.head.names);
        let Some(mut exchange) = self.base.unanswered(&request) else { return };
        if head.is_late {
            log::head_timed_out(&exchange);
        }
        exchange.sent.status = status;
        exchange.log();
    }

    /// Tells the client why the connection ends, and closes it.
    async fn close(&mut self, reason: Option<Reason>) {
        if reason.is_some() || !self.traffic.is_ending() {
            self.connection.abrupt_shutdown(reason.unwrap_or(Reason::NO_ERROR));
            let last = poll_fn(|cx| self.connection.poll_closed(cx));
            let _ = tokio::time::timeout(limits::HTTP2_LAST_WORDS, last).await;
        }
        // A client that does not keep to the rules may go on for long: what it sends is not read.
        if reason.is_none_or(|reason| reason == Reason::NO_ERROR) {
            self.base.linger(self.settings.lingering).await;
        }
    }
}

/// Answers a request on its stream.
async fn answered(mut connection: HttpConnection, request: Request, refused: Option<HeadError>, run: Run) {
    let input = connection.input.get_mut();
    match request.body() {
        _ if refused.is_some() => {}
        BodyFraming::Chunked => input.begin_stream(None),
        BodyFraming::Length(length) => input.begin_stream(Some(length)),
        BodyFraming::None => input.begin_body(BodyFraming::None),
    }
    // Boxed as for HTTP/1, where the place of a connection is small.
    Box::pin(connection.answer(&request, refused)).await;
    if let Some(stream) = connection.socket.http2() {
        let was_reset =
            !stream.is_finished() && poll_fn(|cx| Poll::Ready(stream.poll_gone(cx).is_ready())).await;
        if !stream.is_finished() && !was_reset {
            // A reset discards what is not written yet: the connection writes what there is of the response before.
            for _ in 0..limits::HTTP2_TURNS_BEFORE_RESET {
                tokio::task::yield_now().await;
            }
        }
        stream.abort();
        run.ended(was_reset);
    }
}

impl HttpConnection {
    /// The connection, for a request on a stream.
    fn of_stream(&self, stream: Http2Stream) -> HttpConnection {
        let socket = Arc::new(Socket::Http2(Box::new(stream)));
        HttpConnection {
            nodelay: AtomicBool::new(self.nodelay.load(Ordering::Relaxed)),
            ..self.with(socket, Input::default())
        }
    }

    /// The settings of the server that was negotiated, or of the default server; `None` if there are no servers any more.
    fn http2_settings(&self) -> Option<Settings> {
        let config = self.service.store.load();
        let servers = self.servers(&config)?;
        let server = self.first_server(servers);
        let location = &server.routes().fallback;
        let (http2, conf): (&Http2, &Conf) = (location.get(), location.get());
        let head = self.head_settings(server);
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Some(Settings {
            streams: narrow(http2.max_streams).max(1),
            preread: narrow(http2.body_preread.0.min(limits::HTTP2_WINDOW)),
            keepalive: conf.keepalive_timeout.timeout.duration(),
            keepalive_requests: conf.keepalive_requests,
            keepalive_time: http2.keepalive_time.duration(),
            send_timeout: conf.send_timeout.nonzero(),
            lingering: AfterTimes::of_location(location),
            head,
        })
    }
}
