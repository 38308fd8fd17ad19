//! Callbacks: requests, verdicts, updates, and a `done` for every `start`.
//!
//! [`conf`] is the table of events, from which the directives, [`EventKind`], the fields of requests and
//! conf/callbacks.md follow. A [`SessionEvent`] is an event of a session in progress; the only interface to sessions is
//! [`Subject`].
//!
//! Requests run on the control thread's runtime, so a callback server that hangs delays only sessions that wait for its
//! answer.

pub mod answer;
pub mod conf;
pub mod contract;
mod done;
pub mod effect;
mod escape;
pub mod event_row;
mod field;
mod heartbeat;
pub mod hook;
mod id;
pub mod ledger;
mod line;
mod line_index;
pub mod log;
pub mod main_conf;
mod members;
pub mod process;
mod process_event;
pub mod request;
mod session_event;
mod stage;
mod subject;
pub mod transport;
mod transport_error;
pub mod url;
mod values;
pub mod variable;

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use self::done::RepeatedEnds;
use self::hook::Hook;
use self::ledger::snapshot::LedgerSnapshot;
use self::ledger::{Ledger, Receipt};
use self::main_conf::MainCurrent;
use self::request::{FieldValue, QueryEscape, SessionFields, Stage};
use self::transport::{CallbackExchange, Transport};
use self::values::RequestVariables;
use crate::config::store::Store;
use crate::task::lifetime::emptied;

pub use self::answer::{CallFailure, CallbackAnswer, Reply};
pub use self::conf::EventKind;
pub use self::heartbeat::Heartbeat;
pub use self::id::RequestId;
pub use self::line::CallbackLine;
pub use self::line_index::LineIndex;
pub use self::members::Members;
pub use self::session_event::SessionEvent;
pub use self::subject::{CallbackLines, Subject};
pub use self::transport_error::TransportError;
pub use self::values::ProcessVariables;

/// Sends callbacks. Cheap to clone.
#[derive(Clone)]
pub struct Notifier {
    transport: Arc<ArcSwap<Transport>>,
    ledger: Arc<Ledger>,
    runtime: Handle,
    store: Arc<Store>,
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

    /// Runs a request to completion, even if the caller goes away; [`Notifier::drained`] waits for it.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.requests.spawn_on(work, &self.runtime)
    }

    /// Encoding of single values in the current configuration.
    fn escape(&self) -> QueryEscape {
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

    /// Sends one request of `session` about `event` and records it in the ledger. `target` is path and query.
    pub async fn call(
        &self,
        hook: &Hook,
        event: &'static str,
        stage: Stage,
        session: Option<u64>,
        target: &str,
        id: &RequestId,
    ) -> (Reply, Receipt) {
        let began = Instant::now();
        let CallbackExchange { reply, address, rest } =
            self.transport.load_full().send(hook, stage, target, id, false).await;
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
struct EventRequest {
    event: EventKind,
    /// Values of the event's later fields.
    later: Option<Arc<[FieldValue]>>,
    /// Unchanged when the request is repeated.
    id: RequestId,
}

impl From<EventKind> for EventRequest {
    fn from(event: EventKind) -> Self {
        EventRequest { event, later: None, id: RequestId::new() }
    }
}

/// Sends one request of a session's event and records it in the ledger and the log.
async fn send(
    notifier: Notifier,
    request: EventRequest,
    session: Arc<dyn Subject>,
    hook: Arc<Hook>,
    stage: Stage,
) -> (Reply, Receipt) {
    let EventRequest { event, later, id } = request;
    let fields = SessionFields {
        domain: session.domain(),
        app: session.app(),
        name: session.name(),
        clientid: session.id(),
        later: later.as_deref().unwrap_or_default(),
    };
    let (escape, mut args) = (notifier.escape(), Vec::new());
    let variables = RequestVariables { id: &id, groupid: &hook.groupid, subject: Some(&*session) };
    hook.args.expand(&variables, escape, &mut args);
    let groupid = Some(hook.groupid.as_slice()).filter(|groupid| !groupid.is_empty());
    let target =
        request::session_target(&hook.url.path_and_query, event, stage, fields, groupid, &args, escape);
    let (reply, receipt) =
        notifier.call(&hook, event.row().word(), stage, Some(session.id()), &target, &id).await;
    session.answered(match reply.answer {
        CallbackAnswer::Status(status) => Some(status),
        CallbackAnswer::Failed(_) | CallbackAnswer::TimedOut => None,
    });
    log::callback(&*session, event, stage, &hook, &reply.answer);
    (reply, receipt)
}
