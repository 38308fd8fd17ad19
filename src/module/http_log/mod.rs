//! Logs of HTTP requests.

pub mod access_log;
pub mod conf;
mod escape;
pub mod format;
pub mod line;
pub mod open_file_cache;
