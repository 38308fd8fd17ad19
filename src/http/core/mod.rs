//! HTTP serving: what is checked only.

pub mod buffers;
pub mod conf;
pub mod error_page;
pub mod file_access;
pub mod methods;
