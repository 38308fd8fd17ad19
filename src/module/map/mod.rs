//! Variables derived from others.

pub mod conf;
pub mod entry;
