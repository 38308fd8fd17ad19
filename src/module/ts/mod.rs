//! Live MPEG-TS over HTTP.

pub mod conf;
