//! Watching for stalls.

pub mod conf;
