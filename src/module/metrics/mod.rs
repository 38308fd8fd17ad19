//! Metrics for Prometheus.

pub mod conf;
mod exposition;
mod handler;
mod labels;
mod snapshot;

pub use handler::MetricsHandler;
pub use snapshot::MetricsSource;
