//! The files that the settings of listening sockets are made of.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::DistinguishedName;
use rustls::sign::CertifiedKey;

use super::error::{CertificateError, TlsError, VerificationError};
use super::key::{self, Passwords};
use super::x509::trust::Trust;
use crate::limits;
use crate::net::ssl::conf::Conf;
use crate::net::ssl::source::CertificateSource;
use crate::task::disk;

/// What was read of files.
#[derive(Default)]
pub(super) struct LoadedFiles {
    /// Certificates with their keys; each pair of files is read once.
    pairs: HashMap<(PathBuf, PathBuf), Arc<CertifiedKey>>,
    /// By file, which is read once: what was read from a FIFO is gone, and several servers may inherit it.
    passwords: HashMap<PathBuf, Passwords>,
}

impl LoadedFiles {
    /// The passwords of a server's keys. As in nginx, a FIFO may hold them, so that they need not be on a disk.
    pub(super) fn passwords(&mut self, own: &Conf) -> Result<Passwords, TlsError> {
        let Some(path) = &own.password_file else { return Ok(Passwords::new()) };
        if let Some(known) = self.passwords.get(&path.0) {
            return Ok(known.clone());
        }
        let is_fifo = std::fs::metadata(&path.0).is_ok_and(|found| found.file_type().is_fifo());
        let text = if is_fifo {
            let read = disk::read_fifo(&path.0, limits::TLS_PASSWORD_PATIENCE, limits::TLS_PASSWORD_BYTES);
            read.map_err(|source| unreadable("ssl_password_file", &path.0, source))?
        } else {
            read("ssl_password_file", &path.0)?
        };
        let passwords = key::passwords(&text);
        self.passwords.insert(path.0.clone(), passwords.clone());
        Ok(passwords)
    }

    pub(super) fn pair(
        &mut self,
        certificate: &CertificateSource,
        key: &CertificateSource,
        passwords: &[Vec<u8>],
    ) -> Result<Arc<CertifiedKey>, TlsError> {
        let (certificate, key) = (&certificate.path, &key.path);
        if let Some(pair) = self.pairs.get(&(certificate.clone(), key.clone())) {
            return Ok(pair.clone());
        }
        let cannot = |part: &'static str, path: &Path| {
            let path = path.to_owned();
            move |source: CertificateError| TlsError::Certificate { part, path, source }
        };
        let chain = key::text_of(certificate).and_then(|text| key::chain(&text));
        let chain = chain.map_err(cannot("certificate", certificate))?;
        let pair = key::text_of(key).and_then(|text| key::certified(chain, &text, passwords));
        let pair = Arc::new(pair.map_err(cannot("certificate key", key))?);
        self.pairs.insert((certificate.clone(), key.clone()), pair.clone());
        Ok(pair)
    }

    /// The certificates and lists that clients are verified with, and the names that they are shown.
    pub(super) fn trust(&self, own: &Conf) -> Result<(Trust, Vec<DistinguishedName>), TlsError> {
        let mut trust = Trust::default();
        let mut names = Vec::new();
        let files = [(&own.client_certificate, true), (&own.trusted_certificate, false)];
        let named = files.into_iter().filter_map(|(path, is_shown)| Some((&path.as_ref()?.0, is_shown)));
        for (path, is_shown) in named {
            let failed = |source| TlsError::Verification { path: path.clone(), source };
            let text = disk::read(path).map_err(|error| failed(VerificationError::Unreadable(error)))?;
            let added = trust.add(&text).map_err(|error| failed(error.into()))?;
            if is_shown {
                // As in nginx, a name is sent once.
                for name in added {
                    if names.iter().all(|known: &DistinguishedName| known.as_ref() != name.as_ref()) {
                        names.push(name);
                    }
                }
            }
        }
        if let Some(path) = &own.crl {
            let failed = |source| TlsError::Verification { path: path.0.clone(), source };
            let text = disk::read(&path.0).map_err(|error| failed(VerificationError::Unreadable(error)))?;
            trust.add_lists(&text).map_err(|error| failed(error.into()))?;
        }
        Ok((trust, names))
    }
}

/// Reads the file of a directive.
///
/// # Errors
///
/// It cannot be read.
pub(super) fn read(directive: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    disk::read(path).map_err(|source| unreadable(directive, path, source))
}

fn unreadable(directive: &'static str, path: &Path, source: io::Error) -> TlsError {
    TlsError::Unreadable { directive, path: path.to_owned(), source }
}
