//! Character sets of responses.

pub mod conf;
mod filter;
mod log;
pub mod map;
pub mod recode;
mod utf8;

pub use filter::CharsetFilter;
