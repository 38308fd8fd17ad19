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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

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
    outstanding: Arc<Outstanding>,
    ends: Arc<Ends>,
}

#[derive(Default)]
struct Outstanding {
    count: AtomicUsize,
    changed: Notify,
}

impl Notifier {
    /// `runtime` is where requests run.
    pub fn new(runtime: Handle, store: Arc<Store>, transport: Transport) -> Self {
        Notifier {
            transport: Arc::new(ArcSwap::from_pointee(transport)),
            ledger: Arc::default(),
            runtime,
            store,
            outstanding: Arc::default(),
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
        self.outstanding.count.fetch_add(1, Ordering::AcqRel);
        let guard = Finished(self.outstanding.clone());
        self.runtime.spawn(async move {
            let _guard = guard;
            work.await
        })
    }

    /// What the configuration in force encodes in single values.
    fn escape(&self) -> Escape {
        self.store.load().rtmp.as_ref().map_or(Escape::Minimal, |rtmp| rtmp.notify.escape)
    }

    /// Requests on their way.
    pub fn under_way(&self) -> usize {
        self.outstanding.count.load(Ordering::Acquire)
    }

    /// Waits until no request is on its way.
    pub async fn drained(&self) {
        loop {
            let changed = self.outstanding.changed.notified();
            if self.outstanding.count.load(Ordering::Acquire) == 0 {
                return;
            }
            changed.await;
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

struct Finished(Arc<Outstanding>);

impl Drop for Finished {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.changed.notify_waiters();
        }
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
