//! What tells a repeated request from another one.

use std::sync::{Arc, OnceLock};

use crate::task::random;

/// 32 hexadecimal digits, drawn at random, so that they stay apart over restarts and servers. Drawn at the first use: most
/// requests send none.
#[derive(Clone, Debug)]
pub struct RequestId(Arc<OnceLock<String>>);

impl RequestId {
    /// Of another request than all before. Clones are of the same request.
    #[allow(clippy::new_without_default, reason = "no two of them are equal, as defaults should be")]
    pub fn new() -> Self {
        RequestId(Arc::default())
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        self.0.get_or_init(|| format!("{:016x}{:016x}", random(), random()))
    }

    /// Whether the digits have been asked for.
    #[cfg(test)]
    pub(super) fn is_drawn(&self) -> bool {
        self.0.get().is_some()
    }
}
