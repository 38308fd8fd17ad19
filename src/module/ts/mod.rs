//! Live MPEG-TS over HTTP.

pub mod conf;
mod handler;

pub use handler::TsHandler;
