//! HTTP directives that are only validated.

pub mod buffers;
pub mod conf;
pub mod error_page;
pub mod file_access;
pub mod methods;
pub mod temp_path;
