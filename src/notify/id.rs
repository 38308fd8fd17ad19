//! The identifier of a request, by which a callback server recognises a repeated one.

use std::sync::{Arc, OnceLock};

use crate::task::random;

/// 32 random hexadecimal digits, unique over restarts and servers. They are drawn at the first use, since most requests
/// send none.
#[derive(Clone, Debug)]
pub struct RequestId(Arc<OnceLock<String>>);

impl RequestId {
    /// The identifier of a new request. Clones identify the same request.
    #[allow(clippy::new_without_default, reason = "no two of them are equal, as defaults should be")]
    pub fn new() -> Self {
        RequestId(Arc::default())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        self.0.get_or_init(|| format!("{:016x}{:016x}", random(), random()))
    }

    /// Whether the digits have been asked for.
    #[cfg(test)]
    pub(super) fn is_drawn(&self) -> bool {
        self.0.get().is_some()
    }
}
