//! Metadata of streams.

pub mod conf;
pub mod track;
