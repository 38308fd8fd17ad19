//! Signed links.

pub mod conf;
pub mod link;
mod variables;

pub use variables::SecureLinkVariables;
