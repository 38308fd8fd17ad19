//! Explanation under construction.

use crate::cli::command::origin::SourcePositions;
use crate::directive::outline::Outline;

/// Default stream name of sample requests.
pub(super) const SAMPLE_NAME: &[u8] = b"stream";

/// An explanation being written.
pub(super) struct ExplanationPage<'p, 't> {
    pub(super) origins: &'p SourcePositions<'p>,
    pub(super) outline: &'p Outline<'t>,
    pub(super) out: String,
}
