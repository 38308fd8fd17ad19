//! Signed links.

pub mod conf;
pub mod link;
