//! Conditions and rewriting of paths.

pub mod condition;
pub mod conf;
pub mod rewrite_rule;
