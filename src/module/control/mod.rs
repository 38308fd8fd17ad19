//! Control requests.

pub mod conf;
pub mod log;
