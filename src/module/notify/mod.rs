//! HTTP notifications of what happens to streams.

pub mod request;
pub mod conf;
pub mod hook;
pub mod main_conf;
pub mod url;
pub mod variable;
