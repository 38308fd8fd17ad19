//! Checking of Referer headers.

pub mod conf;
pub mod valid;
mod variable;

pub use variable::InvalidReferer;
