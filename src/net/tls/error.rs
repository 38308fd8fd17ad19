//! Errors of TLS.

use std::io;
use std::path::PathBuf;

use rustls::client::VerifierBuilderError;
use rustls::pki_types::pem;

use crate::log::{FileError, os_text};

/// The reason why TLS cannot be had as configured: the configuration's or the system's fault, never a peer's. The text is nginx's
/// sentence.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate of ours, or its key, cannot be used.
    #[error("cannot load {part} \"{}\": {source}", .path.display())]
    Certificate {
        /// Which of the two, in nginx's words.
        part: &'static str,
        /// Its file.
        path: PathBuf,
        /// Why not.
        source: CertificateError,
    },
    /// Certificates of RTMP clients would have to be verified.
    #[error("\"ssl_verify_client\" is not there yet")]
    ClientVerification,
    /// The values of the directives do not go together.
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
        /// Why not.
        source: TrustedError,
    },
}

impl TlsError {
    /// Whether a file or a feature does not exist yet, while nothing is wrong with what is there.
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

/// Why a certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The file cannot be read.
    #[error("{}", os_text(.0))]
    Unreadable(#[source] io::Error),
    /// The file is not PEM.
    #[error(transparent)]
    Pem(#[from] pem::Error),
    /// No certificate is in the file.
    #[error("the file holds none")]
    Empty,
    /// The key is of an unknown kind.
    #[error(transparent)]
    Key(#[from] rustls::Error),
    /// The key belongs to another certificate.
    #[error("it is not that of the certificate")]
    OtherKey,
}

/// Why a file of trusted certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustedError {
    /// The file is not PEM.
    #[error("is no PEM file ({0})")]
    Pem(#[from] pem::Error),
    /// A certificate in it cannot be used.
    #[error("holds an unusable certificate ({0})")]
    Certificate(#[from] rustls::Error),
    /// No certificate is in the file.
    #[error("holds no certificate")]
    Empty,
}

/// Why no TLS connection to another server can be begun. It can be cloned, since it is told to each connection.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClientTlsError {
    /// The library refuses its own defaults.
    #[error(transparent)]
    Settings(#[from] rustls::Error),
    /// Certificates cannot be verified.
    #[error(transparent)]
    Verifier(#[from] VerifierBuilderError),
    /// The system trusts no certificate.
    #[error("the system has no trusted certificates, see \"relay_ssl_trusted_certificate\"")]
    NoSystemCertificates,
}
