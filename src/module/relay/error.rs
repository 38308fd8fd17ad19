//! Errors of relays.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::str::Utf8Error;
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::InvalidDnsNameError;

use crate::log::shown::Shown;
use crate::media::session::Reason;
use crate::net::dns::LookupError;
use crate::net::tls::ClientTlsError;
use crate::wire::{flv, rtmp};

/// What has gone wrong with a relay: the other server's fault, the network's, or the configuration's.
#[derive(Debug, thiserror::Error)]
pub(super) enum RelayError {
    /// There is no connection.
    #[error("connect failed: {0}")]
    Connect(#[from] ConnectError),
    /// There is no connection in time.
    #[error("no connection within {} ms", .0.as_millis())]
    ConnectTimeout(Duration),
    /// The other server has not let the stream begin in time.
    #[error("not started within {} ms", .0.as_millis())]
    StartTimeout(Duration),
    /// The other server does not read.
    #[error("the other server takes nothing")]
    SendTimeout,
    /// The connection has failed.
    #[error(transparent)]
    Network(#[from] io::Error),
    /// The other server does not keep to RTMP.
    #[error(transparent)]
    Rtmp(#[from] rtmp::RtmpError),
    /// The other server does not keep to FLV.
    #[error(transparent)]
    Flv(#[from] flv::FlvError),
    /// TLS cannot be had.
    #[error(transparent)]
    Tls(#[from] ClientTlsError),
    /// The HTTP client cannot be made.
    #[error(transparent)]
    HttpClient(reqwest::Error),
    /// A request over HTTP has failed, or the response was cut off.
    #[error("{}", innermost(.0))]
    Http(#[source] reqwest::Error),
    /// The origin has answered with this status.
    #[error("the origin answered with status {0}")]
    Status(u16),
    /// The other server has answered with this code.
    #[error("the other server answered {}", Shown::new(.0))]
    Answer(Bytes),
    /// The origin fetches from here.
    #[error("relay loop: the source is fed by this stream")]
    SourceLoop,
    /// The target feeds the stream.
    #[error("relay loop: the target feeds this stream")]
    TargetLoop,
    /// The delivery loop has given it up.
    #[error("{}", .0.name())]
    Delivery(Reason),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// The host holds bytes that no name has.
    #[error("the host is no name")]
    Host(#[from] Utf8Error),
    /// No certificate can be for such a host.
    #[error("the host is no name that TLS knows")]
    TlsHost(#[from] InvalidDnsNameError),
    /// The host has no address.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// None of the addresses answers.
    #[error("{}", failures(.0))]
    Addresses(Vec<(SocketAddr, io::Error)>),
    /// TLS cannot be had.
    #[error(transparent)]
    Tls(#[from] ClientTlsError),
    /// The handshake of TLS has failed.
    #[error("TLS: {0}")]
    Handshake(#[source] io::Error),
}

fn failures(of: &[(SocketAddr, io::Error)]) -> String {
    of.iter().map(|(address, error)| format!("{address}: {error}")).collect::<Vec<_>>().join(", ")
}

/// reqwest names the operation; what failed is said by the errors below.
fn innermost(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
