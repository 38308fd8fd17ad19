//! A proxy before pebble that speaks TLS as it does: it holds requests back, counts them, and says when certificates should be renewed
//! (RFC 9773), which Debian's pebble does not.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::tls;

/// The proxy.
#[derive(Clone)]
pub struct Front {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Beginnings of paths whose requests are held back.
    held: Vec<&'static str>,
    /// Requests by the first part of their path.
    requests: HashMap<String, usize>,
    /// The window that the answers have; without one there is no renewal information.
    window: Option<(String, String)>,
    /// What orders say that they replace.
    replaced: Vec<String>,
}

impl Front {
    /// One before pebble at this port.
    pub fn new(pebble: u16) -> Front {
        let config = tls::server_config("callback");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let front = Front { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let served = front.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let session = ServerConnection::new(config.clone()).unwrap();
                let front = served.clone();
                thread::spawn(move || front.serve(StreamOwned::new(session, socket), pebble));
            }
        });
        front
    }

    /// Holds back requests whose path begins so, until [`Front::release`].
    pub fn hold(&self, path: &'static str) {
        self.state.lock().held.push(path);
    }

    /// Lets all requests through.
    pub fn release(&self) {
        self.state.lock().held.clear();
    }

    /// Says that certificates should be renewed between these moments (RFC 3339).
    pub fn suggest(&self, start: &str, end: &str) {
        self.state.lock().window = Some((start.to_owned(), end.to_owned()));
    }

    /// Number of requests whose path begins with this part.
    pub fn requests(&self, part: &str) -> usize {
        self.state.lock().requests.get(part).copied().unwrap_or(0)
    }

    /// What orders have said that they replace.
    pub fn replaced(&self) -> Vec<String> {
        self.state.lock().replaced.clone()
    }

    fn serve(&self, mut client: impl Read + Write, pebble: u16) -> io::Result<()> {
        while let Some(request) = message(&mut client)? {
            let text = String::from_utf8_lossy(&request).into_owned();
            let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
            let part = format!("/{}", path.split('/').nth(1).unwrap_or_default());
            {
                let mut state = self.state.lock();
                *state.requests.entry(part.clone()).or_default() += 1;
                state.replaced.extend(replaces(&text));
            }
            while self.state.lock().held.iter().any(|held| path.starts_with(held)) {
                thread::sleep(Duration::from_millis(20));
            }
            let window = self.state.lock().window.clone();
            let answer = match (part.as_str(), window) {
                ("/renewal-info", Some((start, end))) => {
                    json(&format!(r#"{{"suggestedWindow":{{"start":"{start}","end":"{end}"}}}}"#))
                }
                ("/dir", Some(_)) => {
                    let answer = forward(&request, pebble)?;
                    let body = String::from_utf8_lossy(&answer).into_owned();
                    let body = body.split_once("\r\n\r\n").map_or("", |(_, body)| body);
                    let mut directory: serde_json::Value = serde_json::from_str(body).unwrap();
                    directory["renewalInfo"] = format!("https://localhost:{}/renewal-info", self.port).into();
                    json(&directory.to_string())
                }
                _ => forward(&request, pebble)?,
            };
            client.write_all(&answer)?;
            client.flush()?;
        }
        Ok(())
    }
}

fn json(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// What an order in a signed request says that it replaces.
fn replaces(request: &str) -> Option<String> {
    let (_, body) = request.split_once("\r\n\r\n")?;
    let signed: serde_json::Value = serde_json::from_str(body).ok()?;
    let payload = URL_SAFE_NO_PAD.decode(signed["payload"].as_str()?).ok()?;
    let payload: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    Some(payload["replaces"].as_str()?.to_owned())
}

/// Sends a request to pebble, and returns its answer with a length.
fn forward(request: &[u8], pebble: u16) -> io::Result<Vec<u8>> {
    let socket = TcpStream::connect(("127.0.0.1", pebble))?;
    let mut pebble = tls::handshake(socket, &tls::client_config("ca", &[&TLS13]))?;
    pebble.write_all(request)?;
    pebble.flush()?;
    let head_only = request.starts_with(b"HEAD ");
    let head = head_of(&mut pebble)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let mut answer = head;
    if head_only || text.contains(" 204 ") {
        return Ok(answer);
    }
    if !text.contains("transfer-encoding: chunked") {
        body(&mut pebble, &text, &mut answer)?;
        return Ok(answer);
    }
    let mut whole = Vec::new();
    loop {
        let size = line_of(&mut pebble)?;
        let mut chunk = vec![0; usize::from_str_radix(size.trim(), 16).unwrap() + 2];
        pebble.read_exact(&mut chunk)?;
        chunk.truncate(chunk.len() - 2);
        if chunk.is_empty() {
            break;
        }
        whole.extend_from_slice(&chunk);
    }
    let length = format!("Content-Length: {}", whole.len());
    let head = String::from_utf8_lossy(&answer).replace("Transfer-Encoding: chunked", &length);
    Ok([head.as_bytes(), &whole].concat())
}

/// The next request with its body; `None` at the end.
fn message(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let Some(mut whole) = head_of(from)? else { return Ok(None) };
    let head = String::from_utf8_lossy(&whole).to_ascii_lowercase();
    body(from, &head, &mut whole)?;
    Ok(Some(whole))
}

fn head_of(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match from.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Ok(_) => return Ok(None),
            Err(_) if head.is_empty() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(head))
}

fn line_of(from: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn body(from: &mut impl Read, head: &str, whole: &mut Vec<u8>) -> io::Result<()> {
    let length =
        head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    let mut rest = vec![0; length.unwrap_or(0)];
    from.read_exact(&mut rest)?;
    whole.extend_from_slice(&rest);
    Ok(())
}
