//! Compression of responses.

pub mod conf;
