//! Why the files that issuers name cannot be used.

use std::io;
use std::path::PathBuf;

use super::jose::SigningKeyError;
use crate::log::os_text;
use crate::net::tls::TrustedError;

/// A file of an issuer that cannot be used; nginx's sentence.
#[derive(Debug, thiserror::Error)]
#[error("acme_issuer: {0}")]
pub struct AcmeFileError(#[from] FileFault);

/// What is wrong with a file of an issuer. The cause is the configuration or the system.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileFault {
    /// The key of an account cannot be read.
    #[error("cannot load account key \"{}\": {}", .0.display(), os_text(.1))]
    AccountKey(PathBuf, #[source] io::Error),
    /// The key of an account cannot be used.
    #[error("cannot load account key \"{}\": {}", .0.display(), .1)]
    NoAccountKey(PathBuf, #[source] SigningKeyError),
    /// The key of an account in `state_path` cannot be read.
    #[error("the account key cannot be read ({})", os_text(.0))]
    KeptKey(#[source] io::Error),
    /// Another file cannot be read.
    #[error("\"{}\" cannot be read ({})", .0.display(), os_text(.1))]
    Unreadable(PathBuf, #[source] io::Error),
    /// The file of `external_account_key` has no key.
    #[error("\"{}\" has no base64url encoded key", .0.display())]
    NoExternalKey(PathBuf),
    /// The file of `ssl_trusted_certificate` has no certificates.
    #[error("\"{}\" {}", .0.display(), .1)]
    NotTrusted(PathBuf, #[source] TrustedError),
    /// The system's certificates cannot be used.
    #[error(transparent)]
    System(#[from] TrustedError),
}
