//! Client of the control socket: one request, one answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use super::protocol::{ControlAnswer, Request};
use crate::limits;
use crate::net::unix::connect;

/// Reason why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlClientError {
    /// No process listens, or access is denied.
    #[error(transparent)]
    Unreachable(io::Error),
    /// There is none in time.
    #[error("the server gave no answer within {}s", limits::CONTROL_PATIENCE.as_secs())]
    Late,
    /// The connection has failed.
    #[error(transparent)]
    Broken(io::Error),
    /// The server has closed the connection before its answer.
    #[error("the server has closed the connection")]
    Closed,
    /// The request or the answer is not understood.
    #[error(transparent)]
    Malformed(#[from] serde_json::Error),
}

/// Sends a request to the server behind a control socket.
///
/// # Errors
///
/// No server answers within [`limits::CONTROL_PATIENCE`].
pub fn ask(path: &Path, request: &Request) -> Result<ControlAnswer, ControlClientError> {
    let mut stream = connect(path).map_err(ControlClientError::Unreachable)?;
    let broken = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ControlClientError::Late,
        _ => ControlClientError::Broken(error),
    };
    stream.set_read_timeout(Some(limits::CONTROL_PATIENCE)).map_err(broken)?;
    stream.set_write_timeout(Some(limits::CONTROL_PATIENCE)).map_err(broken)?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).map_err(broken)?;
    let mut answer = Vec::new();
    BufReader::new(stream.take(limits::CONTROL_ANSWER)).read_until(b'\n', &mut answer).map_err(broken)?;
    if answer.is_empty() {
        return Err(ControlClientError::Closed);
    }
    Ok(serde_json::from_slice(&answer)?)
}
