//! Commands run at events of streams.

pub mod child;
pub mod command;
pub mod conf;
pub mod execs;
pub mod keeper;
pub mod log;
mod script;
pub mod signal;
mod template;
pub mod values;

pub use conf::{Commands, Process};
pub use template::{ExecValues, ExecVariable};
