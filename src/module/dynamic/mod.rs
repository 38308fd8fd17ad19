//! Settings that are read again while running.

pub mod conf;
pub mod file;
pub mod static_pull;
pub mod table;
