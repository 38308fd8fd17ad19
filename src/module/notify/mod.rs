//! HTTP notifications of what happens to streams.

pub mod conf;
pub mod contract;
pub mod hook;
pub mod main_conf;
pub mod request;
pub mod url;
pub mod variable;
