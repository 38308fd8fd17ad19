//! Control requests.

pub mod conf;
