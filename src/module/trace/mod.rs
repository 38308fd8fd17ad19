//! Trace ids of requests.

pub mod conf;
