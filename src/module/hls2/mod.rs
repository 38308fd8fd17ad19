//! HLS from memory.

pub mod conf;
pub mod live;
