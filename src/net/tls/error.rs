//! Errors of TLS.

use std::io;
use std::path::PathBuf;

use rustls::pki_types::pem;

use crate::log::{FileError, os_text};

/// The reason why TLS cannot be had as configured: the configuration's or the system's fault, never a peer's. The text is nginx's
/// sentence.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A configured certificate or its key cannot be used.
    #[error("cannot load {part} \"{}\": {source}", .path.display())]
    Certificate {
        /// Certificate or key, in nginx's words.
        part: &'static str,
        /// Its file.
        path: PathBuf,
        /// The reason.
        source: CertificateError,
    },
    /// Verification of RTMP clients' certificates is not implemented.
    #[error("\"ssl_verify_client\" is not there yet")]
    ClientVerification,
    /// The values of the directives are inconsistent.
    #[error(transparent)]
    Settings(#[from] rustls::Error),
    /// The file of `relay_ssl_trusted_certificate` cannot be read.
    #[error(transparent)]
    TrustedUnreadable(#[from] FileError),
    /// The file of `relay_ssl_trusted_certificate` cannot be used.
    #[error("\"relay_ssl_trusted_certificate\" file \"{}\" {source}", .path.display())]
    Trusted {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: TrustedError,
    },
}

impl TlsError {
    /// Whether the cause is a missing file or feature rather than an invalid one.
    pub fn is_missing(&self) -> bool {
        match self {
            TlsError::ClientVerification => true,
            TlsError::Certificate { source: CertificateError::Unreadable(error), .. } => {
                error.kind() == io::ErrorKind::NotFound
            }
            _ => false,
        }
    }
}

/// Reason why a certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The file cannot be read.
    #[error("{}", os_text(.0))]
    Unreadable(#[source] io::Error),
    /// The file is not PEM.
    #[error(transparent)]
    Pem(#[from] pem::Error),
    /// The file contains no certificate.
    #[error("the file contains none")]
    Empty,
    /// The type of the key is unknown.
    #[error(transparent)]
    Key(#[from] rustls::Error),
    /// The key belongs to another certificate.
    #[error("it is not that of the certificate")]
    OtherKey,
}

/// Reason why a file of trusted certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustedError {
    /// The file is not PEM.
    #[error("is not a PEM file ({0})")]
    Pem(#[from] pem::Error),
    /// A certificate in it cannot be used.
    #[error("contains an unusable certificate ({0})")]
    Certificate(#[from] rustls::Error),
    /// The file contains no certificate.
    #[error("contains no certificate")]
    Empty,
}

/// Reason why TLS connections to other servers are impossible. `Clone`, because each connection gets it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClientTlsError {
    /// The TLS library rejects its own defaults.
    #[error(transparent)]
    Settings(#[from] rustls::Error),
    /// The system has no trusted certificates.
    #[error("the system has no trusted certificates, see \"relay_ssl_trusted_certificate\"")]
    NoSystemCertificates,
}
