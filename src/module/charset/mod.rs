//! Charsets of responses.

pub mod conf;
