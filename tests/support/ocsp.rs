//! A certificate authority, and OCSP responders of openssl for its certificates.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::tool::{run, tool};

/// Serial numbers in the authority's list: those of `server` and `client` are good, that of `revoked` is revoked, that of `unknown` is not
/// in it.
const SERIALS: [(&str, u32); 4] = [("server", 0x10), ("client", 0x11), ("revoked", 0x12), ("unknown", 0x13)];

/// A directory with PEM files. Each `NAME.crt` has its `NAME.key`; `chain.crt` is `server` with `ca`.
///
/// `ca` has signed `server`, `client`, `revoked`, `unknown`, `responder`, which may sign responses, and `clerk`, which may not. `other` is
/// another authority.
pub struct Authority {
    dir: tempfile::TempDir,
}

impl Authority {
    pub fn new() -> Authority {
        let all = Authority { dir: tempfile::tempdir().unwrap() };
        for name in ["ca", "other"] {
            let (certificate, key) = (all.path(&format!("{name}.crt")), all.path(&format!("{name}.key")));
            let subject = format!("/O=Tests/CN={name}");
            let made = run(
                "openssl",
                &[
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:prime256v1",
                    "-nodes",
                    "-keyout",
                    &key,
                    "-out",
                    &certificate,
                    "-subj",
                    &subject,
                    "-days",
                    "3650",
                ],
            );
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        for (name, serial) in SERIALS {
            all.issue(name, serial, "basicConstraints=CA:FALSE");
        }
        all.issue("responder", 0x98, "extendedKeyUsage=OCSPSigning");
        all.issue("clerk", 0x99, "basicConstraints=CA:FALSE");
        let chain = all.text("server.crt") + &all.text("ca.crt");
        fs::write(all.path("chain.crt"), chain).unwrap();
        let list: String = SERIALS
            .iter()
            .filter(|(name, _)| *name != "unknown")
            .map(|(name, serial)| {
                let (state, since) = if *name == "revoked" { ("R", "250101000000Z") } else { ("V", "") };
                format!("{state}\t400101000000Z\t{since}\t{serial:02X}\tunknown\t/O=Tests/CN={name}\n")
            })
            .collect();
        fs::write(all.path("index.txt"), list).unwrap();
        // The server may run as another user.
        run("chmod", &["-R", "a+rX", all.dir.path().to_str().unwrap()]);
        all
    }

    /// Issues a certificate with these extensions.
    pub fn issue(&self, name: &str, serial: u32, extensions: &str) {
        let file = |end: &str| self.path(&format!("{name}.{end}"));
        let (certificate, key, request, more) = (file("crt"), file("key"), file("csr"), file("ext"));
        fs::write(&more, extensions).unwrap();
        let subject = format!("/O=Tests/CN={name}");
        let made = run(
            "openssl",
            &[
                "req",
                "-new",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-keyout",
                &key,
                "-out",
                &request,
                "-subj",
                &subject,
            ],
        );
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let (ca, ca_key, serial) = (self.path("ca.crt"), self.path("ca.key"), serial.to_string());
        let made = run(
            "openssl",
            &[
                "x509",
                "-req",
                "-in",
                &request,
                "-CA",
                &ca,
                "-CAkey",
                &ca_key,
                "-set_serial",
                &serial,
                "-days",
                "3650",
                "-out",
                &certificate,
                "-extfile",
                &more,
            ],
        );
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        run("chmod", &["a+r", &key, &certificate]);
    }

    /// Path of a file.
    pub fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// A response (DER) about a certificate, signed by `signer`. `more` are arguments of `openssl ocsp`.
    pub fn response(&self, name: &str, signer: &str, more: &[&str]) -> Vec<u8> {
        let path = |end: &str| self.path(&format!("{name}.{end}"));
        let (certificate, request, response) = (path("crt"), path("req"), path("resp"));
        let (index, ca) = (self.path("index.txt"), self.path("ca.crt"));
        let [signs, key] = self.signer(signer);
        run("openssl", &["ocsp", "-issuer", &ca, "-cert", &certificate, "-no_nonce", "-reqout", &request]);
        let args = [
            &[
                "ocsp", "-index", &index, "-CA", &ca, "-rsigner", &signs, "-rkey", &key, "-reqin", &request,
                "-respout", &response,
            ][..],
            more,
        ];
        run("openssl", &args.concat());
        fs::read(&response).unwrap()
    }

    /// Starts a responder whose answers `signer` signs. `more` are arguments of `openssl ocsp`.
    pub fn responder(&self, signer: &str, more: &[&str]) -> OcspResponder {
        OcspResponder::start(&self.path("index.txt"), &self.path("ca.crt"), self.signer(signer), more)
    }

    /// Certificate and key.
    fn signer(&self, name: &str) -> [String; 2] {
        ["crt", "key"].map(|end| self.path(&format!("{name}.{end}")))
    }
}

/// A responder that ends with the test.
pub struct OcspResponder {
    child: Child,
    pub port: u16,
    /// Closed, it would end the responder.
    _output: BufReader<std::process::ChildStdout>,
}

impl OcspResponder {
    /// Starts `openssl ocsp` with a list of certificates, their issuer, and the certificate and key that sign responses.
    pub fn start(index: &str, ca: &str, [certificate, key]: [String; 2], more: &[&str]) -> OcspResponder {
        let args = [
            &["ocsp", "-port", "0", "-index", index, "-CA", ca, "-rsigner", &certificate, "-rkey", &key][..],
            more,
        ];
        let mut child = tool("openssl", args.concat()).stderr(Stdio::null()).spawn().unwrap();
        // Its first line is `ACCEPT [::]:PORT PID=N`.
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.split_whitespace().nth(1).unwrap_or_else(|| panic!("no port in {line:?}"));
        let port = address.rsplit(':').next().unwrap().parse().unwrap();
        OcspResponder { child, port, _output: output }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for OcspResponder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A responder that answers every request with these bytes. It counts requests.
pub struct OddResponder {
    pub port: u16,
    pub requests: Arc<AtomicUsize>,
}

impl OddResponder {
    /// Answers with this OCSP response.
    pub fn with_response(response: &[u8]) -> OddResponder {
        let head = b"HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\n\r\n";
        OddResponder::start([&head[..], response].concat())
    }

    pub fn start(answer: impl Into<Vec<u8>>) -> OddResponder {
        let answer = answer.into();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = requests.clone();
        thread::spawn(move || {
            for mut socket in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let answer = answer.clone();
                thread::spawn(move || {
                    read_head(&mut socket);
                    if answer.is_empty() {
                        // It never answers; the other side closes.
                        let _ = socket.read(&mut [0]);
                    }
                    let _ = socket.write_all(&answer);
                });
            }
        });
        OddResponder { port, requests }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn read_head(socket: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(socket.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
}
