//! RTMP servers and applications.

pub mod conf;
pub mod connection;
pub mod listen;
pub mod log;
pub mod reload_conf;
pub mod server_conf;
