//! RTMP servers and applications.

pub mod connection;
pub mod log;
