//! Referers.

pub mod conf;
