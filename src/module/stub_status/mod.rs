//! Numbers of HTTP connections and requests: `stub_status` and `$connections_*`.

pub mod conf;
mod handler;

pub use handler::{StubStatusHandler, StubStatusVariables};
