//! Detection of stalls.

pub mod conf;
