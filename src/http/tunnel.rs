//! Tunnels: connections that go on behind a response of status 101.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::log::os_text::os_text;
use crate::net::socket::Socket;

/// Goes on with a connection behind a response of status 101. The figures of its other side are final once it is dropped.
pub trait Tunnel: std::fmt::Debug + Send + Sync {
    /// Passes on bytes of both sides until the end; `received` are those that the client has sent already. `send_timeout` is the
    /// time in which the client must take more.
    fn run<'a>(
        &'a mut self,
        client: Arc<Socket>,
        received: Bytes,
        send_timeout: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = Result<(), TunnelFailure>> + Send + 'a>>;

    /// Number of bytes sent to the client so far.
    fn sent(&self) -> u64;
}

/// A side of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelSide {
    /// The client.
    Client,
    /// The server behind.
    Upstream,
}

/// Why a tunnel has ended, unless one side has closed it.
#[derive(Debug, thiserror::Error)]
pub enum TunnelFailure {
    /// The client takes no more.
    #[error("client timed out (110: Connection timed out)")]
    ClientTimedOut,
    /// The server behind sends or takes no more.
    #[error("upstream timed out (110: Connection timed out)")]
    UpstreamTimedOut,
    /// A system call has failed.
    #[error("{call}() failed ({})", os_text(error))]
    Failed {
        /// Side of the connection.
        side: TunnelSide,
        /// `recv` or `send`.
        call: &'static str,
        /// What the system says.
        error: io::Error,
    },
}

impl TunnelFailure {
    /// Whether `$request_completion` says that the response was complete, as in nginx.
    pub fn counts_as_complete(&self) -> bool {
        match self {
            TunnelFailure::ClientTimedOut => false,
            TunnelFailure::UpstreamTimedOut => true,
            TunnelFailure::Failed { call, .. } => *call == "recv",
        }
    }
}
