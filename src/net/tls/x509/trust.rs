//! Trusted certificates and revocation lists.

use std::collections::{HashMap, HashSet};

use rustls::DistinguishedName;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::name;
use crate::net::tls::error::TrustedError;

/// Certificates that are trusted, by the names of their subjects, and revocation lists by those of their issuers.
#[derive(Debug, Default)]
pub struct Trust {
    certificates: HashMap<Vec<u8>, Vec<CertificateDer<'static>>>,
    lists: HashMap<Vec<u8>, Vec<RevocationList>>,
    /// Whether certificates need a revocation list.
    pub(super) has_lists: bool,
}

/// A revocation list.
#[derive(Debug)]
pub(super) struct RevocationList {
    pub(super) der: CertificateRevocationListDer<'static>,
    /// Moments in seconds since 1970.
    pub(super) begin: i64,
    pub(super) end: Option<i64>,
    /// Serial numbers, without zeros at the beginning.
    pub(super) revoked: HashSet<Vec<u8>>,
}

impl Trust {
    /// Adds the certificates of a PEM file. Returns the names of their subjects.
    ///
    /// # Errors
    ///
    /// There is no certificate in it, or one cannot be used.
    pub fn add(&mut self, pem: &[u8]) -> Result<Vec<DistinguishedName>, TrustedError> {
        let mut names = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            names.push(self.add_one(certificate?)?);
        }
        if names.is_empty() { Err(TrustedError::Empty) } else { Ok(names) }
    }

    fn add_one(&mut self, certificate: CertificateDer<'static>) -> Result<DistinguishedName, TrustedError> {
        let (key, subject) = {
            let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|_| TrustedError::Malformed)?;
            (name::comparable(&parsed.subject), parsed.subject.as_raw().to_vec())
        };
        let same = self.certificates.entry(key).or_default();
        if !same.contains(&certificate) {
            same.push(certificate);
        }
        Ok(DistinguishedName::from(subject))
    }

    /// Adds certificates of the system; those that cannot be used are left out.
    pub fn add_usable(&mut self, certificates: Vec<CertificateDer<'static>>) {
        for certificate in certificates {
            let _ = self.add_one(certificate);
        }
    }

    /// Adds the revocation lists of a PEM file: from now on each certificate needs one.
    ///
    /// # Errors
    ///
    /// There is no list in it, or one cannot be used.
    pub fn add_lists(&mut self, pem: &[u8]) -> Result<(), TrustedError> {
        self.has_lists = true;
        let mut is_empty = true;
        for list in CertificateRevocationListDer::pem_slice_iter(pem) {
            let der = list?;
            let (issuer, begin, end, revoked) = {
                let (_, parsed) =
                    CertificateRevocationList::from_der(&der).map_err(|_| TrustedError::MalformedList)?;
                let serials = parsed.iter_revoked_certificates().map(|one| bare(one.raw_serial()).to_vec());
                (
                    name::comparable(parsed.issuer()),
                    parsed.last_update().timestamp(),
                    parsed.next_update().map(|time| time.timestamp()),
                    serials.collect(),
                )
            };
            let list = RevocationList { der, begin, end, revoked };
            self.lists.entry(issuer).or_default().push(list);
            is_empty = false;
        }
        if is_empty { Err(TrustedError::NoList) } else { Ok(()) }
    }

    /// All trusted certificates.
    #[cfg(test)]
    pub(super) fn certificates(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.certificates.values().flatten()
    }

    /// The trusted certificates with a subject.
    pub(super) fn with_subject(&self, name: &[u8]) -> &[CertificateDer<'static>] {
        self.certificates.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The revocation lists of an issuer.
    pub(super) fn lists_of(&self, issuer: &[u8]) -> &[RevocationList] {
        self.lists.get(issuer).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether there are no trusted certificates.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }
}

/// A number without zeros at its beginning.
pub(super) fn bare(number: &[u8]) -> &[u8] {
    let begin = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    &number[begin..]
}
