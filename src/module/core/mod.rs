//! The process: user, workers, files, logs.

pub mod conf;
pub mod log;
pub mod process;
pub mod watch;
