//! The process: user, workers, files, logs.

pub mod conf;
pub mod control_socket;
pub mod load;
pub mod log;
pub mod process;
pub mod watch;
