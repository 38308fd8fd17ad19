//! What tells a repeated request from another one.

use std::sync::Arc;

use crate::module::notify::variable::{Variable, Variables};
use crate::server::random;

/// 32 hexadecimal digits, drawn at random, so that they stay apart over restarts and servers.
#[derive(Clone, Debug)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// Of another request than all before.
    #[allow(clippy::new_without_default, reason = "no two of them are equal, as defaults should be")]
    pub fn new() -> Self {
        RequestId(format!("{:016x}{:016x}", random(), random()).into())
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Variables of a request: its own number, and those of what it is about.
pub(super) struct Numbered<'a> {
    pub(super) id: &'a RequestId,
    pub(super) rest: &'a dyn Variables,
}

impl Variables for Numbered<'_> {
    fn value(&self, variable: &Variable, out: &mut Vec<u8>) {
        match variable {
            Variable::NotifyId => out.extend_from_slice(self.id.as_str().as_bytes()),
            other => self.rest.value(other, out),
        }
    }
}
