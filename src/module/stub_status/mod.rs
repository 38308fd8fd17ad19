//! Numbers of connections and requests.

pub mod conf;
mod handler;

pub use handler::{StubStatusHandler, StubStatusVariables};
