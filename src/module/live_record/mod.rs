//! Recording of streams as MPEG-TS with an index.

pub mod conf;
