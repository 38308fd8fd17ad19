//! Character sets of responses.

pub mod conf;
