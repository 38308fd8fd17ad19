//! One event of one session, from its `start` to its `done`.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};

use super::answer::{CallFailure, CallbackAnswer, Reply};
use super::conf::EventKind;
use super::hook::Hook;
use super::ledger::{CallDecision, Receipt};
use super::line::CallbackLine;
use super::members::Members;
use super::notifier::{EventRequest, Notifier, repeat_done, send};
use super::request::{FieldValue, RecordFields, Stage};
use super::subject::{CallbackLines, Subject};
use crate::limits;
use crate::notify::log;
use crate::task::sleep_until;

/// One event of one session: `start`, then updates, then `done` when it is dropped.
pub struct SessionEvent {
    notifier: Notifier,
    event: EventKind,
    lines: Arc<dyn CallbackLines>,
    session: Arc<dyn Subject>,
    /// Sessions of the stream, if the event covers all of them.
    members: Option<Arc<Members>>,
    line: Arc<CallbackLine>,
    /// Hook to which the last `start` was sent.
    hook: Arc<Hook>,
    start: Option<JoinHandle<(Reply, Receipt)>>,
    /// Reference to the `start` in the ledger, once it was answered.
    receipt: Receipt,
    keeper: Option<AbortHandle>,
    /// Values of the event's later fields, for `update` and `done`.
    later: Option<Arc<[FieldValue]>>,
    finished: bool,
}

impl SessionEvent {
    /// Sends `start` if the application has a hook for this event. Waits for `after`, at most
    /// [`limits::CALLBACK_ORDER_GRACE`], so that a stream event is sent before the session event.
    pub fn begin(
        notifier: &Notifier,
        lines: &(impl CallbackLines + Clone + 'static),
        event: EventKind,
        session: &Arc<impl Subject + 'static>,
        after: Option<oneshot::Receiver<()>>,
    ) -> Option<SessionEvent> {
        let line = Arc::new(CallbackLine::new(event.into(), &lines.in_force())?);
        SessionEvent::begin_by(notifier, lines, &line, session, after)
    }

    /// As [`SessionEvent::begin`], with a line that is tracked across reloads; `None` if it was removed.
    pub fn begin_by(
        notifier: &Notifier,
        lines: &(impl CallbackLines + Clone + 'static),
        line: &Arc<CallbackLine>,
        session: &Arc<impl Subject + 'static>,
        after: Option<oneshot::Receiver<()>>,
    ) -> Option<SessionEvent> {
        let mut begun = SessionEvent::without_start(notifier, lines, line, session)?;
        let sending = begun.sending(begun.hook.clone(), Stage::Start);
        begun.start = Some(notifier.spawn(async move {
            in_order(after).await;
            sending.await
        }));
        Some(begun)
    }

    /// An event whose `start` another process has sent. Updates follow.
    pub fn resume(
        notifier: &Notifier,
        lines: &(impl CallbackLines + Clone + 'static),
        event: EventKind,
        session: &Arc<impl Subject + 'static>,
    ) -> Option<SessionEvent> {
        let line = Arc::new(CallbackLine::new(event.into(), &lines.in_force())?);
        SessionEvent::without_start(notifier, lines, &line, session)
    }

    fn without_start(
        notifier: &Notifier,
        lines: &(impl CallbackLines + Clone + 'static),
        line: &Arc<CallbackLine>,
        session: &Arc<impl Subject + 'static>,
    ) -> Option<SessionEvent> {
        let in_force = lines.in_force();
        let event = line.index(&in_force)?.event;
        let hook = line.hook(&in_force)?;
        Some(SessionEvent {
            notifier: notifier.clone(),
            event,
            lines: Arc::new(lines.clone()),
            session: session.clone(),
            members: None,
            line: line.clone(),
            hook,
            start: None,
            receipt: Receipt::default(),
            keeper: None,
            later: None,
            finished: false,
        })
    }

    /// Sends `start` again and waits for the answer, for example for further codec headers.
    pub async fn again(&mut self) -> Reply {
        if let Some(hook) = self.line.hook(&self.lines.in_force()) {
            self.hook = hook;
        }
        let sending = self.sending(self.hook.clone(), Stage::Start);
        self.start = Some(self.notifier.spawn(sending));
        self.reply().await
    }

    /// Waits for the answer to `start`.
    pub async fn answer(&mut self) -> CallbackAnswer {
        self.reply().await.answer
    }

    /// Waits for the answer to `start`, with its headers.
    pub async fn reply(&mut self) -> Reply {
        let abandoned = || Reply::without(CallbackAnswer::Failed(CallFailure::Abandoned));
        let Some(start) = &mut self.start else { return abandoned() };
        let outcome = start.await;
        self.start = None;
        match outcome {
            Ok((reply, receipt)) => {
                self.receipt = receipt;
                reply
            }
            Err(_) => abandoned(),
        }
    }

    /// Records the consequence of the answer to `start` in the ledger.
    pub fn decided(&self, decision: CallDecision) {
        self.receipt.decided(decision);
    }

    /// Ends the event without `done`, because nothing has begun (a 200 to `pull` or `push`), or another process continues
    /// it.
    pub fn forget(mut self) {
        self.finished = true;
        if let Some(keeper) = self.keeper.take() {
            keeper.abort();
        }
    }

    /// Hook to which the last `start` was sent.
    pub fn hook(&self) -> &Hook {
        &self.hook
    }

    /// Makes it an event of all these sessions. A refused update cuts the session that it names, and later requests
    /// name another one.
    pub fn belongs_to(&mut self, members: Arc<Members>) {
        self.members = Some(members);
    }

    /// Starts sending updates, as the current line says.
    pub fn keep(&mut self) {
        if self.keeper.is_some() {
            return;
        }
        let (notifier, lines, opener) = (self.notifier.clone(), self.lines.clone(), self.session.clone());
        let members = self.members.clone();
        let (event, line) = (self.event, self.line.clone());
        let mut last = Instant::now() + phase(opener.id(), self.hook.update.duration());
        let keeper = self.notifier.runtime.spawn(async move {
            let mut changed = notifier.store.watch();
            loop {
                let hook = line.hook(&lines.in_force()).filter(|hook| hook.stages.update);
                let due = hook.as_ref().and_then(|hook| last.checked_add(hook.update.duration()));
                tokio::select! {
                    () = sleep_until(due) => {}
                    change = changed.changed() => match change {
                        Ok(()) => continue,
                        Err(_) => return,
                    },
                }
                let Some(hook) = hook else { continue };
                let enforced = hook.enforce.update;
                let request = EventRequest::new(event, &lines);
                let session = named(members.as_deref(), &opener);
                let update = send(notifier.clone(), request, session.clone(), hook.clone(), Stage::Update);
                let (Reply { answer, .. }, receipt) = update.await;
                if enforced && answer.is_client_error() {
                    receipt.decided(CallDecision::End);
                    log::update_refused(&*session, event, &hook, &answer);
                    session.close_refused();
                    match &members {
                        Some(members) => members.cut(),
                        None => return,
                    }
                }
                last = Instant::now();
            }
        });
        self.keeper = Some(keeper.abort_handle());
    }

    /// Sets the fields of a recording for later `update` and `done` requests.
    pub fn set_fields(&mut self, fields: RecordFields) {
        self.later = Some(Vec::from(fields).into());
    }

    /// Sends one `update` now, if the current line asks for updates.
    ///
    /// # Errors
    ///
    /// The answer, if it ends the recording or relay.
    pub async fn update(&self) -> Result<(), CallbackAnswer> {
        let Some(hook) = self.update_hook() else { return Ok(()) };
        let enforced = hook.enforce.update;
        judged(enforced, self.sending(hook, Stage::Update).await)
    }

    /// As [`SessionEvent::update`], with these fields, in a separate task.
    pub(super) fn updating(&self, fields: RecordFields) -> JoinHandle<Result<(), CallbackAnswer>> {
        let hook = self.update_hook();
        let later = Some(Vec::from(fields).into());
        let request = EventRequest { later, ..self.request() };
        let (notifier, session) = (self.notifier.clone(), self.session.clone());
        self.notifier.spawn(async move {
            let Some(hook) = hook else { return Ok(()) };
            let enforced = hook.enforce.update;
            judged(enforced, send(notifier, request, session, hook, Stage::Update).await)
        })
    }

    /// The current line, if it asks for updates.
    pub(super) fn update_hook(&self) -> Option<Arc<Hook>> {
        self.line.hook(&self.lines.in_force()).filter(|hook| hook.stages.update)
    }

    /// Delay of the first update beyond its interval.
    pub(super) fn first_update_delay(&self) -> Duration {
        self.update_hook().map_or(Duration::ZERO, |hook| phase(self.session.id(), hook.update.duration()))
    }

    /// A channel that changes at each reload.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.notifier.store.watch()
    }

    /// Sends `done` if the line asks for it. The result resolves once it was answered.
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
        // `done` is sent even if a reload has removed the line.
        let in_force = self.lines.in_force();
        let hook = self.line.last_hook(&in_force);
        if !hook.stages.done {
            return None;
        }
        let start = self.start.take();
        let (notifier, request) = (self.notifier.clone(), self.request());
        let session = named(self.members.as_deref(), &self.session);
        let patience = in_force.done_retry.duration();
        let (done, order) = oneshot::channel();
        drop(self.notifier.spawn(async move {
            if let Some(start) = start {
                let _ = start.await;
            }
            in_order(after).await;
            let sending = send(notifier.clone(), request.clone(), session.clone(), hook.clone(), Stage::Done);
            let (reply, receipt) = sending.await;
            let _ = done.send(());
            if reply.answer.is_away() && !patience.is_zero() {
                receipt.decided(CallDecision::TellAgain);
                repeat_done(notifier, request, session, hook, patience).await;
            }
        }));
        Some(order)
    }

    fn sending(
        &self,
        hook: Arc<Hook>,
        stage: Stage,
    ) -> impl Future<Output = (Reply, Receipt)> + Send + use<> {
        send(self.notifier.clone(), self.request(), self.session.clone(), hook, stage)
    }

    fn request(&self) -> EventRequest {
        EventRequest { later: self.later.clone(), ..EventRequest::new(self.event, &self.lines) }
    }
}

impl Drop for SessionEvent {
    fn drop(&mut self) {
        self.finish_now(None);
    }
}

/// The session named in a request.
fn named(members: Option<&Members>, opener: &Arc<dyn Subject>) -> Arc<dyn Subject> {
    members.and_then(Members::named).unwrap_or_else(|| opener.clone())
}

/// Consequence of the answer to an update.
fn judged(enforced: bool, (reply, receipt): (Reply, Receipt)) -> Result<(), CallbackAnswer> {
    if enforced && reply.answer.is_client_error() {
        receipt.decided(CallDecision::End);
        return Err(reply.answer);
    }
    Ok(())
}

/// Delay of a session's first update beyond its interval: up to an eighth of it, evenly distributed, so that thousands
/// of sessions that began together do not send their updates together.
fn phase(session: u64, interval: Duration) -> Duration {
    // Multiples of the golden ratio, modulo 1, fill an interval evenly, whatever their number.
    let turn = (session.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32;
    (interval / 8).mul_f64(f64::from(turn) / f64::from(u32::MAX))
}

async fn in_order(after: Option<oneshot::Receiver<()>>) {
    if let Some(after) = after {
        let _ = tokio::time::timeout(limits::CALLBACK_ORDER_GRACE, after).await;
    }
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
