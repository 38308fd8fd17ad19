//! Access by the result of a subrequest.

mod check;
pub mod conf;
mod log;

pub use check::AuthRequestCheck;
