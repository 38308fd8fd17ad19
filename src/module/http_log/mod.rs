//! Logs of HTTP requests.

pub mod access_log;
pub mod conf;
pub mod format;
