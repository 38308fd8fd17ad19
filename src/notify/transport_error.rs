//! Errors of the callback transport.

use crate::log::FileError;
use crate::net::secret::SecretError;
use crate::net::tls::TrustedError;

/// Reason why callbacks cannot be sent as configured. The cause is the configuration or the system, never a peer. The
/// text is nginx's sentence.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// `notify_secret` cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The file of `notify_ssl_trusted_certificate` cannot be read.
    #[error(transparent)]
    Unreadable(#[from] FileError),
    /// The file of `notify_ssl_trusted_certificate` contains no certificates.
    #[error("\"notify_ssl_trusted_certificate\" {0}")]
    NoCertificates(#[from] TrustedError),
    /// The HTTP client cannot be created.
    #[error("no HTTP client ({0})")]
    NoClient(#[source] reqwest::Error),
}
