//! HLS files.

pub mod conf;
