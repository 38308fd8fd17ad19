//! Log lines about control requests.

use tracing::info;

use crate::log::arguments::Arguments;
use crate::log::counted;
use crate::log::shown::Shown;
use crate::media::control::{ControlOrder, ControlOutcome, ControlRefusal, ControlVerb};

/// A control request was carried out.
pub fn carried_out(verb: &ControlVerb, outcome: &ControlOutcome, order: &ControlOrder<'_>) {
    let arguments = Arguments::of_control(order.query);
    let (method, caller) = (Shown::new(order.method), order.caller);
    match outcome {
        ControlOutcome::Sessions(count) => info!(
            target: "notice",
            "control: {} {}, request: {arguments}, method: {method}, {caller}",
            verb.done,
            counted(*count, "session")
        ),
        // Lists change nothing.
        ControlOutcome::Listed(..) => {}
        ControlOutcome::Text(_) => info!(
            target: "notice",
            "control: {} {method}, request: {arguments}, {caller}",
            verb.name
        ),
    }
}

/// A control request failed.
pub fn failed(why: &ControlRefusal, section: &[u8], order: &ControlOrder<'_>) {
    info!(
        target: "notice",
        "control: {why}, request: {}/{}?{}, {}",
        Shown::new(section),
        Shown::new(order.method),
        Arguments::of_control(order.query),
        order.caller
    );
}
