//! The process: user, workers, files, logs.

pub mod conf;
pub mod load;
pub mod process;
pub mod watch;
