//! Seeking in MP4 files.

mod atom;
mod check;
pub mod conf;
mod error;
mod log;
mod part;
pub mod seek;
mod table;
mod track;

pub use check::Mp4Check;
