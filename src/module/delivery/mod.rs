//! How media leaves for players.

pub mod conf;
pub mod main_conf;
