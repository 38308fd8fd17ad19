//! Cookies that tell clients apart.

pub mod conf;
pub mod id;
pub mod settings;
