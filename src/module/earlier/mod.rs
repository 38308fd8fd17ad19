//! Names of earlier PingOS releases and of nginx-rtmp that stand in files in use.

pub mod auth;
pub mod conf;
