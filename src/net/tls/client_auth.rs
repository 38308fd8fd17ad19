//! Certificates of clients: asked for in the handshake, and judged, so that the client is told by a response.
//!
//! As in nginx, a resumed session keeps the verdict of its first handshake. Sessions carry it, so each connection has its own verifier,
//! and its own way to the sessions.

use std::sync::Arc;

use parking_lot::Mutex;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ProducesTickets, StoresServerSessions};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::handshake_signature;
use super::ocsp::client::StatusTerms;
use super::x509::certificate;
use super::x509::chain::{Purpose, Verdict, verify};
use super::x509::trust::Trust;

/// Values of `ssl_verify_client` and the directives that belong to it.
#[derive(Debug)]
pub(super) struct ClientAuth {
    pub(super) trust: Arc<Trust>,
    /// Names that clients are shown.
    pub(super) names: Vec<DistinguishedName>,
    pub(super) depth: u64,
    /// `ssl_ocsp`.
    pub(super) status: Option<Arc<StatusTerms>>,
}

/// Result of verifying a client's certificate, in this handshake or in the one from which a resumed session comes.
#[derive(Debug, Default)]
pub(super) struct Judged {
    verdict: Mutex<Option<Verdict>>,
    /// By what the client has signed this handshake.
    scheme: Mutex<Option<SignatureScheme>>,
}

impl Judged {
    /// The verdict; `None` if no certificate was shown.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        *self.verdict.lock()
    }

    /// By what the client has signed this handshake, if it has.
    pub(super) fn scheme(&self) -> Option<SignatureScheme> {
        *self.scheme.lock()
    }

    /// A session with the verdict.
    fn attached(&self, mut session: Vec<u8>) -> Vec<u8> {
        session.push(self.verdict().map_or(NO_VERDICT, |verdict| verdict.code));
        session
    }

    /// A session without its verdict, which is kept; `None` if it has none.
    fn detached(&self, mut session: Vec<u8>) -> Option<Vec<u8>> {
        *self.verdict.lock() = match session.pop()? {
            NO_VERDICT => None,
            code => Some(Verdict::of_code(code)?),
        };
        Some(session)
    }
}

/// Stands in a session for the verdict about a certificate that was not shown.
const NO_VERDICT: u8 = u8::MAX;

/// Asks a client for a certificate, and accepts any whose key the client has.
#[derive(Debug)]
pub(super) struct AsksClient {
    pub(super) auth: Arc<ClientAuth>,
    pub(super) judged: Arc<Judged>,
}

impl ClientCertVerifier for AsksClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.auth.names
    }

    fn verify_client_cert(
        &self,
        first: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let shown: Vec<_> = std::iter::once(first).chain(others).cloned().collect();
        let ClientAuth { trust, depth, .. } = &*self.auth;
        let verdict = verify(trust, &shown, *depth, Purpose::Client, certificate::now());
        *self.judged.verdict.lock() = Some(verdict);
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        *self.judged.scheme.lock() = Some(signed.scheme);
        handshake_signature::tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        *self.judged.scheme.lock() = Some(signed.scheme);
        handshake_signature::tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        handshake_signature::schemes()
    }
}

/// Sessions of a server, with verdicts.
#[derive(Debug)]
pub(super) struct JudgedSessions {
    pub(super) sessions: Arc<dyn StoresServerSessions>,
    pub(super) judged: Arc<Judged>,
}

impl StoresServerSessions for JudgedSessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.sessions.put(key, self.judged.attached(value))
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.judged.detached(self.sessions.get(key)?)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.judged.detached(self.sessions.take(key)?)
    }

    fn can_cache(&self) -> bool {
        self.sessions.can_cache()
    }
}

/// Tickets, with verdicts.
#[derive(Debug)]
pub(super) struct JudgedTickets {
    pub(super) tickets: Arc<dyn ProducesTickets>,
    pub(super) judged: Arc<Judged>,
}

impl ProducesTickets for JudgedTickets {
    fn enabled(&self) -> bool {
        self.tickets.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.tickets.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.tickets.encrypt(&self.judged.attached(plain.to_vec()))
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.judged.detached(self.tickets.decrypt(cipher)?)
    }
}
