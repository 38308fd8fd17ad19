//! Conditions, variables and rewriting of paths.

pub mod answer;
pub mod condition;
pub mod conf;
mod log;
mod phase;
pub mod rewrite_rule;

pub use phase::{RewritePhase, ServerRewritePhase};
