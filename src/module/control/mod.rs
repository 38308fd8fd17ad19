//! Control requests.

pub mod conf;
mod drop;
mod handler;
pub mod log;

pub use handler::{ControlHandler, ControlSections};
