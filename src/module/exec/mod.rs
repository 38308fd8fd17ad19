//! Commands run at events of streams.

pub mod conf;
pub mod signal;
