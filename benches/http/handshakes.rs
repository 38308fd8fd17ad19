//! TLS connections with one request each, by a client of its own: `wrk` and `h2load` tell nothing about handshakes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{CipherSuite, ClientConfig, ClientConnection, HandshakeKind, StreamOwned};

use crate::any_server::AnyServer;
use crate::load::Counted;
use crate::{Result, spread};

/// How a connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The only cipher suite that the client offers, and so the version of TLS.
    suite: CipherSuite,
    /// Whether it begins with the ticket of the connection before. Otherwise with the server's certificate, ECDSA P-256.
    resumes: bool,
}

impl Handshake {
    /// TLS 1.3 with the suite that browsers ask for first.
    pub const FULL: Handshake = Handshake { suite: CipherSuite::TLS13_AES_128_GCM_SHA256, resumes: false };
    /// The same, resumed.
    pub const RESUMED: Handshake = Handshake { resumes: true, ..Handshake::FULL };
    /// Resumed with the suite that clients with OpenSSL ask for first.
    pub const RESUMED_SHA384: Handshake =
        Handshake { suite: CipherSuite::TLS13_AES_256_GCM_SHA384, resumes: true };
    /// TLS 1.2.
    pub const FULL_TLS12: Handshake =
        Handshake { suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, resumes: false };
    /// The same, resumed, which needs no keys of a key exchange.
    pub const RESUMED_TLS12: Handshake = Handshake { resumes: true, ..Handshake::FULL_TLS12 };

    /// How the server is to say that it began.
    fn kind(self) -> HandshakeKind {
        if self.resumes { HandshakeKind::Resumed } else { HandshakeKind::Full }
    }
}

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects again and again for `time`, on this number of threads, each connection with a request of `/return`.
///
/// # Errors
///
/// A connection failed, or began otherwise than it was to.
pub fn run(port: u16, handshake: Handshake, threads: u32, time: Duration) -> Result<Counted> {
    let began = Instant::now();
    let threads: Vec<_> = (0..threads)
        .map(|_| {
            thread::spawn(move || {
                // Each has tickets of its own.
                let config = client(handshake);
                let mut times = Vec::new();
                if handshake.resumes {
                    request(port, &config).map_err(|error| error.to_string())?;
                }
                while began.elapsed() < time {
                    let start = Instant::now();
                    let kind = request(port, &config).map_err(|error| error.to_string())?;
                    if kind != handshake.kind() {
                        return Err(format!("a handshake of another kind than {handshake:?}"));
                    }
                    times.push(start.elapsed().as_secs_f64() * 1e6);
                }
                Ok(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for thread in threads {
        times.extend(thread.join().map_err(|_| "a thread failed")??);
    }
    let time = began.elapsed();
    Ok(Counted { requests: times.len() as u64, time, p99: spread::percentile(&mut times, 0.99) })
}

/// One connection with one request. The answer is read to its end, which brings the ticket for the next connection.
fn request(port: u16, config: &Arc<ClientConfig>) -> Result<HandshakeKind> {
    let mut stream = connect(port, config)?;
    stream.write_all(b"GET /return HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if !answer.ends_with(b"hello") {
        return Err("an answer is incomplete".into());
    }
    stream.conn.handshake_kind().ok_or_else(|| "a handshake is incomplete".into())
}

/// Connects; the handshake happens with the first byte that is sent.
pub fn connect(port: u16, config: &Arc<ClientConfig>) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    Ok(StreamOwned::new(ClientConnection::new(config.clone(), ServerName::try_from("localhost")?)?, tcp))
}

/// A client that trusts every certificate: the servers are ours, and the client's share of a processor is not measured.
pub fn client(handshake: Handshake) -> Arc<ClientConfig> {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.retain(|suite| suite.suite() == handshake.suite);
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("the provider has the suite")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer))
        .with_no_client_auth();
    if !handshake.resumes {
        config.resumption = Resumption::disabled();
    }
    Arc::new(config)
}
