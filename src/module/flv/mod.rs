//! Live FLV over HTTP.

pub mod conf;
