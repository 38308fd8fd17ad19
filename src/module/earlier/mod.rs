//! Directives of earlier PingOS releases and of nginx-rtmp that occur in existing files.

pub mod auth;
pub mod conf;
pub mod unused;
