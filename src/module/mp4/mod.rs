//! Seeking in MP4 files.

mod atom;
pub mod conf;
pub mod seek;
mod table;
mod track;
