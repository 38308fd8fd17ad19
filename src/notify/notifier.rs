//! Sending of callbacks.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::answer::{CallbackAnswer, Reply};
use super::conf::EventKind;
use super::done::{RepeatedEnds, WaitingEnd};
use super::hook::Hook;
use super::id::RequestId;
use super::ledger::snapshot::LedgerSnapshot;
use super::ledger::{self, CallDecision, Ledger, Receipt};
use super::main_conf::MainCurrent;
use super::request::{self, FieldValue, QueryEscape, SessionFields, Stage};
use super::subject::{CallbackLines, Subject};
use super::transport::{CallbackExchange, OutgoingRequest, Transport};
use super::values::CallbackVariables;
use crate::config::store::Store;
use crate::limits;
use crate::notify::log;
use crate::task::backoff::Backoff;
use crate::task::lifetime::emptied;

/// Sends callbacks. Cheap to clone.
#[derive(Clone)]
pub struct Notifier {
    transport: Arc<ArcSwap<Transport>>,
    ledger: Arc<Ledger>,
    pub(super) runtime: Handle,
    pub(super) store: Arc<Store>,
    /// Pending requests.
    requests: TaskTracker,
    ends: Arc<RepeatedEnds>,
}

impl Notifier {
    /// A sender whose requests run on `runtime`.
    pub fn new(runtime: Handle, store: Arc<Store>, transport: Transport) -> Self {
        let requests = TaskTracker::new();
        // The tracker still accepts requests. It is closed only because waiting ends only on a closed tracker.
        requests.close();
        Notifier {
            transport: Arc::new(ArcSwap::from_pointee(transport)),
            ledger: Arc::default(),
            runtime,
            store,
            requests,
            ends: Arc::default(),
        }
    }

    /// The transport in force.
    pub fn transport(&self) -> Arc<Transport> {
        self.transport.load_full()
    }

    /// Replaces the transport after a reload.
    pub fn set_transport(&self, transport: Transport) {
        self.transport.store(Arc::new(transport));
        self.warm();
    }

    /// Creates the HTTP client ahead of the first request.
    pub fn warm(&self) {
        let transport = self.transport();
        self.runtime.spawn_blocking(move || transport.warm());
    }

    /// Snapshot of the ledger.
    pub fn snapshot(&self) -> LedgerSnapshot {
        self.ledger.snapshot(self.ends.waiting(), self.ends.lost_total())
    }

    /// Calls by event.
    pub fn totals(&self) -> Vec<ledger::EventTotals> {
        self.ledger.totals()
    }

    /// Numbers of `done` requests that wait to be repeated, and that were given up.
    pub fn done(&self) -> (usize, u64) {
        (self.ends.waiting(), self.ends.lost_total())
    }

    /// Runs a request to completion, even if the caller goes away; [`Notifier::drained`] waits for it.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.requests.spawn_on(work, &self.runtime)
    }

    /// Encoding of single values in the current configuration.
    pub(super) fn escape(&self) -> QueryEscape {
        self.store.load().rtmp.as_ref().map_or(QueryEscape::Minimal, |rtmp| rtmp.get::<MainCurrent>().escape)
    }

    /// Number of pending requests.
    pub fn under_way(&self) -> usize {
        self.requests.len()
    }

    /// Waits until no request is pending.
    pub async fn drained(&self) {
        emptied(&self.requests).await;
    }

    /// Sends one request of `session` about `event` and records it in the ledger.
    pub async fn call(
        &self,
        hook: &Hook,
        event: &'static str,
        stage: Stage,
        session: Option<u64>,
        sent: OutgoingRequest<'_>,
    ) -> (Reply, Receipt) {
        let began = Instant::now();
        let CallbackExchange { reply, address, rest } =
            self.transport.load_full().send(hook, stage, sent, false).await;
        let took = began.elapsed();
        let call = ledger::FinishedCall { stage, session, answer: reply.answer.clone(), took, address };
        let receipt = self.ledger.record(hook, event, call);
        if let Some(rest) = rest {
            self.runtime.spawn(rest.discard());
        }
        (reply, receipt)
    }
}

/// Data common to the requests of one event.
#[derive(Clone)]
pub(super) struct EventRequest {
    pub(super) event: EventKind,
    /// Values of the event's later fields.
    pub(super) later: Option<Arc<[FieldValue]>>,
    /// Unchanged when the request is repeated.
    pub(super) id: RequestId,
    /// The lines of its application, which say how it travels.
    pub(super) lines: Arc<dyn CallbackLines>,
}

impl EventRequest {
    /// A request about an event, without later fields.
    pub(super) fn new(event: EventKind, lines: &Arc<dyn CallbackLines>) -> Self {
        EventRequest { event, later: None, id: RequestId::new(), lines: lines.clone() }
    }
}

/// Sends one request of a session's event and records it in the ledger and the log.
pub(super) async fn send(
    notifier: Notifier,
    request: EventRequest,
    session: Arc<dyn Subject>,
    hook: Arc<Hook>,
    stage: Stage,
) -> (Reply, Receipt) {
    let EventRequest { event, later, id, lines } = request;
    let fields = SessionFields {
        domain: session.domain(),
        app: session.app(),
        name: session.name(),
        clientid: session.id(),
        later: later.as_deref().unwrap_or_default(),
    };
    let (escape, mut args) = (notifier.escape(), Vec::new());
    let variables = CallbackVariables { id: &id, groupid: &hook.groupid, subject: Some(&*session) };
    hook.args.expand(&variables, escape, &mut args);
    if let Some(epoch) = session.epoch() {
        let separator = if args.is_empty() { "" } else { "&" };
        args.extend_from_slice(format!("{separator}epoch={epoch}").as_bytes());
    }
    let groupid = Some(hook.groupid.as_slice()).filter(|groupid| !groupid.is_empty());
    let target =
        request::session_target(&hook.url.path_and_query, event, stage, fields, groupid, &args, escape);
    let (session_id, way) = (Some(session.id()), &lines.in_force().http_proxy);
    let (reply, receipt) = notifier
        .call(&hook, event.row().word(), stage, session_id, OutgoingRequest { target: &target, id: &id, way })
        .await;
    session.answered(match reply.answer {
        CallbackAnswer::Status(status) => Some(status),
        CallbackAnswer::Failed(_) | CallbackAnswer::TimedOut => None,
    });
    log::callback(&*session, event, stage, &hook, &reply.answer);
    (reply, receipt)
}

/// Repeats a `done` that did not reach the callback server, for at most `patience`. At most [`limits::DONE_WAITING`]
/// wait; further ones are given up at once.
pub(super) async fn repeat_done(
    notifier: Notifier,
    request: EventRequest,
    session: Arc<dyn Subject>,
    hook: Arc<Hook>,
    patience: Duration,
) {
    let waiting = WaitingEnd::begin(&notifier.ends);
    let began = Instant::now();
    let mut backoff = Backoff::default();
    let mut hope = waiting.is_some();
    while hope {
        let delay = backoff.next(limits::DONE_RETRY_FIRST, limits::DONE_RETRY_MOST, crate::task::random());
        tokio::time::sleep(delay).await;
        hope = began.elapsed() < patience;
        let sending = send(notifier.clone(), request.clone(), session.clone(), hook.clone(), Stage::Done);
        let (reply, receipt) = sending.await;
        if !reply.answer.is_away() {
            return;
        }
        receipt.decided(if hope { CallDecision::TellAgain } else { CallDecision::GiveUp });
    }
    let lost = notifier.ends.give_up();
    log::done_lost(&*session, request.event, &hook, lost);
}
