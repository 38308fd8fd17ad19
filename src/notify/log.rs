//! Log lines about callbacks.

use tracing::{debug, error, info};

use crate::log::shown::Shown;
use crate::notify::hook::Hook;
use crate::notify::request::Stage;
use crate::notify::{CallbackAnswer, EventKind, Subject, TransportError};

/// A session's callback was answered or failed.
pub fn callback(session: &dyn Subject, event: EventKind, stage: Stage, hook: &Hook, answer: &CallbackAnswer) {
    let (call, act, pos) = (event.name(), stage.name(), &hook.pos);
    match answer {
        CallbackAnswer::Status(status) => {
            debug!(conn = session.id(), "notify {call} {act}: status {status}, callback in {pos}");
        }
        CallbackAnswer::Failed(_) | CallbackAnswer::TimedOut => {
            error!(conn = session.id(), "notify {call} {act}: {answer}, callback in {pos}");
        }
    }
}

/// A `done` was given up.
pub fn done_lost(session: &dyn Subject, event: EventKind, hook: &Hook, total: u64) {
    error!(
        conn = session.id(),
        "notify {} done: given up, lost: {total}, callback in {}",
        event.name(),
        hook.pos
    );
}

/// A callback about the process was answered or failed.
pub fn process_callback(hook: &Hook, call: &str, answer: &CallbackAnswer) {
    match answer {
        CallbackAnswer::Status(status) => debug!("notify {call}: status {status}, callback in {}", hook.pos),
        CallbackAnswer::Failed(_) | CallbackAnswer::TimedOut => {
            error!("notify {call}: {answer}, callback in {}", hook.pos);
        }
    }
}

/// The answer to an enforced update ends the session.
pub fn update_refused(session: &dyn Subject, event: EventKind, hook: &Hook, answer: &CallbackAnswer) {
    info!(
        conn = session.id(),
        "'{}' ended by the answer to {} update ({answer}), callback in {}",
        Shown::new(session.name()),
        event.name(),
        hook.pos
    );
}

/// There is no HTTP client, so callbacks cannot be sent.
pub fn callbacks_impossible(error: &TransportError) {
    error!(target: "crit", "callbacks cannot be sent: {error}");
}
