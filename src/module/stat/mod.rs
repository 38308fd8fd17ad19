//! Statistics.

pub mod conf;
mod handler;
pub mod statistics;

pub use handler::StatHandler;
