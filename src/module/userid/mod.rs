//! Cookies that tell clients apart.

pub mod conf;
mod filter;
pub mod id;
mod log;
pub mod settings;

pub use filter::{UserIdChoice, UserIdFilter, UserIdVariables};
