//! A live-media server: RTMP in, RTMP and HTTP-FLV out, configured as nginx is, asking a business server.
pub mod conf;
pub mod config;
pub mod hub;
pub mod limits;
pub mod module;
pub mod server;
pub mod wire;

/// What `$nginx_version` and statistics say: the version of nginx that the configuration language follows.
pub const NGINX_VERSION: &str = "1.17.5";
