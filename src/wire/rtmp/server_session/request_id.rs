//! Identity of a request that waits for its answer.

/// Identifies a pending connect, publish or play request. Never reused within a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub(super) u64);
