//! Reading the PROXY header at the beginning of a connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::plain::PlainSocket;
use super::socket::Socket;
use crate::limits;
use crate::log::shown::Shown;
use crate::wire::proxy_protocol::{HeaderError, Parsed, ProxyHeader, parse};

/// Bytes for which there is room at first; longer headers are rare.
const FIRST: usize = 256;

/// Reason why a connection has no usable header. The texts are nginx's; bytes of the peer are escaped.
#[derive(Debug, thiserror::Error)]
pub enum ProxyHeaderError {
    /// It violates the protocol.
    #[error("broken header: \"{}\"", Shown::new(.0))]
    Broken(Vec<u8>),
    /// Neither version 1 nor 2.
    #[error("unknown PROXY protocol version: {0}")]
    Version(u8),
    /// Longer than the bound.
    #[error("header is too large")]
    TooLarge,
    /// The peer closed before the first byte.
    #[error("client closed connection")]
    Closed,
    /// It did not arrive in time.
    #[error("client timed out (110: Connection timed out)")]
    TimedOut,
    /// Reading failed.
    #[error("recv() failed ({0})")]
    Failed(#[from] io::Error),
}

impl ProxyHeaderError {
    /// Whether the peer spoke, but not the PROXY protocol.
    pub fn is_violation(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::Version(_) | Self::TooLarge)
    }
}

/// Whether the session needs the client's address, or only shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceAddress {
    /// Any text is accepted, as nginx does for HTTP.
    Text,
    /// A text that is not an address makes the header a broken one, as in PingOS for RTMP.
    Address,
}

/// Reads the header and keeps its addresses with the socket. What follows the header stays in the socket.
///
/// # Errors
///
/// The header is broken, or incomplete within `timeout`; or the connection ended.
pub async fn accept(
    socket: Socket,
    source: SourceAddress,
    timeout: Option<Duration>,
) -> Result<Socket, ProxyHeaderError> {
    let Socket::Plain(mut socket) = socket else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a PROXY header within TLS").into());
    };
    let wait = timeout.unwrap_or(limits::PROXY_HEADER_WAIT);
    match tokio::time::timeout(wait, read(&mut socket, source)).await {
        Ok(outcome) => outcome.map(|()| Socket::Plain(socket)),
        Err(_) => Err(ProxyHeaderError::TimedOut),
    }
}

async fn read(socket: &mut PlainSocket, source: SourceAddress) -> Result<(), ProxyHeaderError> {
    // Bytes taken from the socket, and room for those that are only looked at.
    let (mut bytes, mut taken) = (vec![0; FIRST], 0);
    loop {
        if taken == bytes.len() {
            bytes.resize(limits::PROXY_HEADER_V2, 0);
        }
        socket.readable().await?;
        let seen = match socket.try_peek(&mut bytes[taken..]) {
            Ok(0) if taken == 0 => return Err(ProxyHeaderError::Closed),
            Ok(0) => return Err(broken(&bytes[..taken])),
            Ok(peeked) => taken + peeked,
            Err(error) if again(&error) => continue,
            Err(error) => return Err(error.into()),
        };
        let (length, header) = match parse(&bytes[..seen]) {
            Ok(Parsed::Complete { length, header }) => (length, Some(header)),
            Ok(Parsed::Incomplete) => (seen, None),
            Err(error) => {
                // What has come is taken: otherwise the peer would see a reset instead of the end.
                let _ = socket.try_read(&mut [0; limits::PROXY_HEADER_V2]);
                return Err(match error {
                    HeaderError::Broken => broken(&bytes[..seen]),
                    HeaderError::Version(version) => ProxyHeaderError::Version(version),
                    HeaderError::TooLarge => ProxyHeaderError::TooLarge,
                });
            }
        };
        while taken < length {
            match socket.try_read(&mut bytes[taken..length]) {
                Ok(0) => return Err(broken(&bytes[..taken])),
                Ok(read) => taken += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // These bytes are there, whatever the reactor believes.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.readable().await?,
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(header) = header {
            let is_usable = |header| source == SourceAddress::Text || has_address(header);
            if !header.as_deref().is_none_or(is_usable) {
                return Err(broken(&bytes[..length]));
            }
            socket.declared = header.map(Arc::from);
            return Ok(());
        }
    }
}

fn has_address(header: &ProxyHeader) -> bool {
    header.source_ip().is_some()
}

fn again(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// With the bytes up to the end of the line, as in nginx.
fn broken(bytes: &[u8]) -> ProxyHeaderError {
    let line = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')).map_or(bytes, |end| &bytes[..end]);
    ProxyHeaderError::Broken(line[..line.len().min(limits::PROXY_HEADER_V1)].to_vec())
}
