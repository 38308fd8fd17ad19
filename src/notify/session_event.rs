//! One event of one session, from its `start` to its `done`.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};

use super::answer::{Answer, Failure, Reply};
use super::conf::EventKind;
use super::done::repeat_done;
use super::hook::Hook;
use super::ledger::{Decision, Receipt};
use super::line::CallbackLine;
use super::members::Members;
use super::request::{FieldValue, RecordFields, Stage};
use super::subject::{CallbackLines, Subject};
use super::{EventRequest, Notifier, send};
use crate::limits;
use crate::notify::log;
use crate::task::sleep_until;

/// One event of one session: `start`, then updates, then `done` when it is dropped.
pub struct SessionEvent {
    notifier: Notifier,
    event: EventKind,
    lines: Arc<dyn CallbackLines>,
    session: Arc<dyn Subject>,
    /// The stream's sessions, where the event covers all of them.
    members: Option<Arc<Members>>,
    line: Arc<CallbackLine>,
    /// The hook that the last `start` went to.
    hook: Arc<Hook>,
    start: Option<JoinHandle<(Reply, Receipt)>>,
    /// Place of the `start` in the ledger, once it was answered.
    receipt: Receipt,
    keeper: Option<AbortHandle>,
    /// Values of the event's later fields, for `update` and `done`.
    later: Option<Arc<[FieldValue]>>,
    finished: bool,
}

impl SessionEvent {
    /// Sends `start` if the application has a hook for this event. `after` is waited for, within
    /// [`limits::CALLBACK_ORDER_GRACE`], so that a stream event goes out before the session event.
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

    /// As [`SessionEvent::begin`], by a line that is followed through reloads; `None` if one has removed it.
    pub fn begin_by(
        notifier: &Notifier,
        lines: &(impl CallbackLines + Clone + 'static),
        line: &Arc<CallbackLine>,
        session: &Arc<impl Subject + 'static>,
        after: Option<oneshot::Receiver<()>>,
    ) -> Option<SessionEvent> {
        let in_force = lines.in_force();
        let event = line.index(&in_force)?.event;
        let hook = line.hook(&in_force)?;
        let mut begun = SessionEvent {
            notifier: notifier.clone(),
            event,
            lines: Arc::new(lines.clone()),
            session: session.clone(),
            members: None,
            line: line.clone(),
            hook: hook.clone(),
            start: None,
            receipt: Receipt::default(),
            keeper: None,
            later: None,
            finished: false,
        };
        let sending = begun.sending(hook, Stage::Start);
        begun.start = Some(notifier.spawn(async move {
            in_order(after).await;
            sending.await
        }));
        Some(begun)
    }

    /// Sends `start` again and waits for the answer, as for further codec headers.
    pub async fn again(&mut self) -> Reply {
        if let Some(hook) = self.line.hook(&self.lines.in_force()) {
            self.hook = hook;
        }
        let sending = self.sending(self.hook.clone(), Stage::Start);
        self.start = Some(self.notifier.spawn(sending));
        self.reply().await
    }

    /// Waits for the answer to `start`.
    pub async fn answer(&mut self) -> Answer {
        self.reply().await.answer
    }

    /// Waits for the answer to `start`, with its headers.
    pub async fn reply(&mut self) -> Reply {
        let abandoned = || Reply::without(Answer::Failed(Failure::Abandoned));
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

    /// Enters the consequence of the answer to `start` in the ledger.
    pub fn decided(&self, decision: Decision) {
        self.receipt.decided(decision);
    }

    /// Ends the event without `done`, where nothing has begun (a 200 to `pull` or `push`).
    pub fn forget(mut self) {
        self.finished = true;
    }

    /// The hook that the last `start` went to.
    pub fn hook(&self) -> &Hook {
        &self.hook
    }

    /// Makes it the event of all these sessions. A refused update cuts the session that it names, and later requests name
    /// another one.
    pub fn belongs_to(&mut self, members: Arc<Members>) {
        self.members = Some(members);
    }

    /// Begins to send updates, as the line in force says.
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
                let request = event.into();
                let session = named(members.as_deref(), &opener);
                let update = send(notifier.clone(), request, session.clone(), hook.clone(), Stage::Update);
                let (Reply { answer, .. }, receipt) = update.await;
                if enforced && answer.is_client_error() {
                    receipt.decided(Decision::End);
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

    /// Sends one `update` now, where the line in force asks for updates.
    ///
    /// # Errors
    ///
    /// The answer, where it ends the recording or relay.
    pub async fn update(&self) -> Result<(), Answer> {
        let Some(hook) = self.update_hook() else { return Ok(()) };
        let enforced = hook.enforce.update;
        judged(enforced, self.sending(hook, Stage::Update).await)
    }

    /// As [`SessionEvent::update`], with these fields, in a task of its own.
    pub(super) fn updating(&self, fields: RecordFields) -> JoinHandle<Result<(), Answer>> {
        let hook = self.update_hook();
        let later = Some(Vec::from(fields).into());
        let request = EventRequest { later, ..EventRequest::from(self.event) };
        let (notifier, session) = (self.notifier.clone(), self.session.clone());
        self.notifier.spawn(async move {
            let Some(hook) = hook else { return Ok(()) };
            let enforced = hook.enforce.update;
            judged(enforced, send(notifier, request, session, hook, Stage::Update).await)
        })
    }

    /// The line in force, if it asks for updates.
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

    /// Sends `done` where the line asks for it. The result resolves when it was answered.
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
        // Owed also where a reload has removed the line since.
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
                receipt.decided(Decision::TellAgain);
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
        EventRequest { later: self.later.clone(), ..EventRequest::from(self.event) }
    }
}

impl Drop for SessionEvent {
    fn drop(&mut self) {
        self.finish_now(None);
    }
}

/// The session that a request names.
fn named(members: Option<&Members>, opener: &Arc<dyn Subject>) -> Arc<dyn Subject> {
    members.and_then(Members::named).unwrap_or_else(|| opener.clone())
}

/// Decides what follows from the answer to an update.
fn judged(enforced: bool, (reply, receipt): (Reply, Receipt)) -> Result<(), Answer> {
    if enforced && reply.answer.is_client_error() {
        receipt.decided(Decision::End);
        return Err(reply.answer);
    }
    Ok(())
}

/// Delay of a session's first update beyond its interval: up to an eighth of it, evenly over sessions, so that thousands
/// that began together do not send their updates together.
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
