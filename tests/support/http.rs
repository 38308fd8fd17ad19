//! HTTP as bytes: requests written down by the test, responses taken apart.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::rtmp::is_timeout;
use super::wait::PATIENCE;

/// Status line and headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub version: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

/// A response with its body, chunks undone.
#[derive(Clone, Debug)]
pub struct Response {
    pub head: Head,
    pub body: Vec<u8>,
}

impl Head {
    /// Takes the head off the front of `bytes`; the number is its length. `None`: not complete yet.
    pub fn parse(bytes: &[u8]) -> Option<(Head, usize)> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = text.split("\r\n");
        let mut first = lines.next().unwrap().splitn(3, ' ');
        let version = first.next().unwrap().to_owned();
        let status = first.next().expect("a status line has a status").parse().unwrap();
        let headers = lines
            .map(|line| line.split_once(':').unwrap_or_else(|| panic!("no header: {line}")))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some((Head { version, status, headers }, end + 4))
    }

    /// The first header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

impl Response {
    /// Its status.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The first header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// `GET target` on a connection of its own.
#[track_caller]
pub fn get(port: u16, target: &str) -> Response {
    get_with(port, target, "")
}

/// `GET target` with more header lines, each with its line end.
#[track_caller]
pub fn get_with(port: u16, target: &str, headers: &str) -> Response {
    request(port, "GET", target, headers)
}

/// Any method on a connection of its own.
#[track_caller]
pub fn request(port: u16, method: &str, target: &str, headers: &str) -> Response {
    let host = if headers.to_ascii_lowercase().contains("host:") { "" } else { "Host: localhost\r\n" };
    let text = format!("{method} {target} HTTP/1.1\r\n{host}Connection: close\r\n{headers}\r\n");
    let mut connection = Connection::open(port);
    connection.send(text.as_bytes());
    connection.response(method == "HEAD")
}

/// A connection for one request after the other.
pub struct Connection {
    pub socket: TcpStream,
    /// What came and was not taken yet.
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection { socket, buffer: Vec::new() }
    }

    /// Connects from another address of this host.
    pub fn open_from(address: &str, port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let socket = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
            let connected = socket.connect(([127, 0, 0, 1], port).into()).await.unwrap();
            connected.into_std().unwrap()
        });
        socket.set_nonblocking(false).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection { socket, buffer: Vec::new() }
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// Waits for the head of a response, and leaves it where it is.
    #[track_caller]
    pub fn head(&self) -> Head {
        let mut bytes = vec![0; 4096];
        super::wait::until("the head of a response", || {
            let count = self.socket.peek(&mut bytes).unwrap();
            Head::parse(&bytes[..count]).map(|(head, _)| head)
        })
    }

    /// Reads one response. `head_only`: it answers a HEAD request.
    #[track_caller]
    pub fn response(&mut self, head_only: bool) -> Response {
        let (head, length) = loop {
            if let Some(found) = Head::parse(&self.buffer) {
                break found;
            }
            assert!(
                self.fill(),
                "the connection ended within a head: {:?}",
                String::from_utf8_lossy(&self.buffer)
            );
        };
        self.buffer.drain(..length);
        if head_only || matches!(head.status, 204 | 304) {
            return Response { head, body: Vec::new() };
        }
        let body = match head.header("content-length") {
            Some(length) => self.exactly(length.parse().unwrap()),
            None if head.header("transfer-encoding") == Some("chunked") => self.chunked(),
            None => self.rest(),
        };
        Response { head, body }
    }

    /// Everything up to the end of the connection; a reset counts as an end.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.buffer)
    }

    #[track_caller]
    fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.fill(), "the connection ended within a body");
        }
        self.buffer.drain(..length).collect()
    }

    #[track_caller]
    fn chunked(&mut self) -> Vec<u8> {
        let mut chunks = Dechunker::default();
        let mut body = Vec::new();
        loop {
            let (more, complete) = chunks.take(&std::mem::take(&mut self.buffer));
            body.extend(more);
            if complete {
                return body;
            }
            assert!(self.fill(), "the connection ended within a chunked body");
        }
    }

    #[track_caller]
    fn fill(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let due = Instant::now() + PATIENCE;
        match self.socket.read(&mut buffer) {
            Ok(n) => {
                self.buffer.extend_from_slice(&buffer[..n]);
                n > 0
            }
            Err(error) => {
                assert!(!is_timeout(&error) || Instant::now() < due, "waited in vain for a response");
                is_timeout(&error)
            }
        }
    }
}

/// Takes a chunked body apart as it comes.
#[derive(Default)]
pub struct Dechunker {
    held: Vec<u8>,
    complete: bool,
}

impl Dechunker {
    /// What of the body is complete, and whether that was all.
    pub fn take(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        self.held.extend_from_slice(bytes);
        let mut body = Vec::new();
        while !self.complete {
            let Some(line) = self.held.windows(2).position(|window| window == b"\r\n") else { break };
            let length = std::str::from_utf8(&self.held[..line]).unwrap();
            let length =
                usize::from_str_radix(length, 16).unwrap_or_else(|_| panic!("no chunk length: {length:?}"));
            if length == 0 {
                // Trailers may follow, each with its line end.
                let Some(end) = self.held[line..].windows(4).position(|window| window == b"\r\n\r\n") else {
                    break;
                };
                self.held.drain(..line + end + 4);
                self.complete = true;
                continue;
            }
            let end = line + 2 + length;
            let Some(after) = self.held.get(end..end + 2) else { break };
            assert_eq!(after, b"\r\n", "a chunk ends with a line end");
            body.extend_from_slice(&self.held[line + 2..end]);
            self.held.drain(..end + 2);
        }
        (body, self.complete)
    }
}
