//! Referers.

pub mod conf;
pub mod valid;
