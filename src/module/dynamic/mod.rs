//! Settings that are read again while running.

pub mod conf;
pub mod file;
pub mod log;
pub mod table;
pub mod task;
