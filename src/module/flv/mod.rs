//! Live FLV over HTTP.

pub mod conf;
mod handler;

pub use handler::FlvHandler;
