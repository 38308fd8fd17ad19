//! Detection of stalls.

pub mod conf;
mod stalls;
mod watch;

pub use watch::Monitor;
