//! Memory of connections that have had a request and are idle since.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::ClientConfig;

use crate::Result;
use crate::handshakes::{self, Handshake};
use crate::servers::Server;

/// Number of connections.
const CONNECTIONS: usize = 2000;
/// Time after which nothing of the requests is left.
const REST: Duration = Duration::from_secs(5);

/// What the connections speak.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// HTTP/2 instead of HTTP/1.1.
    pub http2: bool,
    /// Over TLS.
    pub tls: bool,
}

/// Both ends of a connection, in one trait.
trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// Bytes of resident memory per connection.
///
/// # Errors
///
/// A connection failed.
pub fn measure(server: &Server, kind: Kind) -> Result<u64> {
    let mut config = handshakes::client(Handshake::FULL);
    if kind.http2 {
        Arc::make_mut(&mut config).alpn_protocols = vec![b"h2".to_vec()];
    }
    // What the first connections leave behind is no connection's.
    for _ in 0..CONNECTIONS / 20 {
        open(server, kind, &config)?;
    }
    thread::sleep(REST);
    let before = server.resident()?;
    let connections = (0..CONNECTIONS).map(|_| open(server, kind, &config)).collect::<Result<Vec<_>>>()?;
    thread::sleep(REST);
    let after = server.resident()?;
    drop(connections);
    Ok(after.saturating_sub(before) / CONNECTIONS as u64)
}

/// A connection that has had its answer.
fn open(server: &Server, kind: Kind, config: &Arc<ClientConfig>) -> Result<Box<dyn Stream>> {
    let ports = server.ports;
    let mut stream: Box<dyn Stream> = match kind {
        Kind { tls: false, http2 } => {
            let port = if http2 { ports.http2 } else { ports.http };
            Box::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port))?)
        }
        Kind { tls: true, http2 } => {
            Box::new(handshakes::connect(if http2 { ports.https2 } else { ports.https }, config)?)
        }
    };
    match kind.http2 {
        true => ask_http2(&mut *stream)?,
        false => ask_http1(&mut *stream)?,
    }
    Ok(stream)
}

/// Length of the answer's body.
const BODY: usize = 1024;

fn ask_http1(stream: &mut dyn Stream) -> Result<()> {
    stream.write_all(b"GET /1k HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")?;
    let mut answer = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece)?;
        answer.extend_from_slice(&piece[..length]);
        let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|at| at + 4);
        match head {
            Some(head) if answer.len() >= head + BODY => return Ok(()),
            _ if length == 0 => return Err("the connection was closed".into()),
            _ => {}
        }
    }
}

/// A request with prior knowledge, and its answer frame by frame (RFC 9113 §4.1).
fn ask_http2(stream: &mut dyn Stream) -> Result<()> {
    const SETTINGS: u8 = 4;
    const HEADERS: u8 = 1;
    const ACK: u8 = 1;
    const END_STREAM: u8 = 1;
    const END_HEADERS: u8 = 4;
    // GET, http, `/1k` and `localhost`, with the names of the static table (RFC 7541, appendix A).
    let head = [&[0x82, 0x86, 0x44, 3][..], b"/1k", &[0x41, 9], b"localhost"].concat();
    let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    out.extend(frame(SETTINGS, 0, 0, &[]));
    out.extend(frame(HEADERS, END_STREAM | END_HEADERS, 1, &head));
    stream.write_all(&out)?;
    loop {
        let mut start = [0; 9];
        stream.read_exact(&mut start)?;
        let [high, middle, low, kind, flags, .., stream_number] = start;
        let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
        stream.read_exact(&mut payload)?;
        if kind == SETTINGS && flags & ACK == 0 {
            stream.write_all(&frame(SETTINGS, ACK, 0, &[]))?;
        } else if stream_number == 1 && flags & END_STREAM != 0 {
            return Ok(());
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short frame");
    [&[0, 0, length, kind, flags, 0, 0, 0, stream][..], payload].concat()
}
