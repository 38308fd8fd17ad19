//! Recording of streams as FLV.

pub mod conf;
