//! A client that sends any frames.

use std::io::{Read, Write};
use std::net::TcpStream;

use pingosd::net::http2::PREFACE;

use crate::support::wait::PATIENCE;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RESET: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `:method` with the index of GET (2) or POST (3), `:scheme http`, `:path /says`, `:authority a`.
pub fn head(method: u8) -> Vec<u8> {
    [&[0x80 | method, 0x86, 0x04, 5], &b"/says"[..], &[0x01, 1, b'a']].concat()
}

/// A head for `GET` of a path, with lines of a `priority` field.
pub fn asked(path: &str, lines: &[&str]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let mut block = [&[0x82, 0x86, 0x04][..], &text(path), &[0x01, 1, b'a']].concat();
    for line in lines {
        block.extend_from_slice(&[&[0x00][..], &text("priority"), &text(line)].concat());
    }
    block
}

/// A frame with the priority of a stream.
pub fn update(stream: u32, value: &str) -> Vec<u8> {
    frame(0x10, 0, 0, &[&stream.to_be_bytes()[..], value.as_bytes()].concat())
}

/// A client that sends any frames.
pub struct Raw(pub TcpStream);

impl Raw {
    pub fn open(port: u16) -> Raw {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat()).unwrap();
        Raw(socket)
    }

    /// Sends frames until the server closes; how many were sent.
    pub fn flood(&mut self, most: usize, mut next: impl FnMut(usize) -> Vec<u8>) -> usize {
        // The server may close while what it has said is not read.
        let mut reading = self.0.try_clone().unwrap();
        let reader = std::thread::spawn(move || {
            let mut last = Vec::new();
            let mut buffer = [0; 65536];
            while let Ok(length @ 1..) = reading.read(&mut buffer) {
                last.extend_from_slice(&buffer[..length]);
                last.drain(..last.len().saturating_sub(4096));
            }
        });
        let mut sent = 0;
        while sent < most && self.0.write_all(&next(sent)).is_ok() {
            sent += 1;
        }
        reader.join().unwrap();
        sent
    }

    /// First byte of the head on a stream, which is the status, and the body.
    pub fn answer(&mut self, stream: u32) -> (u8, Vec<u8>) {
        let (mut status, mut body) = (None, Vec::new());
        loop {
            let (kind, flags, of, payload) = self.next();
            if of != stream {
                continue;
            }
            match kind {
                HEADERS => status = status.or(payload.first().copied()),
                DATA => body.extend_from_slice(&payload),
                RESET => panic!("the stream was reset: {payload:?}"),
                _ => continue,
            }
            if let Some(status) = status.filter(|_| flags & END_STREAM != 0) {
                return (status, body);
            }
        }
    }

    /// Status on a stream, as HPACK's table numbers it.
    pub fn status(&mut self, stream: u32) -> u8 {
        self.answer(stream).0
    }

    /// Waits until the server closes; returns what it has said.
    pub fn closed(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let read = self.0.read_to_end(&mut all);
        assert!(read.is_ok() || read.unwrap_err().kind() == std::io::ErrorKind::ConnectionReset);
        all
    }

    /// The next frame: its kind, its flags, its stream and its payload.
    pub fn next(&mut self) -> (u8, u8, u32, Vec<u8>) {
        let mut start = [0; 9];
        self.0.read_exact(&mut start).unwrap();
        let [a, b, c, kind, flags, of @ ..] = start;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.0.read_exact(&mut payload).unwrap();
        (kind, flags, u32::from_be_bytes(of), payload)
    }

    pub fn open_window(&mut self, stream: u32, bytes: u32) {
        self.0.write_all(&frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())).unwrap();
    }

    pub fn ask(&mut self, stream: u32, path: &str, lines: &[&str]) {
        self.0.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &asked(path, lines))).unwrap();
    }
}
