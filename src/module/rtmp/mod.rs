//! RTMP servers and applications.

pub mod conf;
pub mod listen;
pub mod server_conf;
