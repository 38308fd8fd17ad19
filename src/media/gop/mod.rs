//! GOP cache, from which new players start.

pub mod conf;
pub mod shift;
