//! An issuer of certificates: pebble, the test server of Let's Encrypt, with its name server; and clients that look at what was issued.

use std::io;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::any_server::AnyServer;
use super::server::{Prefix, free_port};
use super::tls;
use super::tool::Background;

/// How long an issuer, which makes several programs wait for one another, may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// Looks again and again until there is something, and returns it.
#[track_caller]
pub fn patiently<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// An issuer.
pub struct Pebble {
    child: Option<Child>,
    prefix: Prefix,
    /// Its port.
    pub port: u16,
    /// Port at which it tells its keys.
    pub management: u16,
    names: u16,
    _names: Background,
}

impl Pebble {
    /// One that is not started. It asks servers at these ports; `more` are further settings.
    pub fn new(http: u16, https: u16, more: &str) -> Pebble {
        let (prefix, port, management, names) = (Prefix::new(), free_port(), free_port(), free_port());
        let conf = format!(
            r#"{{"pebble":{{"listenAddress":"127.0.0.1:{port}","managementListenAddress":"127.0.0.1:{management}",
            "certificate":"{}","privateKey":"{}","httpPort":{http},"tlsPort":{https}{more}}}}}"#,
            tls::file("callback.crt"),
            tls::file("callback.key"),
        );
        prefix.write("pebble.json", conf);
        let name_server = format!("127.0.0.1:{names}");
        let own = format!("127.0.0.1:{}", free_port());
        let arguments = [
            "-dns01",
            &name_server,
            "-defaultIPv6",
            "",
            "-http01",
            "",
            "-https01",
            "",
            "-tlsalpn01",
            "",
            "-management",
            &own,
        ];
        let _names = Background::start("pebble-challtestsrv", &arguments);
        Pebble { child: None, prefix, port, management, names, _names }
    }

    /// Starts it.
    pub fn start(&mut self) {
        let log = std::fs::File::create(self.prefix.path().join("pebble.log")).unwrap();
        let child = Command::new("pebble")
            .args(["-dnsserver", &format!("127.0.0.1:{}", self.names), "-config"])
            .arg(self.prefix.path().join("pebble.json"))
            .env("PEBBLE_VA_NOSLEEP", "1")
            // Requests are repeated with another nonce.
            .env("PEBBLE_WFE_NONCEREJECT", "20")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("pebble cannot be run ({error}); tests/run installs it"));
        self.child = Some(child);
        patiently("pebble listens", || TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    /// The same, started.
    pub fn started(mut self) -> Pebble {
        self.start();
        self
    }

    /// Its address and the certificate that it is verified with, as an issuer block has them.
    pub fn issuer(&self) -> String {
        format!("https://localhost:{}/dir; ssl_trusted_certificate {};", self.port, tls::file("ca.crt"))
    }

    /// Number of orders that were begun.
    pub fn orders(&self) -> usize {
        self.prefix.read("pebble.log").lines().filter(|line| line.contains("Added order ")).count()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            eprintln!("{}", self.prefix.read("pebble.log"));
        }
    }
}

/// Performs a handshake with `a.example` at this port.
pub fn connect(port: u16) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer))
        .with_no_client_auth();
    let name = ServerName::try_from("a.example").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(session, TcpStream::connect(("127.0.0.1", port))?);
    stream.sock.set_read_timeout(Some(PATIENCE))?;
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// Serial number and names of the certificate that is shown.
pub fn shown(port: u16) -> io::Result<(String, Vec<String>)> {
    let stream = connect(port)?;
    let chain = stream.conn.peer_certificates().unwrap();
    assert!(chain.len() > 1, "the issuer's certificate is shown too");
    let (_, certificate) = X509Certificate::from_der(&chain[0]).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    let names = names.value.general_names.iter().map(ToString::to_string).collect();
    Ok((certificate.raw_serial_as_string(), names))
}
