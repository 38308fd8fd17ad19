//! What modules check once a whole configuration has been made.

use super::ListenAddr;
use super::context::EVENTS;
use super::evaluation::SharedFacts;
use super::values::Values;
use crate::syntax::diagnostic::Problem;

/// A whole configuration, as far as modules check it.
pub struct Whole<'a> {
    /// What values have noted for one another.
    pub notes: &'a mut SharedFacts,
    /// The values of `events { }`.
    pub events: &'a Values<EVENTS>,
    /// The addresses on which RTMP servers listen.
    pub rtmp_addresses: &'a [&'a ListenAddr],
    /// How many sockets listen.
    pub sockets: usize,
}

/// Finds what is wrong with a whole configuration.
pub type Conclusion = fn(&mut Whole<'_>) -> Vec<Problem>;
