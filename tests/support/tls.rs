//! TLS as other servers and clients speak it.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedCipherSuite, SupportedProtocolVersion,
};

/// A file of `tests/tls`. `callback` is signed by `ca` and names `localhost` and 127.0.0.1, `expired` too, but ended in
/// 2021; `elsewhere` names another host.
pub fn file(name: &str) -> String {
    format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Settings of a server that shows this certificate.
pub fn server_config(certificate: &str) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(file(&format!("{certificate}.crt"))).unwrap();
    let key = PrivateKeyDer::from_pem_file(file(&format!("{certificate}.key"))).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    Arc::new(config)
}

/// A callback server that shows this certificate and says 200.
pub fn callback_server(certificate: &str) -> u16 {
    let config = server_config(certificate);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = ServerConnection::new(config.clone()).unwrap();
            std::thread::spawn(move || answer(StreamOwned::new(session, stream)));
        }
    });
    port
}

fn answer(mut stream: impl Read + Write) -> io::Result<()> {
    let mut held = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        held.extend_from_slice(&buffer[..n]);
        if held.ends_with(b"\r\n\r\n") {
            held.clear();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        }
    }
}

/// A client's connection.
pub type Client = StreamOwned<ClientConnection, TcpStream>;

/// Connects to `localhost`, trusting this certificate only and offering these suites, if any are given, in their order.
pub fn connect(
    port: u16,
    trusted: &str,
    versions: &[&'static SupportedProtocolVersion],
    suites: &[SupportedCipherSuite],
) -> io::Result<Client> {
    over(TcpStream::connect(("127.0.0.1", port))?, trusted, versions, suites)
}

/// As [`connect`], over a socket that was prepared.
pub fn over(
    socket: TcpStream,
    trusted: &str,
    versions: &[&'static SupportedProtocolVersion],
    suites: &[SupportedCipherSuite],
) -> io::Result<Client> {
    handshake(socket, &config_with(trusted, versions, suites))
}

/// Settings of a client that trusts this certificate only. They remember sessions.
pub fn client_config(trusted: &str, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    config_with(trusted, versions, &[])
}

fn config_with(
    trusted: &str,
    versions: &[&'static SupportedProtocolVersion],
    suites: &[SupportedCipherSuite],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file(&format!("{trusted}.crt"))).unwrap()).unwrap();
    let usual = ring::default_provider();
    let suites = if suites.is_empty() { usual.cipher_suites.clone() } else { suites.to_vec() };
    let config =
        ClientConfig::builder_with_provider(Arc::new(CryptoProvider { cipher_suites: suites, ..usual }))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    Arc::new(config)
}

/// Performs a handshake with `localhost`.
pub fn handshake(socket: TcpStream, config: &Arc<ClientConfig>) -> io::Result<Client> {
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(config.clone(), name).unwrap();
    let mut stream = StreamOwned::new(session, socket);
    stream.sock.set_read_timeout(Some(super::wait::PATIENCE))?;
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}
