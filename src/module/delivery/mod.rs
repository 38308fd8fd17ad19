//! How media leaves for players.

pub mod conf;
