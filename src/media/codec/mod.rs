//! Stream metadata and codec information.

pub mod conf;
pub mod track;
