//! Trace ids of requests.

pub mod conf;
mod ids;

pub use ids::{TraceCheck, TraceVariables};
