//! Callbacks: requests, verdicts, updates, and a `done` for every `start`.
//!
//! [`conf`] is the table of events, from which the directives, [`EventKind`], the fields of requests and
//! conf/callbacks.md follow. A [`SessionEvent`] is an event of a session in progress; the only interface to sessions is
//! [`Subject`].
//!
//! `session_event` decides when a request is due, at each stage; `notifier` sends it, with the fields that [`request`] writes
//! and the `args=` that [`variable`] expands. A `done` that did not arrive is repeated by `notifier` and counted by `done`.
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
mod notifier;
pub mod process;
mod process_event;
pub mod process_proxy;
pub mod proxy;
pub mod request;
mod session_event;
mod stage;
mod subject;
pub mod transport;
mod transport_error;
pub mod url;
mod values;
pub mod variable;

pub use self::answer::{AnsweredLimits, CallFailure, CallbackAnswer, Reply};
pub use self::conf::EventKind;
pub use self::heartbeat::Heartbeat;
pub use self::id::RequestId;
pub use self::line::CallbackLine;
pub use self::line_index::LineIndex;
pub use self::members::Members;
pub use self::notifier::Notifier;
pub use self::session_event::SessionEvent;
pub use self::subject::{CallbackLines, Subject};
pub use self::transport_error::TransportError;
pub use self::values::ProcessVariables;
