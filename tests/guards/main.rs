//! What restricts holds: every row of the table that restricts has a request that is refused.

mod referers;
#[path = "../support/mod.rs"]
mod support;
mod walk;
