//! Errors of relays.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::str::Utf8Error;
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::InvalidDnsNameError;

use crate::log::os_text;
use crate::log::shown::Shown;
use crate::media::session::Reason;
use crate::net::dns::LookupError;
use crate::net::tls::{ClientTlsError, handshake_failure};
use crate::wire::{flv, rtmp};

/// Error of a relay, caused by the other server, the network or the configuration.
#[derive(Debug, thiserror::Error)]
pub(super) enum RelayError {
    /// Connecting failed.
    #[error("connect failed: {0}")]
    Connect(#[from] ConnectError),
    /// Connecting timed out.
    #[error("no connection within {} ms", .0.as_millis())]
    ConnectTimeout(Duration),
    /// The other server did not start the stream in time.
    #[error("not started within {} ms", .0.as_millis())]
    StartTimeout(Duration),
    /// The origin did not send the header of its response in time.
    #[error("no response header within {} ms", .0.as_millis())]
    HeaderTimeout(Duration),
    /// The other server does not read its socket.
    #[error("the other server reads nothing")]
    SendTimeout,
    /// The connection failed.
    #[error("{}", os_text(.0))]
    Network(#[from] io::Error),
    /// The other server violates RTMP.
    #[error(transparent)]
    Rtmp(#[from] rtmp::RtmpError),
    /// The response is not valid FLV.
    #[error(transparent)]
    Flv(#[from] flv::FlvError),
    /// TLS is not available.
    #[error(transparent)]
    Tls(#[from] ClientTlsError),
    /// The HTTP client could not be created.
    #[error(transparent)]
    HttpClient(reqwest::Error),
    /// An HTTP request failed, or its response was truncated.
    #[error("{}", innermost(.0))]
    Http(#[source] reqwest::Error),
    /// The origin answered with this HTTP status.
    #[error("the origin answered with status {0}")]
    Status(u16),
    /// The other server answered with this status code of RTMP.
    #[error("the other server answered {}", Shown::new(.0))]
    Answer(Bytes),
    /// The origin itself pulls the stream from this server.
    #[error("relay loop: the source is fed by this stream")]
    SourceLoop,
    /// The target itself is the source of the stream.
    #[error("relay loop: the target feeds this stream")]
    TargetLoop,
    /// The delivery loop dropped the relay.
    #[error("{}", .0.name())]
    Delivery(Reason),
}

/// Reason why connecting failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// The host contains bytes that are not allowed in a name.
    #[error("the host is not a name")]
    Host(#[from] Utf8Error),
    /// The host cannot be the subject of a certificate.
    #[error("the host is not a name that TLS accepts")]
    TlsHost(#[from] InvalidDnsNameError),
    /// The host has no address.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// No address accepted the connection.
    #[error("{}", failures(.0))]
    Addresses(Vec<(SocketAddr, io::Error)>),
    /// TLS is not available.
    #[error(transparent)]
    Tls(#[from] ClientTlsError),
    /// The TLS handshake failed.
    #[error("TLS: {}", tls_failure(.0))]
    Handshake(#[source] io::Error),
}

fn tls_failure(error: &io::Error) -> String {
    let tls = error.get_ref().and_then(|error| error.downcast_ref());
    tls.map_or_else(|| error.to_string(), handshake_failure)
}

fn failures(of: &[(SocketAddr, io::Error)]) -> String {
    of.iter().map(|(address, error)| format!("{address} ({})", os_text(error))).collect::<Vec<_>>().join(", ")
}

/// reqwest's text names only the operation; the causes are in its chain of sources.
fn innermost(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.downcast_ref::<io::Error>().map_or_else(|| innermost.to_string(), os_text)
}
