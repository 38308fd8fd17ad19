//! A client: sends what an exchange says and takes the responses apart.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::ClientConfig;

use crate::entry::{Step, TlsClient};
use crate::talk_tls;

/// How long a server may be silent where something must come; then it is given up.
const SILENCE: Duration = Duration::from_secs(6);

/// What is sent at the end of an exchange to see whether the connection was kept.
pub const PROBE: &[u8] = b"GET /-probe- HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n";

/// What is sent on a connection whose session is resumed later.
const FIRST: &[u8] = b"GET /-first- HTTP/1.1\r\nHost: first\r\nConnection: close\r\n\r\n";

/// Where to connect.
#[derive(Clone, Debug)]
pub enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// What a connection gave.
#[derive(Debug, Default)]
pub struct Talk {
    /// Everything that came.
    pub answers: Vec<Answer>,
    /// How many of them came before the probe was sent. `None`: the connection ended before.
    pub before_probe: Option<usize>,
    /// The server neither answered nor closed.
    pub is_silent: bool,
}

/// A response.
#[derive(Debug, Default)]
pub struct Answer {
    /// Status line without its end. Empty: there was no head, all is in `body`.
    pub line: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Chunks undone.
    pub body: Vec<u8>,
    /// Lines after the last chunk.
    pub trailers: Vec<Vec<u8>>,
    /// What is wrong with it.
    pub fault: Option<&'static str>,
    /// It answers HEAD.
    pub is_head: bool,
    /// The line of the request that it answers, as far as that is known.
    pub asked: Vec<u8>,
    /// Length of head and of the body as it was sent.
    pub wire: (usize, usize),
}

impl Answer {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|(_, value)| value.as_slice())
    }

    /// Its status, 0 without a head.
    pub fn status(&self) -> u16 {
        let text = self.line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}

/// Carries out the steps, then looks whether the connection is still served. `pause` lets a server read what was sent before
/// more comes.
pub fn talk(target: &Target, steps: &[Step], tls: Option<(&TlsClient, PathBuf)>, pause: Duration) -> Talk {
    let mut talk = Talk::default();
    let Ok(mut stream) = Stream::connect(target) else {
        talk.answers.push(Answer { fault: Some("cannot connect"), ..Answer::default() });
        return talk;
    };
    if let Some((client, dir)) = tls {
        let config = talk_tls::config(client, &dir);
        if client.resumes {
            let before = Stream::connect(target)
                .and_then(|stream| stream.with_tls(&config, client.name_before.or(client.name)));
            if let Ok(mut before) = before {
                before.send(FIRST);
                while matches!(before.read(&mut [0; 1024]), Ok(1..)) {}
            }
        }
        stream = match stream.with_tls(&config, client.name) {
            Ok(stream) => stream,
            Err(error) => {
                let text = error.to_string().into_bytes();
                talk.answers.push(Answer {
                    body: text,
                    fault: Some("handshake failed"),
                    ..Answer::default()
                });
                return talk;
            }
        };
    }
    let mut side = Reader { stream, buffer: Vec::new(), end: None, lines: Vec::new() };
    let mut is_shut = false;
    let mut beside = Vec::new();
    for step in steps {
        match step {
            Step::Send(bytes) => {
                side.note_lines(bytes);
                side.stream.send(bytes);
            }
            Step::Pause => thread::sleep(pause),
            Step::Shut => {
                side.stream.shut();
                is_shut = true;
            }
            Step::Beside(bytes) => {
                if let Ok(mut stream) = Stream::connect(target) {
                    stream.send(bytes);
                    let _ = stream.read(&mut [0; 16]);
                    beside.push(stream);
                }
            }
            Step::Interim => talk.answers.extend(side.answer()),
            Step::Read(count) => {
                let mut left = *count;
                while left > 0 {
                    let Some(answer) = side.answer() else { break };
                    left -= usize::from(!(100..200).contains(&answer.status()) || answer.status() == 101);
                    talk.answers.push(answer);
                }
            }
        }
    }
    if side.end.is_none() && !is_shut {
        talk.before_probe = Some(talk.answers.len());
        side.stream.send(PROBE);
    }
    while let Some(answer) = side.answer() {
        talk.answers.push(answer);
    }
    talk.is_silent = matches!(side.end, Some(End::Silent));
    talk
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Silent,
}

struct Reader {
    stream: Stream,
    buffer: Vec<u8>,
    end: Option<End>,
    /// The lines of requests that are still to be answered.
    lines: Vec<Vec<u8>>,
}

impl Reader {
    /// Notes the lines of the requests that begin in `bytes`.
    fn note_lines(&mut self, bytes: &[u8]) {
        for line in bytes.split(|byte| *byte == b'\n') {
            let is_line = line.windows(6).any(|part| part == b" HTTP/");
            if is_line {
                self.lines.push(line.strip_suffix(b"\r").unwrap_or(line).to_vec());
            }
        }
    }

    /// The next response, or what is there instead; `None` when nothing more comes.
    fn answer(&mut self) -> Option<Answer> {
        let end = loop {
            let known = self.buffer.len().min(5);
            if self.buffer[..known] != b"HTTP/"[..known] {
                while self.fill() {}
            } else if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at;
            }
            if !self.fill() {
                if self.buffer.is_empty() {
                    return None;
                }
                let body = std::mem::take(&mut self.buffer);
                return Some(Answer { wire: (0, body.len()), body, ..Answer::default() });
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let mut lines =
            head[..end].split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let mut answer = Answer { wire: (head.len(), 0), ..Answer::default() };
        answer.line = lines.next().unwrap_or_default().to_vec();
        for line in lines {
            match find(line, b": ") {
                Some(colon) => answer.headers.push((line[..colon].to_vec(), line[colon + 2..].to_vec())),
                None => answer.headers.push((line.to_vec(), b"(no colon)".to_vec())),
            }
        }
        let status = answer.status();
        if (100..200).contains(&status) {
            return Some(answer);
        }
        if !self.lines.is_empty() {
            answer.asked = self.lines.remove(0);
        }
        answer.is_head = answer.asked.starts_with(b"HEAD ");
        if answer.is_head || matches!(status, 204 | 304) {
            return Some(answer);
        }
        if answer.header("transfer-encoding") == Some(b"chunked") {
            self.chunked(&mut answer);
        } else if let Some(length) = answer.header("content-length") {
            match std::str::from_utf8(length).ok().and_then(|length| length.parse::<usize>().ok()) {
                Some(length) => self.exactly(length, &mut answer),
                None => answer.fault = Some("bad Content-Length"),
            }
        } else {
            while self.fill() {}
            answer.body = std::mem::take(&mut self.buffer);
            answer.wire.1 = answer.body.len();
        }
        Some(answer)
    }

    fn exactly(&mut self, length: usize, answer: &mut Answer) {
        while self.buffer.len() < length && self.fill() {}
        if self.buffer.len() < length {
            answer.fault = Some("body cut short");
        }
        answer.body = self.buffer.drain(..length.min(self.buffer.len())).collect();
        answer.wire.1 = answer.body.len();
    }

    fn chunked(&mut self, answer: &mut Answer) {
        loop {
            let Some(line) = self.line() else {
                answer.fault = Some("chunked body cut short");
                return;
            };
            answer.wire.1 += line.len() + 2;
            let Some(length) =
                std::str::from_utf8(&line).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok())
            else {
                answer.fault = Some("bad chunk");
                return;
            };
            if length == 0 {
                break;
            }
            while self.buffer.len() < length + 2 && self.fill() {}
            if self.buffer.len() < length + 2 || &self.buffer[length..length + 2] != b"\r\n" {
                answer.fault = Some("chunk cut short");
                answer.body.append(&mut self.buffer);
                return;
            }
            answer.body.extend(self.buffer.drain(..length + 2).take(length));
            answer.wire.1 += length + 2;
        }
        while let Some(line) = self.line() {
            answer.wire.1 += line.len() + 2;
            if line.is_empty() {
                return;
            }
            answer.trailers.push(line);
        }
        answer.fault = Some("trailers cut short");
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let line = self.buffer.drain(..at + 2).take(at).collect();
                return Some(line);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    fn fill(&mut self) -> bool {
        if self.end.is_some() {
            return false;
        }
        let mut buffer = [0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.end = Some(End::Closed),
            Ok(count) => self.buffer.extend_from_slice(&buffer[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                self.end = Some(End::Silent);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A reset is an end.
            Err(_) => self.end = Some(End::Closed),
        }
        self.end.is_none()
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<talk_tls::Client>),
}

impl Stream {
    fn connect(target: &Target) -> std::io::Result<Stream> {
        Ok(match target {
            Target::Tcp(address) => {
                let socket = TcpStream::connect(address)?;
                socket.set_nodelay(true)?;
                socket.set_read_timeout(Some(SILENCE))?;
                socket.set_write_timeout(Some(SILENCE))?;
                Stream::Tcp(socket)
            }
            Target::Unix(path) => {
                let socket = UnixStream::connect(path)?;
                socket.set_read_timeout(Some(SILENCE))?;
                socket.set_write_timeout(Some(SILENCE))?;
                Stream::Unix(socket)
            }
        })
    }

    /// Performs a handshake.
    fn with_tls(self, config: &Arc<ClientConfig>, name: Option<&str>) -> std::io::Result<Stream> {
        let Stream::Tcp(socket) = self else { return Err(ErrorKind::Unsupported.into()) };
        Ok(Stream::Tls(Box::new(talk_tls::handshake(socket, config, name)?)))
    }

    /// Sends as much as the server takes; that it closes meanwhile is its right.
    fn send(&mut self, bytes: &[u8]) {
        let _ = match self {
            Stream::Tcp(socket) => socket.write_all(bytes),
            Stream::Unix(socket) => socket.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        };
    }

    fn shut(&mut self) {
        let _ = match self {
            Stream::Tcp(socket) => socket.shutdown(Shutdown::Write),
            Stream::Unix(socket) => socket.shutdown(Shutdown::Write),
            Stream::Tls(stream) => {
                stream.conn.send_close_notify();
                let _ = stream.flush();
                stream.sock.shutdown(Shutdown::Write)
            }
        };
    }

    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Stream::Tcp(socket) => socket.read(buffer),
            Stream::Unix(socket) => socket.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }
}

/// Where `part` begins in `bytes`.
pub fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
