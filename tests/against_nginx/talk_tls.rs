//! A client's TLS. It accepts any certificate of the server, and shows any of its own.

use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, SignatureScheme, StreamOwned};

use crate::entry::TlsClient;
use crate::support::any_server::AnyServer;

/// A connection.
pub type Client = StreamOwned<ClientConnection, TcpStream>;

/// Shows a certificate whatever the server asks for.
#[derive(Debug)]
struct Shows(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

/// Settings of a client whose certificate is in a directory.
pub fn config(client: &TlsClient, dir: &Path) -> Arc<ClientConfig> {
    let versions: Vec<_> =
        client.versions.iter().map(|version| if *version == 2 { &TLS12 } else { &TLS13 }).collect();
    let identity = client.identity.map(|name| {
        let chain = CertificateDer::pem_file_iter(dir.join(format!("{name}.crt"))).unwrap();
        let key = PrivateKeyDer::from_pem_file(dir.join(format!("{name}.key"))).unwrap();
        let key = ring::sign::any_supported_type(&key).unwrap();
        Arc::new(CertifiedKey::new(chain.map(Result::unwrap).collect(), key))
    });
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer))
        .with_client_cert_resolver(Arc::new(Shows(identity)));
    config.alpn_protocols = client.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config.enable_sni = client.name.is_some();
    if !client.resumes {
        config.resumption = Resumption::disabled();
    }
    Arc::new(config)
}

/// Performs a handshake. Without a name, none is sent.
pub fn handshake(
    mut socket: TcpStream,
    config: &Arc<ClientConfig>,
    name: Option<&str>,
) -> io::Result<Client> {
    let name = ServerName::try_from(name.unwrap_or("unnamed.test").to_owned()).unwrap();
    let mut session = ClientConnection::new(config.clone(), name).unwrap();
    while session.is_handshaking() {
        session.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(session, socket))
}
