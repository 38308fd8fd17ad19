//! Protocols of listening sockets.

use std::fmt;

/// Protocol of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speaks {
    /// RTMP.
    Rtmp,
    /// HTTP.
    Http,
}

impl fmt::Display for Speaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Speaks::Rtmp => "rtmp",
            Speaks::Http => "http",
        })
    }
}
