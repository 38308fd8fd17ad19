//! Password authentication.

pub mod conf;
