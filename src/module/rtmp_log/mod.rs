//! Logs of RTMP sessions.

pub mod access_log;
pub mod conf;
pub mod format;
mod line;
pub mod sessions;
