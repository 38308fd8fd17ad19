//! Why sending to a backend, or receiving from it, fails.

use std::io;

use super::stream::StreamError;

/// Why a call has failed.
#[derive(Debug)]
pub(super) enum LinkError {
    /// The system's call, and its error.
    Failed(&'static str, io::Error),
    TimedOut,
    /// The backend has closed.
    Closed,
    /// A request over HTTP/2 has failed.
    Stream(StreamError),
}

impl LinkError {
    /// Whether the backend has closed or reset the connection while something was sent.
    pub(super) fn is_reset(&self) -> bool {
        let LinkError::Failed("send", error) = self else { return false };
        matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
    }
}

impl From<StreamError> for LinkError {
    fn from(error: StreamError) -> LinkError {
        LinkError::Stream(error)
    }
}
