//! Callbacks on their way: requests, verdicts, updates and the `done` that every `start` is owed.
//!
//! Requests run on the control thread's runtime, so a callback server that hangs holds up nobody but the
//! sessions that wait for its answer.

pub mod ledger;
pub mod transport;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::task::{AbortHandle, JoinHandle};

use self::ledger::Ledger;
use self::transport::{Exchange, Transport};
use super::event;
use super::session::{Reason, Session};
use super::variables::SessionVariables;
use super::view::AppView;
use crate::config::store::Store;
use crate::limits;
use crate::module::notify;
use crate::module::notify::hook::Hook;
use crate::module::notify::request::{self, Act, Call, Subject};
use crate::module::relay::backoff::Backoff;

/// What came back from a callback server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An HTTP status. It counts as soon as the headers are complete.
    Status(u16),
    /// No answer: refused, reset, cut off or not HTTP.
    Failed,
    /// No answer within the hook's timeout.
    TimedOut,
}

impl Answer {
    /// 2xx.
    pub fn is_success(self) -> bool {
        matches!(self, Answer::Status(200..=299))
    }

    /// 4xx.
    pub fn is_client_error(self) -> bool {
        matches!(self, Answer::Status(400..=499))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Status(status) => write!(f, "status {status}"),
            Answer::Failed => f.write_str("no answer"),
            Answer::TimedOut => f.write_str("timed out"),
        }
    }
}

/// What came back, with what an answer to `pull`, `push` or `meta` may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Whether and what.
    pub answer: Answer,
    /// The `Location` header.
    pub location: Option<Bytes>,
    /// The `Domain` header.
    pub domain: Option<Bytes>,
}

impl Reply {
    fn without(answer: Answer) -> Self {
        Reply { answer, location: None, domain: None }
    }
}

/// Sends callbacks. Cheap to clone.
#[derive(Clone)]
pub struct Notifier {
    transport: Arc<ArcSwap<Transport>>,
    ledger: Arc<Ledger>,
    runtime: Handle,
    store: Arc<Store>,
    outstanding: Arc<Outstanding>,
    done_waiting: Arc<AtomicUsize>,
    done_lost_total: Arc<AtomicU64>,
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
            done_waiting: Arc::default(),
            done_lost_total: Arc::default(),
        }
    }

    /// The way of callbacks in force.
    pub fn transport(&self) -> Arc<Transport> {
        self.transport.load_full()
    }

    /// Puts another way in force, after a reload.
    pub fn set_transport(&self, transport: Transport) {
        self.transport.store(Arc::new(transport));
    }

    /// What became of callbacks.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Ends that wait to be told again, and those that were lost for good.
    pub fn done_counts(&self) -> (usize, u64) {
        (self.done_waiting.load(Ordering::Relaxed), self.done_lost_total.load(Ordering::Relaxed))
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
        event: &str,
        act: Act,
        session: Option<u64>,
        target: &str,
    ) -> Reply {
        let began = Instant::now();
        let Exchange { reply, address, response } =
            self.transport.load_full().send(hook, act, target, false).await;
        let took = began.elapsed();
        self.ledger.record(hook, event, ledger::Call { act, session, answer: reply.answer, took, address });
        if let Some(response) = response {
            // Read to the end, within bounds, so that the connection can be used again.
            self.runtime.spawn(discard(response));
        }
        reply
    }

    /// Repeats a `done` that nobody has taken notice of, for as long as `patience`.
    async fn tell_again(&self, call: Call, session: Arc<Session>, hook: Arc<Hook>, patience: Duration) {
        let before = self.done_waiting.fetch_add(1, Ordering::AcqRel);
        let _waiting = Waiting(self.done_waiting.clone());
        let began = Instant::now();
        let mut backoff = Backoff::default();
        let mut hope = before < limits::DONE_WAITING;
        while hope {
            let delay = backoff.next(limits::DONE_RETRY_FIRST, limits::DONE_RETRY_MOST, super::random());
            tokio::time::sleep(delay).await;
            hope = began.elapsed() < patience;
            let sending = send(self.clone(), call, session.clone(), hook.clone(), Act::Done);
            if !is_away(sending.await.answer) {
                return;
            }
        }
        let lost = self.done_lost_total.fetch_add(1, Ordering::Relaxed) + 1;
        event::done_lost(&session, call, &hook, lost);
    }

    /// Tells that worker threads have started (`on_proc`, once each) and that the server has (`on_master`).
    pub fn announce(&self, workers: usize) {
        let config = self.store.load();
        let Some(rtmp) = &config.rtmp else { return };
        if let Some(hook) = rtmp.notify.on_proc.clone() {
            for worker in 0..workers {
                let (notifier, hook) = (self.clone(), hook.clone());
                // Counted, so that even a stop right after the start lets it out.
                drop(self.spawn(async move {
                    let target = request::process_target(&hook.url.path_and_query, worker);
                    let answer = notifier.call(&hook, "proc", Act::Start, None, &target).await.answer;
                    event::process_callback(&hook, "init_process", answer);
                }));
            }
        }
    }

    /// `on_master`: start now, then updates for as long as the server runs. They follow reloads.
    pub async fn keep_master(self) {
        let mut started = false;
        let mut changed = self.store.watch();
        loop {
            let hook = self.store.load().rtmp.as_ref().and_then(|rtmp| rtmp.notify.on_master.clone());
            let Some(hook) = hook else {
                started = false;
                if changed.changed().await.is_err() {
                    return;
                }
                continue;
            };
            if started {
                let update = if hook.stages.update { hook.update.duration() } else { Duration::MAX };
                let due = Instant::now().checked_add(update);
                tokio::select! {
                    () = sleep_until(due) => {}
                    _ = changed.changed() => continue,
                }
            }
            let act = if started { Act::Update } else { Act::Start };
            let mut args = Vec::new();
            hook.args.expand(&super::variables::ProcessVariables, &mut args);
            let target = request::master_target(&hook.url.path_and_query, act, &args);
            let answer = self.call(&hook, "master", act, None, &target).await.answer;
            event::process_callback(&hook, "init_master", answer);
            started = true;
        }
    }
}

/// Counts an end that waits to be told again.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Whether nobody has taken notice: no answer, or one of a proxy before a callback server that is away.
///
/// A server that took the request and is slow to answer has been told; to tell it again would only slow it further.
fn is_away(answer: Answer) -> bool {
    matches!(answer, Answer::Failed | Answer::Status(502..=504))
}

struct Finished(Arc<Outstanding>);

impl Drop for Finished {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.changed.notify_waiters();
        }
    }
}

async fn discard(mut response: reqwest::Response) {
    let mut left = limits::CALLBACK_BODY_BYTES;
    while let Ok(Some(chunk)) = response.chunk().await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// Which hook of an application an event uses; looked up anew at each use, so that a reload takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// `on_play`.
    Play,
    /// `on_publish`.
    Publish,
    /// `on_stream`.
    Stream,
    /// `on_pull`.
    Pull,
    /// The n-th `on_push` line.
    Push(usize),
    /// The n-th `on_meta` line.
    Meta(usize),
}

impl Slot {
    /// The hook in force.
    pub fn hook(self, hooks: &notify::conf::Current) -> Option<&Hook> {
        match self {
            Slot::Play => hooks.on_play.as_ref(),
            Slot::Publish => hooks.on_publish.as_ref(),
            Slot::Stream => hooks.on_stream.as_ref(),
            Slot::Pull => hooks.on_pull.as_ref(),
            Slot::Push(index) => hooks.on_push.get(index),
            Slot::Meta(index) => hooks.on_meta.get(index),
        }
    }

    /// The hook in force of an event whose `start` went to `started`. Among several lines it is the one for the
    /// same group at the same address, wherever a reload has put it.
    fn successor<'h>(self, hooks: &'h notify::conf::Current, started: &Hook) -> Option<&'h Hook> {
        let lines = match self {
            Slot::Push(_) => &hooks.on_push,
            Slot::Meta(_) => &hooks.on_meta,
            Slot::Play | Slot::Publish | Slot::Stream | Slot::Pull => return self.hook(hooks),
        };
        lines.iter().find(|hook| hook.groupid == started.groupid && hook.url == started.url)
    }

    fn call(self) -> Call {
        match self {
            Slot::Play => Call::Play,
            Slot::Publish => Call::Publish,
            Slot::Stream => Call::Stream,
            Slot::Pull => Call::Pull,
            Slot::Push(_) => Call::Push,
            Slot::Meta(_) => Call::Meta,
        }
    }
}

/// One event of one session: `start`, then updates, then `done` when it is dropped.
pub struct Event {
    notifier: Notifier,
    slot: Slot,
    view: AppView,
    session: Arc<Session>,
    /// The hook that `start` went to: `done` is owed even where a reload has removed it since.
    hook: Arc<Hook>,
    start: Option<JoinHandle<Reply>>,
    keeper: Option<AbortHandle>,
    finished: bool,
}

impl Event {
    /// Sends `start` if the application has a hook for this event. `after` is waited for, within
    /// [`limits::CALLBACK_ORDER_GRACE`], so that a stream event goes out before the session event.
    pub fn begin(
        notifier: &Notifier,
        view: &AppView,
        slot: Slot,
        session: &Arc<Session>,
        after: Option<oneshot::Receiver<()>>,
    ) -> Option<Event> {
        let hook = Arc::new(slot.hook(&view.current().notify)?.clone());
        let mut event = Event {
            notifier: notifier.clone(),
            slot,
            view: view.clone(),
            session: session.clone(),
            hook: hook.clone(),
            start: None,
            keeper: None,
            finished: false,
        };
        let sending = event.sending(hook, Act::Start);
        event.start = Some(notifier.spawn(async move {
            in_order(after).await;
            sending.await
        }));
        Some(event)
    }

    /// Waits for the answer to `start`.
    pub async fn answer(&mut self) -> Answer {
        self.reply().await.answer
    }

    /// Waits for the answer to `start`, with its headers.
    pub async fn reply(&mut self) -> Reply {
        match &mut self.start {
            Some(start) => {
                let reply = start.await.unwrap_or_else(|_| Reply::without(Answer::Failed));
                self.start = None;
                reply
            }
            None => Reply::without(Answer::Failed),
        }
    }

    /// Ends the event without `done`: nothing has begun (a 200 to `pull` or `push`).
    pub fn forget(mut self) {
        self.finished = true;
    }

    /// The hook that `start` went to.
    pub fn hook(&self) -> &Hook {
        &self.hook
    }

    /// Sends updates from now on, as the hook in force says.
    pub fn keep(&mut self) {
        let (notifier, view, session) = (self.notifier.clone(), self.view.clone(), self.session.clone());
        let (slot, started) = (self.slot, self.hook.clone());
        let mut last = Instant::now() + phase(session.id, self.hook.update.duration());
        let keeper = self.notifier.runtime.spawn(async move {
            let mut changed = notifier.store.watch();
            loop {
                let application = view.current();
                let hook = slot.successor(&application.notify, &started);
                let hook = hook.filter(|hook| hook.stages.update).cloned();
                let due = hook.as_ref().and_then(|hook| last.checked_add(hook.update.duration()));
                tokio::select! {
                    () = sleep_until(due) => {}
                    change = changed.changed() => match change {
                        Ok(()) => continue,
                        Err(_) => return,
                    },
                }
                let Some(hook) = hook.map(Arc::new) else { continue };
                let enforced = hook.enforce.update;
                let update = send(notifier.clone(), slot.call(), session.clone(), hook.clone(), Act::Update);
                let answer = update.await.answer;
                if enforced && answer.is_client_error() {
                    event::update_refused(&session, slot.call(), &hook, answer);
                    session.close(Reason::NotifyRefused);
                    return;
                }
                last = Instant::now();
            }
        });
        self.keeper = Some(keeper.abort_handle());
    }

    /// Sends `done` where the hook asks for it. The result resolves when it was answered.
    pub fn finish(mut self, after: Option<oneshot::Receiver<()>>) -> Option<oneshot::Receiver<()>> {
        self.finish_now(after)
    }

    fn finish_now(&mut self, after: Option<oneshot::Receiver<()>>) -> Option<oneshot::Receiver<()>> {
        if std::mem::replace(&mut self.finished, true) {
            return None;
        }
        if let Some(keeper) = self.keeper.take() {
            keeper.abort();
        }
        let hook = match self.slot.successor(&self.view.current().notify, &self.hook) {
            Some(hook) => Arc::new(hook.clone()),
            None => self.hook.clone(),
        };
        if !hook.stages.done {
            return None;
        }
        let start = self.start.take();
        let (notifier, call, session) = (self.notifier.clone(), self.slot.call(), self.session.clone());
        let patience = self.view.current().notify.done_retry.duration();
        let (done, order) = oneshot::channel();
        drop(self.notifier.spawn(async move {
            if let Some(start) = start {
                let _ = start.await;
            }
            in_order(after).await;
            let reply = send(notifier.clone(), call, session.clone(), hook.clone(), Act::Done).await;
            let _ = done.send(());
            if is_away(reply.answer) && !patience.is_zero() {
                notifier.tell_again(call, session, hook, patience).await;
            }
        }));
        Some(order)
    }

    fn sending(&self, hook: Arc<Hook>, act: Act) -> impl Future<Output = Reply> + Send + use<> {
        send(self.notifier.clone(), self.slot.call(), self.session.clone(), hook, act)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        self.finish_now(None);
    }
}

/// How much later than its interval a session's first update goes out: up to an eighth of it, evenly over sessions,
/// so that thousands that started together do not ask together for ever after.
fn phase(session: u64, interval: Duration) -> Duration {
    // Multiples of the golden ratio, modulo 1, fill an interval evenly however many there are.
    let turn = (session.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32;
    (interval / 8).mul_f64(f64::from(turn) / f64::from(u32::MAX))
}

async fn in_order(after: Option<oneshot::Receiver<()>>) {
    if let Some(after) = after {
        let _ = tokio::time::timeout(limits::CALLBACK_ORDER_GRACE, after).await;
    }
}

async fn send(notifier: Notifier, call: Call, session: Arc<Session>, hook: Arc<Hook>, act: Act) -> Reply {
    let identity = &session.identity;
    let subject =
        Subject { domain: &identity.domain, app: &identity.app, name: &identity.name, clientid: session.id };
    let mut args = Vec::new();
    hook.args.expand(&SessionVariables::new(&session, &hook.groupid), &mut args);
    let groupid = Some(hook.groupid.as_slice()).filter(|groupid| !groupid.is_empty());
    let target = request::session_target(&hook.url.path_and_query, call, act, subject, groupid, &args);
    let reply = notifier.call(&hook, call.name(), act, Some(session.id), &target).await;
    let answer = reply.answer;
    let status = match answer {
        Answer::Status(status) => u64::from(status),
        Answer::Failed | Answer::TimedOut => u64::MAX,
    };
    session.notify_status.store(status, Ordering::Relaxed);
    event::callback(&session, call, act, &hook, answer);
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_updates_are_spread_evenly_over_an_eighth_of_the_interval() {
        let interval = Duration::from_secs(8);
        let mut slots = [0; 10];
        for session in 1..=1000 {
            let phase = phase(session, interval);
            assert!(phase <= interval / 8);
            slots[(phase.as_millis() / 100).min(9) as usize] += 1;
        }
        assert!(slots.iter().all(|n| (90..=110).contains(n)), "{slots:?}");
    }
}
