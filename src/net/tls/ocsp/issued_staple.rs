//! OCSP responses about certificates that are ordered while the server runs: each new certificate begins anew.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::sign::CertifiedKey;

use super::staple::{Staple, StapleMeans, Terms};
use crate::net::log;
use crate::net::tls::x509::trust::Trust;

/// Staple of a certificate that may be replaced.
pub(in crate::net::tls) struct IssuedStaple {
    source: Source,
    /// Name of the certificate in the log.
    name: String,
    current: ArcSwapOption<Current>,
}

/// Where responses come from.
pub(in crate::net::tls) enum Source {
    /// `ssl_stapling_file`
    File(Vec<u8>),
    /// A responder.
    Responder(Arc<Trust>, StapleMeans),
}

/// What is shown for a certificate.
struct Current {
    /// The certificate without a response.
    bare: Arc<CertifiedKey>,
    shown: Shown,
}

enum Shown {
    Fixed(Arc<CertifiedKey>),
    Stapled(Arc<Staple>),
}

impl std::fmt::Debug for IssuedStaple {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedStaple").field("name", &self.name).finish_non_exhaustive()
    }
}

impl IssuedStaple {
    pub(in crate::net::tls) fn new(name: &str, source: Source) -> IssuedStaple {
        IssuedStaple { source, name: name.to_owned(), current: ArcSwapOption::empty() }
    }

    /// The certificate that is there now, with a response if there is one. Begins a request if it is time for it.
    pub(in crate::net::tls) fn shown(&self, pair: &Arc<CertifiedKey>) -> Arc<CertifiedKey> {
        let known = self.current.load_full().filter(|current| Arc::ptr_eq(&current.bare, pair));
        let current = known.unwrap_or_else(|| {
            let current = Arc::new(Current { bare: pair.clone(), shown: self.with(pair) });
            self.current.store(Some(current.clone()));
            current
        });
        match &current.shown {
            Shown::Fixed(key) => key.clone(),
            Shown::Stapled(staple) => staple.current(),
        }
    }

    /// A new certificate with its staple.
    fn with(&self, pair: &Arc<CertifiedKey>) -> Shown {
        match &self.source {
            Source::File(response) => {
                Shown::Fixed(Arc::new(CertifiedKey { ocsp: Some(response.clone()), ..(**pair).clone() }))
            }
            Source::Responder(trust, means) => match Terms::new(Path::new(&self.name), pair, trust, means) {
                Ok(terms) => Shown::Stapled(Staple::new(pair.clone(), terms)),
                Err(why) => {
                    log::tls_warning(&why.to_string());
                    Shown::Fixed(pair.clone())
                }
            },
        }
    }
}
