//! Seeking in MP4 files.

mod atom;
mod check;
pub mod conf;
mod log;
pub mod seek;
mod table;
mod track;

pub use check::Mp4Check;
