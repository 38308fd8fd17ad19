//! Copies of requests.

pub mod conf;
