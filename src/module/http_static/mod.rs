//! Files: indexes and fallbacks.

pub mod conf;
