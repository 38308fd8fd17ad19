//! Commands run at events of streams.

pub mod command;
mod commands;
pub mod conf;
mod script;
pub mod signal;
mod template;

pub use commands::{Commands, Process};
pub use template::{Values, Variable};
