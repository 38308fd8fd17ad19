//! What restricts holds: every row of the table that restricts has a request that is refused, and every row that is
//! called honoured has code of the running server that reads it.

mod conditions;
mod readers;
mod referers;
#[path = "../support/mod.rs"]
mod support;
mod walk;
