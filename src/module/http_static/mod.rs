//! Static files: indexes and fallbacks.

pub mod conf;
