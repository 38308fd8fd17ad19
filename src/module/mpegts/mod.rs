//! The MPEG-TS cache for HTTP players and HLS from memory.

pub mod conf;
