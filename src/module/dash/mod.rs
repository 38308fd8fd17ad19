//! DASH files.

pub mod conf;
