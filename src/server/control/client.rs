//! Client of the control socket: one request, one answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use super::protocol::{ControlAnswer, Request};
use crate::limits;
use crate::net::unix::connect;

/// Reason why there is no answer.
#[derive(Debug)]
pub enum ControlClientError {
    /// No process listens, or access is denied.
    Unreachable(io::Error),
    /// The answer is incomplete or not understood.
    Broken(String),
}

/// Sends a request to the server behind a control socket.
///
/// # Errors
///
/// No server answers within [`limits::CONTROL_PATIENCE`].
pub fn ask(path: &Path, request: &Request) -> Result<ControlAnswer, ControlClientError> {
    let mut stream = connect(path).map_err(ControlClientError::Unreachable)?;
    let broken = |error: io::Error| {
        let timed_out = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        ControlClientError::Broken(match timed_out {
            true => format!("the server gave no answer within {}s", limits::CONTROL_PATIENCE.as_secs()),
            false => error.to_string(),
        })
    };
    stream.set_read_timeout(Some(limits::CONTROL_PATIENCE)).map_err(broken)?;
    stream.set_write_timeout(Some(limits::CONTROL_PATIENCE)).map_err(broken)?;
    let mut line =
        serde_json::to_vec(request).map_err(|error| ControlClientError::Broken(error.to_string()))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(broken)?;
    let mut answer = Vec::new();
    BufReader::new(stream.take(limits::CONTROL_ANSWER)).read_until(b'\n', &mut answer).map_err(broken)?;
    if answer.is_empty() {
        return Err(ControlClientError::Broken("the server has closed the connection".into()));
    }
    serde_json::from_slice(&answer).map_err(|error| ControlClientError::Broken(error.to_string()))
}
