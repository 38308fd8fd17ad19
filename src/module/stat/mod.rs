//! Statistics.

pub mod conf;
