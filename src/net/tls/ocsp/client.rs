//! The status of certificates of clients (`ssl_ocsp`): asked for after the handshake, before a request is read.

use std::io;
use std::sync::Arc;

use bstr::BStr;
use rustls::pki_types::CertificateDer;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::asker::{About, Asker};
use super::message::{CertId, CertStatus, responder_of};
use super::status_cache::StatusCache;
use super::verify::{CertificateQuery, RevocationStatus, SignerTrust, check};
use crate::net::dns::Dns;
use crate::net::log;
use crate::net::ssl::responder::{Responder, ResponderError};
use crate::net::tls::x509::certificate;
use crate::net::tls::x509::chain::{Purpose, verify_chain};
use crate::net::tls::x509::trust::Trust;

/// Seconds for which a status without an end is kept.
const KEPT: i64 = 3600;

/// Why a client's certificate that is trusted is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientStatus {
    /// A certificate of the chain is revoked.
    Revoked,
    /// A responder does not know it.
    Unknown,
    /// Its status was not found out.
    Failed,
}

impl ClientStatus {
    /// nginx's text.
    pub fn text(self) -> &'static str {
        match self {
            ClientStatus::Revoked => "certificate revoked",
            ClientStatus::Unknown => "certificate status unknown",
            ClientStatus::Failed => "certificate status request failed",
        }
    }
}

/// How certificates of clients are looked up.
pub(in crate::net::tls) struct StatusTerms {
    pub(in crate::net::tls) asker: Asker,
    /// The server's own resolver.
    pub(in crate::net::tls) dns: Option<Dns>,
    /// `ssl_ocsp_responder`.
    pub(in crate::net::tls) responder: Option<Responder>,
    /// `ssl_ocsp leaf`.
    pub(in crate::net::tls) is_leaf_only: bool,
    pub(in crate::net::tls) cache: Option<Arc<StatusCache>>,
}

impl std::fmt::Debug for StatusTerms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatusTerms").finish_non_exhaustive()
    }
}

impl StatusTerms {
    /// Looks up a chain that is trusted. `None` if nothing is wrong with it.
    ///
    /// # Errors
    ///
    /// The certificate of a resumed session is no longer trusted.
    pub(in crate::net::tls) async fn look_up(
        self: &Arc<Self>,
        trust: &Arc<Trust>,
        shown: &[CertificateDer<'_>],
        depth: u64,
    ) -> io::Result<Option<ClientStatus>> {
        let (verdict, chain) = verify_chain(trust, shown, depth, Purpose::Client, certificate::now());
        if !verdict.is_ok() {
            let text = format!("X509_verify_cert() failed ({}:{})", verdict.code, verdict.text);
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        let chain: Arc<[_]> = chain.into();
        let count = match (chain.len() - 1, self.is_leaf_only) {
            (issued, true) => issued.min(1),
            (issued, false) => issued,
        };
        for at in 0..count {
            match self.status(trust, &chain, at).await {
                Some(CertStatus::Good) => {}
                Some(CertStatus::Revoked) => return Ok(Some(ClientStatus::Revoked)),
                Some(CertStatus::Unknown) => return Ok(Some(ClientStatus::Unknown)),
                None => return Ok(Some(ClientStatus::Failed)),
            }
        }
        Ok(None)
    }

    /// The status of a certificate of a chain; `None` if it was not found out.
    async fn status(
        self: &Arc<Self>,
        trust: &Arc<Trust>,
        chain: &Arc<[CertificateDer<'static>]>,
        at: usize,
    ) -> Option<CertStatus> {
        let responder = match &self.responder {
            Some(responder) => responder.clone(),
            None => responder_in(&chain[at]).map_err(|why| log::ocsp_failed(&why.to_string())).ok()?,
        };
        let id = CertId::of(&chain[at], &chain[at + 1])?;
        if let Some(status) = self.cache.as_ref().and_then(|cache| cache.get(&id, certificate::now())) {
            return Some(status);
        }
        let (said, answer) = oneshot::channel();
        let asked = responder.clone();
        // A responder that does not answer keeps no place once the handshake was given up.
        let unwanted = CancellationToken::new();
        let _given_up = unwanted.clone().drop_guard();
        let (terms, trust, chain) = (self.clone(), trust.clone(), chain.clone());
        let begun = self.asker.begin(&asked, unwanted, async move {
            let _ = said.send(terms.ask(&trust, &chain, id, &responder).await);
        });
        if !begun {
            log::ocsp_failed("too many requests of certificate status wait");
        }
        answer.await.ok().flatten()
    }

    async fn ask(
        &self,
        trust: &Trust,
        chain: &[CertificateDer<'static>],
        id: CertId,
        responder: &Responder,
    ) -> Option<CertStatus> {
        let about = About { responder, certificate: None };
        let (peer, response) = self.asker.ask(&about, self.dns.as_ref(), &id.request()).await.ok()?;
        let asked = CertificateQuery { id: &id, known: chain, trust, belief: SignerTrust::Verified };
        let RevocationStatus { status, valid } = check(&response, &asked)
            .map_err(|why| log::ocsp_failed(&format!("{why}{}", about.text(Some(peer)))))
            .ok()?;
        let now = certificate::now();
        let valid = valid.unwrap_or(now + KEPT);
        if let Some(cache) = self.cache.as_ref().filter(|_| valid >= now) {
            cache.put(id, status, valid);
        }
        Some(status)
    }
}

/// Reason why a client's certificate leads to no responder. The fault is the client's, and so is the address. The text is
/// nginx's sentence.
#[derive(Debug, thiserror::Error)]
enum NoResponder {
    /// The certificate names none.
    #[error("no OCSP responder URL in certificate while SSL handshaking")]
    Unnamed,
    /// Its address is none.
    #[error("{} in certificate while SSL handshaking", .0.to_string().escape_debug())]
    Malformed(#[from] ResponderError),
    /// Its address has no host.
    #[error("empty host in OCSP responder in certificate while SSL handshaking")]
    NoHost,
}

/// The responder that a client's certificate names.
fn responder_in(certificate: &[u8]) -> Result<Responder, NoResponder> {
    let url = responder_of(certificate).ok_or(NoResponder::Unnamed)?;
    let responder = Responder::parse(BStr::new(&url))?;
    match responder.host.is_empty() {
        true => Err(NoResponder::NoHost),
        false => Ok(responder),
    }
}
