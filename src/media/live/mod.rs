//! Live publishing and playing.

pub mod conf;
