//! A live-media server: RTMP in, RTMP and HTTP-FLV out, configured as nginx is, asking a business server.
pub mod hub;
pub mod limits;
pub mod wire;
