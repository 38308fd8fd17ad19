//! Variables that depend on others.

pub mod conf;
pub mod entry;
