//! Access control of publishers and players.

pub mod conf;
pub mod rule;
