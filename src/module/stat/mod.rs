//! Statistics.

pub mod conf;
mod handler;

pub use handler::StatHandler;
