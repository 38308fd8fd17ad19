//! Referers.

pub mod conf;
pub mod valid;
mod variable;

pub use variable::InvalidReferer;
