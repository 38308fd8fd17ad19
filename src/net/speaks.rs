//! Protocols of listening sockets.

use std::fmt;

/// Protocol of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListenProtocol {
    /// RTMP.
    Rtmp,
    /// HTTP.
    Http,
}

impl fmt::Display for ListenProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ListenProtocol::Rtmp => "rtmp",
            ListenProtocol::Http => "http",
        })
    }
}
