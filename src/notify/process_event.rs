//! Events of the process.

use super::event_row::EventRow;
use crate::directive::context::RTMP;

/// `on_proc`.
pub const WORKER_EVENT: EventRow = EventRow {
    names: &["on_proc", "oclp_proc"],
    contexts: RTMP,
    fields: &["call", "worker_id"],
    note: "`worker_id` counts from 0; no `args=`",
    ..EventRow::process("init_process", "each worker thread, at the start")
};

/// `on_master`.
pub const SERVER_EVENT: EventRow = EventRow {
    names: &["on_master"],
    contexts: RTMP,
    fields: &["call", "act"],
    ..EventRow::process("init_master", "the server")
};

/// Every process event.
pub const PROCESS_EVENTS: &[EventRow] = &[WORKER_EVENT, SERVER_EVENT];
