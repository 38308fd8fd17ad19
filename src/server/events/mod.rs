//! Connection processing.

pub mod conf;
