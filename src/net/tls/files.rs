//! The files that the settings of listening sockets are made of.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::DistinguishedName;
use rustls::sign::CertifiedKey;

use super::error::{CertificateError, TlsError, VerificationError};
use super::key::{self, Passwords};
use super::x509::trust::Trust;
use crate::net::ssl::conf::Conf;
use crate::net::ssl::source::CertificateSource;
use crate::task::disk;

/// Certificates with their keys; each pair of files is read once.
#[derive(Default)]
pub(super) struct LoadedFiles(HashMap<(PathBuf, PathBuf), Arc<CertifiedKey>>);

impl LoadedFiles {
    pub(super) fn passwords(&self, own: &Conf) -> Result<Passwords, TlsError> {
        match &own.password_file {
            Some(path) => Ok(key::passwords(&read("ssl_password_file", &path.0)?)),
            None => Ok(Passwords::new()),
        }
    }

    pub(super) fn pair(
        &mut self,
        certificate: &CertificateSource,
        key: &CertificateSource,
        passwords: &[Vec<u8>],
    ) -> Result<Arc<CertifiedKey>, TlsError> {
        let (certificate, key) = (&certificate.path, &key.path);
        if let Some(pair) = self.0.get(&(certificate.clone(), key.clone())) {
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
        self.0.insert((certificate.clone(), key.clone()), pair.clone());
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
    disk::read(path).map_err(|source| TlsError::Unreadable { directive, path: path.to_owned(), source })
}
