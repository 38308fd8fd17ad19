//! Callbacks on their way: requests, verdicts, updates and the `done` that every `start` is owed.
//!
//! Requests run on the control thread's runtime, so a callback server that hangs holds up nobody but the
//! sessions that wait for its answer.

pub mod answer;
pub mod conf;
pub mod contract;
mod done;
mod event;
mod heartbeat;
pub mod hook;
mod id;
pub mod ledger;
mod line;
pub mod log;
pub mod main_conf;
mod members;
mod process;
pub mod request;
pub mod slot;
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

use self::done::Ends;
use self::hook::Hook;
use self::ledger::snapshot::Snapshot;
use self::ledger::{Ledger, Receipt};
use self::request::{Act, Call, Escape, RecordFields, SessionFields};
use self::transport::{Exchange, Transport};
use self::values::RequestVariables;
use crate::config::store::Store;

pub use self::answer::{Answer, Failure, Reply};
pub use self::event::Event;
pub use self::heartbeat::Heartbeat;
pub use self::id::RequestId;
pub use self::line::CallbackLine;
pub use self::members::Members;
pub use self::slot::Slot;
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
    /// Requests on their way.
    requests: TaskTracker,
    ends: Arc<Ends>,
}

impl Notifier {
    /// `runtime` is where requests run.
    pub fn new(runtime: Handle, store: Arc<Store>, transport: Transport) -> Self {
        let requests = TaskTracker::new();
        // Requests can still be added. Waiting, which only a closed tracker ever ends, is for those on their way.
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

    /// The way of callbacks in force.
    pub fn transport(&self) -> Arc<Transport> {
        self.transport.load_full()
    }

    /// Puts another way in force, after a reload.
    pub fn set_transport(&self, transport: Transport) {
        self.transport.store(Arc::new(transport));
        self.warm();
    }

    /// Makes the HTTP client ready while nobody waits for it.
    pub fn warm(&self) {
        let transport = self.transport();
        self.runtime.spawn_blocking(move || transport.warm());
    }

    /// What became of callbacks, at this moment.
    pub fn snapshot(&self) -> Snapshot {
        self.ledger.snapshot(self.ends.waiting(), self.ends.lost_total())
    }

    /// Runs a request of ours to its end, whatever happens to the caller; [`Notifier::drained`] waits for it.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.requests.spawn_on(work, &self.runtime)
    }

    /// What the configuration in force encodes in single values.
    fn escape(&self) -> Escape {
        self.store.load().rtmp.as_ref().map_or(Escape::Minimal, |rtmp| rtmp.notify.escape)
    }

    /// Requests on their way.
    pub fn under_way(&self) -> usize {
        self.requests.len()
    }

    /// Waits until no request is on its way.
    pub async fn drained(&self) {
        // A request may have been added since there was none.
        while !self.requests.is_empty() {
            self.requests.wait().await;
        }
    }

    /// One request of `session` about `event`. `target` is path and query.
    pub async fn call(
        &self,
        hook: &Hook,
        event: &'static str,
        act: Act,
        session: Option<u64>,
        target: &str,
        id: &RequestId,
    ) -> (Reply, Receipt) {
        let began = Instant::now();
        let Exchange { reply, address, rest } =
            self.transport.load_full().send(hook, act, target, id, false).await;
        let took = began.elapsed();
        let call = ledger::Call { act, session, answer: reply.answer.clone(), took, address };
        let receipt = self.ledger.record(hook, event, call);
        if let Some(rest) = rest {
            self.runtime.spawn(rest.discard());
        }
        (reply, receipt)
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// What a request is about.
#[derive(Clone)]
struct About {
    call: Call,
    /// What a recording tells beside.
    fields: Option<Arc<RecordFields>>,
    /// The same where the request is repeated.
    id: RequestId,
}

impl From<Call> for About {
    fn from(call: Call) -> Self {
        About { call, fields: None, id: RequestId::new() }
    }
}

/// One request of a session's event, as the ledger and the log want it.
async fn send(
    notifier: Notifier,
    about: About,
    session: Arc<dyn Subject>,
    hook: Arc<Hook>,
    act: Act,
) -> (Reply, Receipt) {
    let About { call, fields, id } = about;
    let fields = SessionFields {
        domain: session.domain(),
        app: session.app(),
        name: session.name(),
        clientid: session.id(),
        record: fields.as_deref(),
    };
    let (escape, mut args) = (notifier.escape(), Vec::new());
    let variables = RequestVariables { id: &id, groupid: &hook.groupid, subject: Some(&*session) };
    hook.args.expand(&variables, escape, &mut args);
    let groupid = Some(hook.groupid.as_slice()).filter(|groupid| !groupid.is_empty());
    let target = request::session_target(&hook.url.path_and_query, call, act, fields, groupid, &args, escape);
    let (reply, receipt) = notifier.call(&hook, call.name(), act, Some(session.id()), &target, &id).await;
    session.answered(match reply.answer {
        Answer::Status(status) => Some(status),
        Answer::Failed(_) | Answer::TimedOut => None,
    });
    log::callback(&*session, call, act, &hook, &reply.answer);
    (reply, receipt)
}
