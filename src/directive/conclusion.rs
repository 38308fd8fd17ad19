//! Checks that modules run on a complete configuration.

use super::ListenAddr;
use super::context::EVENTS;
use super::evaluation::SharedFacts;
use super::values::Values;
use crate::syntax::diagnostic::Problem;

/// Parts of a complete configuration that modules check.
pub struct WholeConfig<'a> {
    /// Facts that values have recorded for other values.
    pub notes: &'a mut SharedFacts,
    /// The values of `events { }`.
    pub events: &'a Values<EVENTS>,
    /// Addresses on which RTMP servers listen.
    pub rtmp_addresses: &'a [&'a ListenAddr],
    /// Addresses on which HTTP servers listen.
    pub http_addresses: &'a [&'a ListenAddr],
    /// Number of listening sockets.
    pub sockets: usize,
}

/// Returns the errors of a complete configuration.
pub type Conclusion = fn(&mut WholeConfig<'_>) -> Vec<Problem>;
