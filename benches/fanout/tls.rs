//! TLS on both sides of the measurement: what the floor and the players need of it.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection};

use pingosd::limits;

use crate::Result;

/// Name that the certificate is for.
const NAME: &str = "localhost";

/// A certificate of the server and its key, in files.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    /// Makes one with an ECDSA key on P-256.
    pub fn write(dir: &Path) -> Result<Certificate> {
        std::fs::create_dir_all(dir)?;
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
        let files = Certificate { certificate: dir.join("fanout.crt"), key: dir.join("fanout.key") };
        std::fs::write(&files.certificate, made.cert.pem())?;
        std::fs::write(&files.key, made.signing_key.serialize_pem())?;
        Ok(files)
    }

    /// As the floor uses it.
    pub fn server(&self) -> Result<Arc<ServerConfig>> {
        let certificate = CertificateDer::from_pem_file(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        Ok(Arc::new(config))
    }
}

/// Players that trust this certificate.
pub fn client(certificate: &Path) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// One suite, so that every server encrypts in the same way.
fn provider() -> Arc<CryptoProvider> {
    let suites = vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256];
    Arc::new(CryptoProvider { cipher_suites: suites, ..ring::default_provider() })
}

/// A socket, perhaps with TLS. Calls do not block.
pub struct Stream {
    socket: TcpStream,
    tls: Option<Box<Connection>>,
}

impl Stream {
    pub fn plain(socket: TcpStream) -> Stream {
        Stream { socket, tls: None }
    }

    pub fn accepted(socket: TcpStream, config: &Arc<ServerConfig>) -> Result<Stream> {
        let mut connection = ServerConnection::new(config.clone())?;
        // As pingosd does: one write at the most waits encrypted.
        connection.set_buffer_limit(Some(limits::TLS_WRITE));
        Ok(Stream { socket, tls: Some(Box::new(connection.into())) })
    }

    pub fn connected(socket: TcpStream, config: &Arc<ClientConfig>) -> Result<Stream> {
        let connection = ClientConnection::new(config.clone(), ServerName::try_from(NAME)?)?;
        Ok(Stream { socket, tls: Some(Box::new(connection.into())) })
    }

    /// What is read or written after this is not decrypted or encrypted.
    pub fn forget_tls(&mut self) {
        self.tls = None;
    }

    /// Whether encrypted bytes wait for the socket.
    pub fn holds_output(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Sends what waits encrypted. `WouldBlock`: not all of it.
    pub fn send_held(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    /// As far as the socket takes it.
    fn send_what_can_be(&mut self) -> io::Result<()> {
        match self.send_held() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            sent => sent,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.read(buffer) };
        match tls.reader().read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            read => return read,
        }
        if tls.read_tls(&mut self.socket)? == 0 {
            return Ok(0);
        }
        tls.process_new_packets().map_err(io::Error::other)?;
        let read = tls.reader().read(buffer);
        self.send_what_can_be()?;
        read
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send_held()?;
        let Some(tls) = &mut self.tls else { return self.socket.write_vectored(slices) };
        let accepted = tls.writer().write_vectored(slices)?;
        self.send_what_can_be()?;
        Ok(accepted)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
