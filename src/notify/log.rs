//! What the log says of callbacks.

use tracing::{debug, error, info};

use crate::log::shown::Shown;
use crate::notify::hook::Hook;
use crate::notify::request::{Act, Call};
use crate::notify::{Answer, Subject, TransportError};

/// A session callback was answered, or not.
pub fn callback(session: &dyn Subject, call: Call, act: Act, hook: &Hook, answer: &Answer) {
    let (call, act, pos) = (call.name(), act.name(), &hook.pos);
    match answer {
        Answer::Status(status) => {
            debug!(conn = session.id(), "notify {call} {act}: status {status}, callback in {pos}");
        }
        Answer::Failed(_) | Answer::TimedOut => {
            error!(conn = session.id(), "notify {call} {act}: {answer}, callback in {pos}");
        }
    }
}

/// An end could not be told.
pub fn done_lost(session: &dyn Subject, call: Call, hook: &Hook, total: u64) {
    error!(
        conn = session.id(),
        "notify {} done: given up, lost: {total}, callback in {}",
        call.name(),
        hook.pos
    );
}

/// A process callback was answered, or not.
pub fn process_callback(hook: &Hook, call: &str, answer: &Answer) {
    match answer {
        Answer::Status(status) => debug!("notify {call}: status {status}, callback in {}", hook.pos),
        Answer::Failed(_) | Answer::TimedOut => error!("notify {call}: {answer}, callback in {}", hook.pos),
    }
}

/// The answer to an enforced update ends the session.
pub fn update_refused(session: &dyn Subject, call: Call, hook: &Hook, answer: &Answer) {
    info!(
        conn = session.id(),
        "'{}' ended by the answer to {} update ({answer}), callback in {}",
        Shown::new(session.name()),
        call.name(),
        hook.pos
    );
}

/// There is no HTTP client, so callbacks get no answer.
pub fn callbacks_impossible(error: &TransportError) {
    error!(target: "crit", "callbacks cannot be sent: {error}");
}
