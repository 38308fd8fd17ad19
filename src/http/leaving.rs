//! Clients that close while their request is processed.

/// Consequence for a request if its client closes while the response is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLeaving {
    /// It ends after a while: the client may have closed its sending direction only.
    #[default]
    EndsLater,
    /// It ends at once, as in nginx where another server or a delay is waited for.
    Ends,
    /// It goes on.
    GoesOn,
}
