//! The entries, by what they are about.

pub mod access;
pub mod caching;
pub mod connection;
pub mod documented;
pub mod files;
pub mod filters;
pub mod frames;
pub mod generated;
pub mod headers;
pub mod heads;
pub mod http2;
pub mod limits;
pub mod locations;
pub mod log;
pub mod maps;
pub mod newer;
pub mod proxying;
pub mod ranges;
pub mod rewriting;
pub mod selection;
pub mod tls;
pub mod variables;
