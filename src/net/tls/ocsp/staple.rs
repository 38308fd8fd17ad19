//! Responses of responders about our certificates, sent in handshakes (`ssl_stapling`).
//!
//! As in nginx, a handshake begins the first request, and is not delayed by it. A response is used up to its `nextUpdate`; it is
//! replaced an hour after it came, or five minutes before its end, but not within five minutes. After a failure the next request is
//! made five minutes later.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arc_swap::ArcSwapOption;
use bstr::{BStr, BString};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

use super::asker::{About, Asker};
use super::message::{CertId, CertStatus, responder_of};
use super::verify::{CertificateQuery, ResponseError, SignerTrust, check};
use crate::net::dns::Dns;
use crate::net::log;
use crate::net::ssl::responder::{Responder, ResponderError};
use crate::net::tls::x509::certificate;
use crate::net::tls::x509::chain::issuer_of;
use crate::net::tls::x509::trust::Trust;

/// Seconds after which a response is replaced.
const REFRESH: i64 = 3600;
/// Seconds before the next request after a failure, and before the end of a response.
const RETRY: i64 = 300;

/// A certificate of ours with the response about it.
pub(in crate::net::tls) struct Staple {
    /// Without a response.
    bare: Arc<CertifiedKey>,
    held: ArcSwapOption<Held>,
    /// The moment after which the responder is asked again, in seconds since 1970.
    refresh: AtomicI64,
    is_loading: AtomicBool,
    terms: Terms,
}

/// Request to a responder, and the rules by which its answer is verified.
pub(in crate::net::tls) struct Terms {
    /// File of the certificate.
    name: String,
    id: CertId,
    /// The further certificates of the file.
    chain: Vec<CertificateDer<'static>>,
    trust: Arc<Trust>,
    belief: SignerTrust,
    responder: Responder,
    means: StapleMeans,
}

/// Values of a server that stapling needs.
#[derive(Clone)]
pub(in crate::net::tls) struct StapleMeans {
    pub(in crate::net::tls) asker: Asker,
    /// The server's own resolver.
    pub(in crate::net::tls) dns: Option<Dns>,
    /// `ssl_stapling_responder`.
    pub(in crate::net::tls) responder: Option<BString>,
    /// `ssl_stapling_verify`.
    pub(in crate::net::tls) verifies: bool,
}

struct Held {
    /// The moment up to which it is used; `None` for ever.
    valid: Option<i64>,
    key: Arc<CertifiedKey>,
}

/// A request that is being made, whatever ends it.
struct Loading(Arc<Staple>);

impl Drop for Loading {
    fn drop(&mut self) {
        self.0.is_loading.store(false, Ordering::Release);
    }
}

impl std::fmt::Debug for Staple {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staple").finish_non_exhaustive()
    }
}

/// Reason why nothing is stapled to a certificate. The fault is the configuration's. The text is nginx's warning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::net::tls) enum StaplingError {
    /// There is no certificate of the issuer.
    #[error("\"ssl_stapling\" ignored, issuer certificate not found for certificate \"{0}\"")]
    NoIssuer(String),
    /// The certificate names no responder.
    #[error("\"ssl_stapling\" ignored, no OCSP responder URL in the certificate \"{0}\"")]
    NoResponder(String),
    /// The address of the responder is none.
    #[error("\"ssl_stapling\" ignored, {0} in the certificate \"{1}\"")]
    Responder(#[source] ResponderError, String),
}

impl Terms {
    /// Of a certificate in a file.
    ///
    /// # Errors
    ///
    /// Its status cannot be asked for.
    pub(in crate::net::tls) fn new(
        path: &Path,
        pair: &CertifiedKey,
        trust: &Arc<Trust>,
        means: &StapleMeans,
    ) -> Result<Terms, StaplingError> {
        let name = path.display().to_string();
        let no_issuer = || StaplingError::NoIssuer(name.clone());
        let (first, chain) = pair.cert.split_first().ok_or_else(no_issuer)?;
        let issuer = issuer_of(trust, first, chain, certificate::now()).ok_or_else(no_issuer)?;
        let id = CertId::of(first, &issuer).ok_or_else(no_issuer)?;
        let responder = match &means.responder {
            Some(responder) => responder.clone(),
            None => responder_of(first).ok_or_else(|| StaplingError::NoResponder(name.clone()))?,
        };
        let responder = Responder::parse(BStr::new(&responder))
            .map_err(|error| StaplingError::Responder(error, name.clone()))?;
        Ok(Terms {
            id,
            chain: chain.to_vec(),
            trust: trust.clone(),
            belief: if means.verifies { SignerTrust::Known } else { SignerTrust::Anyone },
            responder,
            means: means.clone(),
            name,
        })
    }
}

impl Staple {
    pub(in crate::net::tls) fn new(bare: Arc<CertifiedKey>, terms: Terms) -> Arc<Staple> {
        Arc::new(Staple {
            bare,
            held: ArcSwapOption::empty(),
            refresh: AtomicI64::new(0),
            is_loading: AtomicBool::new(false),
            terms,
        })
    }

    /// The certificate without a response.
    pub(in crate::net::tls) fn bare(&self) -> &Arc<CertifiedKey> {
        &self.bare
    }

    /// The certificate, with a response if there is one. Begins a request if it is time for it.
    pub(in crate::net::tls) fn current(self: &Arc<Self>) -> Arc<CertifiedKey> {
        let now = certificate::now();
        let held = self.held.load();
        let key = held.as_ref().filter(|held| held.valid.is_none_or(|valid| valid >= now));
        let key = key.map_or(&self.bare, |held| &held.key).clone();
        self.update(now);
        key
    }

    fn update(self: &Arc<Self>, now: i64) {
        let is_due = !self.terms.responder.host.is_empty() && self.refresh.load(Ordering::Relaxed) < now;
        if !is_due || self.is_loading.swap(true, Ordering::AcqRel) {
            return;
        }
        let loading = Loading(self.clone());
        // Where too much work waits, the next handshake tries again.
        self.terms.means.asker.begin(&self.terms.responder, CancellationToken::new(), async move {
            let staple = &loading.0;
            let next = staple.load().await;
            staple.refresh.store(next, Ordering::Relaxed);
        });
    }

    /// Asks the responder. Returns the moment of the next request.
    async fn load(&self) -> i64 {
        let Terms { name, id, chain, trust, belief, responder, means } = &self.terms;
        let about = About { responder, certificate: Some(name) };
        let response = means.asker.ask(&about, means.dns.as_ref(), &id.request()).await;
        let now = certificate::now();
        let Ok((peer, response)) = response else { return now + RETRY };
        let asked = CertificateQuery { id, known: chain, trust, belief: *belief };
        let answer = check(&response, &asked).and_then(|answer| match answer.status {
            CertStatus::Good => Ok(answer),
            status => Err(ResponseError::NotGood(status)),
        });
        match answer {
            Ok(answer) => {
                let key = Arc::new(CertifiedKey { ocsp: Some(response), ..(*self.bare).clone() });
                self.held.store(Some(Arc::new(Held { valid: answer.valid, key })));
                next_request(now, answer.valid)
            }
            Err(why) => {
                log::ocsp_failed(&format!("{why}{}", about.text(Some(peer))));
                now + RETRY
            }
        }
    }
}

/// The moment of the request after a response that counts up to `valid`.
fn next_request(now: i64, valid: Option<i64>) -> i64 {
    let before_end = valid.map_or(i64::MAX, |valid| valid - RETRY);
    before_end.min(now + REFRESH).max(now + RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_replaced_before_its_end_but_not_at_once() {
        assert_eq!(next_request(1000, None), 1000 + 3600);
        assert_eq!(next_request(1000, Some(100_000)), 1000 + 3600);
        assert_eq!(next_request(1000, Some(3000)), 2700);
        assert_eq!(next_request(1000, Some(1001)), 1300);
    }
}
