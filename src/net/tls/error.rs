//! Errors of TLS.

use std::io;
use std::path::PathBuf;

use rustls::OtherError;
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
    /// Certificates of `ssl_client_certificate` or `ssl_trusted_certificate`, or the lists of `ssl_crl`, cannot be used.
    #[error("SSL_CTX_load_verify_locations(\"{}\") failed ({source})", .path.display())]
    Verification {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: VerificationError,
    },
    /// A file of `ssl_session_ticket_key` has the wrong size.
    #[error("\"{}\" must be 48 or 80 bytes", .0.display())]
    TicketKeySize(PathBuf),
    /// A file of another TLS directive cannot be read.
    #[error("\"{directive}\" file \"{}\" cannot be read ({})", .path.display(), os_text(.source))]
    Unreadable {
        /// The directive.
        directive: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The system has no random numbers.
    #[error("no random numbers for session tickets")]
    NoRandom,
    /// The default server of an encrypted address, or one beside a default server that rejects handshakes, has no certificate.
    #[error("no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive in {place}")]
    NoCertificate {
        /// File and line of the server.
        place: String,
    },
    /// The server has `$acme_certificate`, and no certificate is ordered for it.
    #[error("$acme_certificate needs \"acme_certificate\" in the server in {place}")]
    NotOrdered {
        /// File and line of the server.
        place: String,
    },
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
    /// Whether the cause is a missing certificate or key rather than an invalid one.
    pub fn is_missing(&self) -> bool {
        match self {
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
    /// The key is of a kind that is not supported.
    #[error("keys of {0} are not supported")]
    UnsupportedKey(String),
    /// The key is encrypted, and no password fits.
    #[error("it is encrypted, and no password of \"ssl_password_file\" decrypts it")]
    Encrypted,
    /// The key is encrypted as OpenSSL did it before PKCS #8, with a cipher or of a kind that is not supported.
    #[error("it is encrypted with a cipher that is not supported; \"openssl pkcs8 -topk8\" converts it")]
    OldEncryption,
    /// The certificate is malformed.
    #[error("it is malformed")]
    Malformed,
    /// The key belongs to another certificate.
    #[error("it is not that of the certificate")]
    OtherKey,
    /// The certificate is for other names.
    #[error("it is not for \"{0}\"")]
    OtherName(String),
}

/// Reason why a file for the verification of clients cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VerificationError {
    /// It cannot be read.
    #[error("{}", os_text(.0))]
    Unreadable(#[source] io::Error),
    /// Its contents cannot be used.
    #[error("it {0}")]
    Contents(#[from] TrustedError),
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
    /// A certificate in it is malformed.
    #[error("holds a malformed certificate")]
    Malformed,
    /// A revocation list in it is malformed.
    #[error("holds a malformed revocation list")]
    MalformedList,
    /// The file contains no revocation list.
    #[error("holds no revocation list")]
    NoList,
}

/// Reason why there are no settings of TLS to backends.
#[derive(Debug, thiserror::Error)]
pub enum BackendTlsError {
    /// Our certificate or key cannot be used.
    #[error(transparent)]
    Identity(#[from] CertificateError),
    /// CA certificates or revocation lists cannot be used.
    #[error("the file {0}")]
    Trusted(#[from] TrustedError),
    /// The values are inconsistent.
    #[error(transparent)]
    Settings(#[from] rustls::Error),
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

/// Why TLS with another server failed, in a sentence. The library's own errors name some reasons by the names of its types.
pub fn handshake_failure(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(rustls::CertificateError::Other(OtherError(why))) = error else {
        return error.to_string();
    };
    let why = why.to_string();
    let why = match why.as_str() {
        "CaUsedAsEndEntity" => "it is the certificate of a CA (CA:TRUE), not that of a server",
        "EndEntityUsedAsCa" => "it was not issued by the certificate of a CA (CA:FALSE)",
        why => why,
    };
    format!("invalid peer certificate: {why}")
}
