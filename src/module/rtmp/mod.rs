//! RTMP servers and applications.

pub mod conf;
pub mod listen;
pub mod reload_conf;
pub mod server_conf;
