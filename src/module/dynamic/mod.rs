//! Settings that change without a reload.

pub mod conf;
pub mod contents;
pub mod file;
pub mod log;
pub mod table;
pub mod task;
