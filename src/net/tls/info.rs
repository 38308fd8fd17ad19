//! Properties of a connection after its handshake: the source of `$ssl_*` variables.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use data_encoding::HEXLOWER;
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, HandshakeKind, NamedGroup, ProtocolVersion, ServerConnection, SignatureScheme};

use super::names;
use super::ocsp::ClientStatus;
use super::sniff;
use super::x509::certificate;
use super::x509::chain::Verdict;
use crate::limits;
use crate::net::ssl::conf::VerifyClient;

/// A handshake's outcome.
#[derive(Debug, Default)]
pub struct TlsInfo {
    server_name: Option<Box<str>>,
    written_name: Option<Box<str>>,
    suites: Box<[CipherSuite]>,
    curves: Box<[NamedGroup]>,
    schemes: Box<[SignatureScheme]>,
    protocol: &'static str,
    suite: Option<CipherSuite>,
    curve: Option<NamedGroup>,
    signed: SignedBy,
    alpn: Box<[u8]>,
    is_resumed: bool,
    session_id: Box<[u8]>,
    client: Option<ClientCertificate>,
    /// Whether the handshake is not complete.
    is_early: AtomicBool,
}

/// Schemes of the signatures of a handshake; none in that of a resumed session.
#[derive(Clone, Copy, Debug, Default)]
struct SignedBy {
    server: Option<SignatureScheme>,
    client: Option<SignatureScheme>,
}

/// Name, cipher suites, curves and schemes of signatures in a client's first message.
#[derive(Debug, Default)]
pub(super) struct Offered {
    /// In lower case.
    pub(super) server_name: Option<Box<str>>,
    /// As the client writes it, if that is known.
    pub(super) written_name: Option<Box<str>>,
    pub(super) suites: Box<[CipherSuite]>,
    pub(super) curves: Box<[NamedGroup]>,
    pub(super) schemes: Box<[SignatureScheme]>,
}

/// What is known of the two certificates of a handshake.
#[derive(Debug)]
pub(super) struct UsedCertificates {
    /// The server's, if it was shown.
    pub(super) own: Option<Arc<CertifiedKey>>,
    /// What was found of the client's.
    pub(super) verdict: Verdict,
    /// What its responder says.
    pub(super) status: Option<ClientStatus>,
    /// By what the client has signed.
    pub(super) scheme: Option<SignatureScheme>,
}

/// A client's certificate, and what was found of it.
#[derive(Debug)]
pub struct ClientCertificate {
    /// The certificate (DER).
    pub der: Box<[u8]>,
    /// The result of its verification.
    pub verdict: Verdict,
    /// Reason for which a responder has rejected it (`ssl_ocsp`).
    pub status: Option<ClientStatus>,
}

/// Why a client is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its certificate is not trusted.
    Untrusted(Verdict),
    /// Its certificate is revoked, or may be.
    Status(ClientStatus),
    /// It has shown none.
    NoCertificate,
}

impl Offered {
    /// Of a message that came as these bytes.
    pub(super) fn of(hello: &rustls::server::ClientHello<'_>, message: &[u8]) -> Offered {
        let suites = hello.cipher_suites().iter().copied().take(limits::TLS_OFFERED);
        let curves = hello.named_groups().unwrap_or_default().iter().copied().take(limits::TLS_OFFERED);
        Offered {
            server_name: hello.server_name().map(Into::into),
            written_name: hello.server_name().and_then(|name| sniff::name_as_written(message, name)),
            suites: suites.collect(),
            curves: curves.collect(),
            schemes: hello.signature_schemes().iter().copied().take(limits::TLS_OFFERED).collect(),
        }
    }
}

impl TlsInfo {
    /// Of a handshake that is complete, or as far as data may be read. `session_id` is what the server has sent of it, `curve` that
    /// of a resumed session of TLS 1.2.
    pub(super) fn new(
        offered: Offered,
        connection: &ServerConnection,
        session_id: &[u8],
        curve: Option<NamedGroup>,
        certificates: UsedCertificates,
    ) -> TlsInfo {
        let UsedCertificates { own, verdict, status, scheme } = certificates;
        let is_tls13 = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let shown = connection.peer_certificates().filter(|shown| !shown.is_empty());
        let is_resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        let server = own.and_then(|own| {
            let fits = |scheme: &SignatureScheme| !is_tls13 || is_of_tls13(*scheme);
            let offered: Vec<_> = offered.schemes.iter().copied().filter(fits).collect();
            own.key.choose_scheme(&offered).map(|signer| signer.scheme())
        });
        let signed = if is_resumed { SignedBy::default() } else { SignedBy { server, client: scheme } };
        let used = connection.negotiated_key_exchange_group().map(|group| group.name());
        TlsInfo {
            server_name: offered.server_name,
            written_name: offered.written_name,
            suites: offered.suites,
            curves: offered.curves,
            schemes: offered.schemes,
            protocol: if is_tls13 { "TLSv1.3" } else { "TLSv1.2" },
            suite: connection.negotiated_cipher_suite().map(|suite| suite.suite()),
            curve: used.or(curve.filter(|_| is_resumed && !is_tls13)),
            signed,
            alpn: connection.alpn_protocol().unwrap_or_default().into(),
            is_resumed,
            session_id: if is_tls13 { own_session_id(connection) } else { session_id.into() },
            client: shown.map(|shown| ClientCertificate { der: (*shown[0]).into(), verdict, status }),
            is_early: AtomicBool::new(connection.is_handshaking()),
        }
    }

    /// Name of the server that the client asked for, in lower case.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Name of the server that the client asked for, as it was written.
    pub fn written_name(&self) -> Option<&str> {
        self.written_name.as_deref().or(self.server_name())
    }

    /// `TLSv1.2` or `TLSv1.3`.
    pub fn protocol(&self) -> &'static str {
        self.protocol
    }

    /// The suite by OpenSSL's name.
    pub fn cipher(&self) -> String {
        self.suite.map(names::suite).unwrap_or_default()
    }

    /// The suites that the client offers; numbers stand for those that OpenSSL does not know.
    pub fn ciphers(&self) -> String {
        self.suites.iter().map(|suite| names::suite(*suite)).collect::<Vec<_>>().join(":")
    }

    /// The curve of the key exchange.
    pub fn curve(&self) -> String {
        self.curve.map(names::curve).unwrap_or_default()
    }

    /// The curves that the client offers; empty for a resumed session, as in nginx.
    pub fn curves(&self) -> String {
        if self.is_resumed {
            return String::new();
        }
        self.curves.iter().map(|curve| names::curve(*curve)).collect::<Vec<_>>().join(":")
    }

    /// The scheme by which the server has signed; empty for a resumed session, as in nginx.
    pub fn scheme(&self) -> String {
        self.signed.server.map(names::scheme).unwrap_or_default()
    }

    /// The scheme by which the client has signed; empty without a certificate, and for a resumed session.
    pub fn client_scheme(&self) -> String {
        self.signed.client.map(names::scheme).unwrap_or_default()
    }

    /// The schemes of signatures that the client accepts.
    pub fn schemes(&self) -> String {
        self.schemes.iter().map(|scheme| names::scheme(*scheme)).collect::<Vec<_>>().join(":")
    }

    /// Identifier of the session in hexadecimal digits. TLS 1.3 has none: each connection then has one of its own.
    pub fn session_id(&self) -> String {
        HEXLOWER.encode(&self.session_id)
    }

    /// Whether the session was resumed.
    pub fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// The protocol that was chosen by ALPN; empty without it.
    pub fn alpn(&self) -> &[u8] {
        &self.alpn
    }

    /// The client's certificate, if one was asked for and shown.
    pub fn client(&self) -> Option<&ClientCertificate> {
        self.client.as_ref()
    }

    /// `NONE`, `SUCCESS` or `FAILED:reason`.
    pub fn client_verify(&self) -> String {
        let Some(client) = &self.client else { return "NONE".to_owned() };
        match client.status {
            _ if !client.verdict.is_ok() => format!("FAILED:{}", client.verdict.text),
            Some(status) => format!("FAILED:{}", status.text()),
            None => "SUCCESS".to_owned(),
        }
    }

    /// Whether the handshake is not complete: what has come so far is early data, which an attacker may have sent again.
    pub fn is_early(&self) -> bool {
        self.is_early.load(Ordering::Relaxed)
    }

    /// The handshake is complete.
    pub(super) fn complete(&self) {
        self.is_early.store(false, Ordering::Relaxed);
    }

    /// The client's certificate as in a PEM file.
    pub fn client_pem(&self) -> Option<String> {
        self.client.as_ref().map(|client| certificate::pem(&client.der))
    }

    /// Whether a server with this `ssl_verify_client` serves the client.
    ///
    /// # Errors
    ///
    /// The reason why not.
    pub fn admits(&self, verify: VerifyClient) -> Result<(), Refusal> {
        if verify == VerifyClient::Off {
            return Ok(());
        }
        if let Some(client) = &self.client {
            let tolerated = verify == VerifyClient::OptionalNoCa && client.verdict.is_only_untrusted();
            return match client.status {
                _ if !client.verdict.is_ok() && !tolerated => Err(Refusal::Untrusted(client.verdict)),
                Some(status) => Err(Refusal::Status(status)),
                None => Ok(()),
            };
        }
        if verify == VerifyClient::On { Err(Refusal::NoCertificate) } else { Ok(()) }
    }
}

/// Whether handshakes of TLS 1.3 are signed by a scheme (RFC 8446 §4.2.3).
fn is_of_tls13(scheme: SignatureScheme) -> bool {
    use SignatureScheme as Scheme;
    !matches!(
        scheme,
        Scheme::RSA_PKCS1_SHA1
            | Scheme::ECDSA_SHA1_Legacy
            | Scheme::RSA_PKCS1_SHA256
            | Scheme::RSA_PKCS1_SHA384
            | Scheme::RSA_PKCS1_SHA512
    )
}

/// An identifier of a connection with TLS 1.3: derived from its keys, so it is as good as random.
fn own_session_id(connection: &ServerConnection) -> Box<[u8]> {
    let id = connection.export_keying_material([0_u8; 32], b"EXPORTER-pingosd-session-id", None);
    // Before the end of a handshake they are not known.
    id.unwrap_or_else(|_| crate::task::seed()).into()
}
