//! Metadata of streams.

pub mod track;
pub mod conf;
