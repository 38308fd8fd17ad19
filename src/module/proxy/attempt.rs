//! Attempts to forward a request: to one server after another, as `proxy_next_upstream` allows.

use std::fmt::Write;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, StatusCode};

use super::conf::{Current, NextUpstream};
use super::connect::{ConnectSettings, connect};
use super::doing::{CONNECTING, SENDING};
use super::failure::{Failure, case_of, connect_failed, link_failed, refused};
use super::head::{HeadReader, ResponseHead};
use super::link::{BackendConnection, SendOutcome};
use super::link_error::LinkError;
use super::log;
use super::request::RequestHead;
use super::states::UpstreamAttempts;
use crate::http::body_reader::BodyReader;
use crate::http::exchange::{Decision, Exchange};
use crate::http::log::READING_UPSTREAM_HEAD;
use crate::http::request_body::RequestBody;
use crate::http::response::Body;
use crate::http::upstream::affinity::ServerCookie;
use crate::http::upstream::group::{Choice, PeerUse};
use crate::http::upstream::idle::{self, IdleKey};
use crate::limits;
use crate::task::patience::end_of;

/// What is forwarded.
pub(super) struct ForwardedRequest<'j> {
    pub(super) conf: &'j Current,
    pub(super) head: RequestHead,
    pub(super) body: Outgoing,
    pub(super) connect: ConnectSettings,
    /// Name of the TLS server and number of its settings, by which idle connections are told apart.
    pub(super) tls: Option<Vec<u8>>,
    pub(super) scheme: &'static str,
    pub(super) attempts: UpstreamAttempts,
}

/// The body of a request.
pub(super) enum Outgoing {
    /// None.
    None,
    /// These bytes.
    Bytes(Bytes),
    /// The client's, which was read.
    Collected(Arc<RequestBody>),
    /// The client's, part by part.
    Streamed {
        /// Whether its length is not known.
        in_chunks: bool,
    },
}

/// How long the head of a response is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadPatience {
    /// When the whole head must be there.
    until: Option<Instant>,
    /// Time between two reads.
    each: Duration,
}

impl HeadPatience {
    /// No end.
    pub(super) const ENDLESS: HeadPatience = HeadPatience { until: None, each: Duration::MAX };

    /// The time for the next read.
    pub(super) fn left(self) -> Duration {
        self.until.map_or(self.each, |until| until.saturating_duration_since(Instant::now()))
    }
}

/// A response whose head is there.
pub(super) struct BackendResponse {
    pub(super) head: ResponseHead,
    pub(super) link: BackendConnection,
    pub(super) used: PeerUse,
    /// Whether the connection may be kept.
    pub(super) is_reusable: bool,
    pub(super) key: IdleKey,
}

/// A request that no server has answered.
pub(super) struct Failed {
    pub(super) decision: Decision,
    /// The case, if it is a server's failure.
    pub(super) case: Option<NextUpstream>,
    pub(super) status: u16,
}

/// How far a request was sent in an attempt.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Whether sending has begun.
    has_begun: bool,
    /// Whether everything was sent.
    is_complete: bool,
    is_cached: bool,
}

/// Ends the latest attempt when it is dropped, because the client has left.
struct Ending(Option<UpstreamAttempts>);

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(attempts) = &self.0 {
            attempts.end();
        }
    }
}

impl ForwardedRequest<'_> {
    /// Cases in which the next server is tried.
    fn allowed(&self) -> NextUpstream {
        self.conf.next_upstream.0.unwrap_or(NextUpstream::ERROR | NextUpstream::TIMEOUT)
    }

    /// Time for which the head of the response is waited for: without `proxy_header_timeout` it begins anew whenever the
    /// server sends something.
    pub(super) fn head_patience(&self) -> HeadPatience {
        match self.conf.header_timeout {
            Some(whole) => HeadPatience { until: Some(end_of(whole.duration())), each: whole.duration() },
            None => HeadPatience { until: None, each: self.conf.read_timeout.duration() },
        }
    }

    /// Whether the next server may be tried after a failure, provided that there is one.
    fn may_repeat(
        &self,
        exchange: &Exchange<'_>,
        case: NextUpstream,
        has_begun: bool,
        began: Instant,
    ) -> bool {
        let mut case = case;
        let method = exchange.method();
        let is_idempotent = *method != Method::POST && *method != Method::PATCH && method.as_str() != "LOCK";
        if has_begun && !is_idempotent {
            case |= NextUpstream::NON_IDEMPOTENT;
        }
        let allowed = self.allowed();
        let limit = self.conf.next_upstream_timeout.nonzero();
        let is_streamed = matches!(self.body, Outgoing::Streamed { .. });
        allowed.contains(case)
            && !allowed.contains(NextUpstream::OFF)
            && !(has_begun && is_streamed)
            && limit.is_none_or(|limit| began.elapsed() < limit)
    }

    /// Forwards the request until a server answers.
    ///
    /// # Errors
    ///
    /// [`Failed`].
    pub(super) async fn run(
        &self,
        exchange: &mut Exchange<'_>,
        mut choice: Choice,
    ) -> Result<BackendResponse, Failed> {
        let began = Instant::now();
        let mut ending = Ending(Some(self.attempts.clone()));
        if let Some(most) = usize::try_from(self.conf.next_upstream_tries).ok().filter(|most| *most > 0) {
            match self.allowed().contains(NextUpstream::NO_LIVE) {
                true => choice.repeat(most),
                false => choice.tries = choice.tries.min(most),
            }
        }
        loop {
            let Some(mut used) = choice.next_peer() else {
                let name = choice.group().conf.name.clone();
                self.attempts.add(&name.to_string());
                self.name_upstream(exchange, &name.to_string());
                log::no_live_upstreams(exchange);
                self.attempts.latest(|attempt| attempt.status = 502);
                self.attempts.end();
                let decision = Decision::page(StatusCode::BAD_GATEWAY);
                return Err(Failed { decision, case: Some(NextUpstream::ERROR), status: 502 });
            };
            self.attempts.add(&used.peer.name);
            if let Some(cookie) = choice.cookie(exchange, &used) {
                exchange.kept.insert(ServerCookie(cookie));
            }
            self.name_upstream(exchange, &used.peer.name);
            let key = IdleKey {
                group: choice.group().id,
                addr: used.peer.addr.clone(),
                tls: self.tls.clone(),
                is_http2: self.connect.is_http2,
                location: used
                    .idle_settings()
                    .filter(|settings| settings.local)
                    .map(|_| Arc::as_ptr(&exchange.location) as usize),
            };
            let mut progress = Progress::default();
            let result = self.try_once(exchange, &used, &key, &mut progress).await;
            let failure = match result {
                Ok((head, link)) => {
                    let repeats = case_of(head.status).is_some_and(|case| {
                        choice.tries > 1 && self.may_repeat(exchange, case, progress.has_begun, began)
                    });
                    if !repeats {
                        let is_sent_beside = link.is_http2() || link.rest.is_some();
                        let is_reusable = (progress.is_complete || is_sent_beside) && !head.closes;
                        ending.0 = None;
                        if choice.is_bound() {
                            self.attempts.0.lock().headers = head.headers.clone();
                            choice.answered(exchange, &mut used);
                        }
                        used.head_came();
                        return Ok(BackendResponse { head, link, used, is_reusable, key });
                    }
                    self.attempts.latest(|attempt| link.count(attempt));
                    Failure::Status(head.status)
                }
                Err(Failure::Client(decision)) => {
                    self.attempts.end();
                    return Err(Failed { decision, case: None, status: 0 });
                }
                Err(failure) => failure,
            };
            // As in nginx, a server that refuses or does not find something works.
            let counts = !matches!(failure, Failure::Status(403 | 404));
            // A connection that was idle may have been closed meanwhile: that is no failure of the server.
            let was_idle = progress.is_cached && matches!(failure, Failure::Error);
            let before = choice.tries;
            if choice.failed(used, counts) {
                log::disabled(exchange, if progress.has_begun { READING_UPSTREAM_HEAD } else { CONNECTING });
            }
            if was_idle {
                choice.tries = before.max(1);
            }
            let status = failure.status();
            self.attempts.latest(|attempt| attempt.status = status);
            if choice.tries == 0 || !self.may_repeat(exchange, failure.case(), progress.has_begun, began) {
                self.attempts.end();
                let page = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                return Err(Failed { decision: Decision::page(page), case: Some(failure.case()), status });
            }
        }
    }

    /// Lets log lines name the server.
    fn name_upstream(&self, exchange: &mut Exchange<'_>, peer: &str) {
        let colon = if peer.starts_with("unix:") { ":" } else { "" };
        let mut url = String::with_capacity(self.scheme.len() + peer.len() + self.head.uri.len() + 1);
        url.extend([self.scheme, peer, colon]);
        // Writing to a text does not fail.
        let _ = write!(url, "{}", crate::log::shown::Shown::new(&self.head.uri));
        exchange.upstream = Some(url.into());
    }

    async fn try_once(
        &self,
        exchange: &mut Exchange<'_>,
        used: &PeerUse,
        key: &IdleKey,
        progress: &mut Progress,
    ) -> Result<(ResponseHead, BackendConnection), Failure> {
        exchange.doing = Some(CONNECTING);
        let mut link = match idle::take(key) {
            Some(connection) => BackendConnection::new(connection, true),
            None => match connect(&used.peer.addr, &self.connect).await {
                Ok(connection) => BackendConnection::new(connection, false),
                Err(error) => return Err(connect_failed(exchange, &used.peer.name, &error)),
            },
        };
        progress.is_cached = link.is_cached;
        self.attempts.latest(|attempt| attempt.connect = Some(attempt.began.elapsed()));
        progress.has_begun = true;
        exchange.doing = Some(SENDING);
        let sent = match &self.head.http2 {
            Some(fields) => self.send_http2(exchange, &mut link, fields).await,
            None => self.send(exchange, &mut link).await,
        };
        self.attempts.latest(|attempt| link.count(attempt));
        progress.is_complete = sent? == SendOutcome::All;
        exchange.doing = Some(READING_UPSTREAM_HEAD);
        let head = self.read_beside(exchange, &mut link).await;
        if let Ok(head) = &head {
            self.attempts.latest(|attempt| {
                attempt.header = Some(attempt.began.elapsed());
                (attempt.status, attempt.sent) = (head.status, 0);
            });
        }
        Ok((head?, link))
    }

    /// Sends the request.
    async fn send(
        &self,
        exchange: &mut Exchange<'_>,
        link: &mut BackendConnection,
    ) -> Result<SendOutcome, Failure> {
        let patience = self.conf.send_timeout.duration();
        let head = &self.head.bytes;
        let sent = match &self.body {
            Outgoing::None => link.send(head, patience).await,
            Outgoing::Bytes(bytes) => link.send(&[head, &bytes[..]].concat(), patience).await,
            Outgoing::Collected(body) => match body.in_memory() {
                Some(bytes) => link.send(&[head, bytes].concat(), patience).await,
                None => return self.send_file(exchange, link, body).await,
            },
            Outgoing::Streamed { in_chunks } => return self.send_parts(exchange, link, *in_chunks).await,
        };
        self.flushed(exchange, link, sent).await
    }

    async fn flushed(
        &self,
        exchange: &Exchange<'_>,
        link: &mut BackendConnection,
        sent: Result<SendOutcome, LinkError>,
    ) -> Result<SendOutcome, Failure> {
        let sent = sent.map_err(|error| link_failed(exchange, &error, SENDING))?;
        let flushed = link.flush(self.conf.send_timeout.duration()).await;
        flushed.map_err(|error| link_failed(exchange, &error, SENDING))?;
        Ok(sent)
    }

    async fn send_file(
        &self,
        exchange: &mut Exchange<'_>,
        link: &mut BackendConnection,
        body: &RequestBody,
    ) -> Result<SendOutcome, Failure> {
        let patience = self.conf.send_timeout.duration();
        let mut reader = BodyReader::new(Body::Pieces(body.pieces()));
        let mut sent = link.send(&self.head.bytes, patience).await;
        while let Ok(SendOutcome::All) = sent {
            match poll_fn(|cx| reader.poll_bytes(cx)).await {
                None => break,
                Some(Ok(bytes)) => sent = link.send(&bytes, patience).await,
                Some(Err(error)) => sent = Err(LinkError::Failed("pread", error)),
            }
        }
        self.flushed(exchange, link, sent).await
    }

    /// Reads the head of the response; interim ones before it are passed over.
    pub(super) async fn read_head(
        &self,
        exchange: &mut Exchange<'_>,
        link: &mut BackendConnection,
        patience: HeadPatience,
    ) -> Result<ResponseHead, Failure> {
        let size = usize::try_from(self.conf.buffer_size.0.0).unwrap_or(usize::MAX).max(1);
        // What came while the request was being sent.
        let early = link.received.len() as u64;
        self.attempts.latest(|attempt| attempt.received += early);
        for _ in 0..limits::PROXY_INTERIM {
            let mut reader = HeadReader::default();
            let head = loop {
                match reader.read(&mut link.received) {
                    Ok(Some(head)) if reader.taken() <= size => break head,
                    Ok(Some(_)) => return Err(refused(exchange, "upstream sent too big header")),
                    Ok(None) => {}
                    Err(bad) => return Err(refused(exchange, &bad.0)),
                }
                let room = size.saturating_sub(reader.taken() + link.received.len());
                if room == 0 {
                    return Err(refused(exchange, "upstream sent too big header"));
                }
                let received = link.receive(room, patience.left()).await;
                let length =
                    received.map_err(|error| link_failed(exchange, &error, READING_UPSTREAM_HEAD))? as u64;
                self.attempts.latest(|attempt| attempt.received += length);
            };
            if head.is_bare {
                log::bad_response(exchange, "upstream sent no valid HTTP/1.0 header");
            }
            if head.status == 103 {
                exchange.pass_early_hints(&head.headers).await;
            }
            if !(100..200).contains(&head.status) || head.status == 101 {
                return Ok(head);
            }
        }
        Err(refused(exchange, "upstream sent too many interim responses"))
    }
}
