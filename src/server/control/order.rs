//! Requests that change the server, for the task that carries out one after the other.

use tokio::sync::oneshot;

use super::protocol::{ControlAnswer, Request};

/// A request that changes the server, with the channel for its answer.
pub struct QueuedRequest {
    /// The request.
    pub request: Request,
    /// Channel for the answer.
    pub reply: oneshot::Sender<ControlAnswer>,
}
