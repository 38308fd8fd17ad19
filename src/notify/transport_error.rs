//! Errors of the callback transport.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::log::os_text;
use crate::net::secret::SecretError;

/// Reason why callbacks cannot be sent as configured. The cause is the configuration or the system, never a peer. The
/// text is nginx's sentence.
#[derive(Debug)]
pub enum TransportError {
    /// `notify_secret` cannot be used.
    Secret(SecretError),
    /// The file of `notify_ssl_trusted_certificate` cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file of `notify_ssl_trusted_certificate` contains no certificates.
    NoCertificates(reqwest::Error),
    /// The HTTP client cannot be created.
    NoClient(reqwest::Error),
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TransportError::Secret(error) => error.fmt(f),
            TransportError::Unreadable { path, source } => {
                write!(f, "open() \"{}\" failed ({})", path.display(), os_text(source))
            }
            TransportError::NoCertificates(error) => {
                write!(f, "\"notify_ssl_trusted_certificate\" is no PEM file ({error})")
            }
            TransportError::NoClient(error) => write!(f, "no HTTP client ({error})"),
        }
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The text is the same, so the source is too.
            TransportError::Secret(error) => error.source(),
            TransportError::Unreadable { source, .. } => Some(source),
            TransportError::NoCertificates(error) | TransportError::NoClient(error) => Some(error),
        }
    }
}

impl From<SecretError> for TransportError {
    fn from(error: SecretError) -> Self {
        TransportError::Secret(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_told_in_the_words_of_nginx_and_keeps_its_cause() {
        let source = io::Error::from_raw_os_error(2);
        let error = TransportError::from(SecretError::Unreadable { path: "/no".into(), source });
        assert_eq!(error.to_string(), "open() \"/no\" failed (2: No such file or directory)");
        let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.and_then(io::Error::raw_os_error), Some(2));
        let error =
            TransportError::from(SecretError::Empty { directive: "notify_secret", path: "/no".into() });
        assert_eq!(error.to_string(), "\"notify_secret\" file \"/no\" is empty");
    }
}
