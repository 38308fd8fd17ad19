//! A backend that answers with what the request's target says; both servers forward to it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

/// Time between parts.
const PAUSE: Duration = Duration::from_millis(30);

/// Its address.
pub fn address() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        // It is reached at every address of the loopback network.
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], listener.local_addr().unwrap().port()));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || serve(stream));
            }
        });
        address
    })
}

/// The target that makes the backend send these bytes and close.
pub fn sends(bytes: &str) -> String {
    format!("/x/{}", hex(bytes))
}

/// The target that makes it send these parts with pauses between them, and close.
pub fn sends_parts(parts: &[&str]) -> String {
    format!("/x/{}", parts.iter().map(|part| hex(part)).collect::<Vec<_>>().join("."))
}

/// The target that makes it send these bytes and serve the next request on the connection, which is silent until then.
pub fn holds(bytes: &str) -> String {
    format!("/h/{}", hex(bytes))
}

fn hex(bytes: &str) -> String {
    bytes.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &[u8]) -> Vec<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).unwrap_or(0) as u8;
    text.chunks_exact(2).map(|pair| digit(pair[0]) * 16 + digit(pair[1])).collect()
}

fn serve(mut stream: TcpStream) {
    let mut received = Vec::new();
    let mut count = 0;
    while let Some(request) = request(&mut stream, &mut received) {
        count += 1;
        let target = request.split(|byte| *byte == b' ').nth(1).unwrap_or_default().to_owned();
        let target = target.split(|byte| *byte == b'?').next().unwrap_or_default();
        if let Some(text) = target.strip_prefix(b"/x/") {
            send(&mut stream, text);
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read(&mut [0; 64]);
            return;
        }
        if let Some(text) = target.strip_prefix(b"/h/") {
            send(&mut stream, text);
            continue;
        }
        if target.starts_with(b"/early/") {
            // Before the body: its length is told already, and it comes back as it is received.
            let length = length_of(&request);
            let short = target.ends_with(b"/short");
            let told = if short { "2\r\n\r\nok".to_owned() } else { format!("{length}\r\n\r\n") };
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {told}").as_bytes());
            if short || echo(&mut stream, &mut received, length).is_err() {
                let _ = stream.read(&mut [0; 64]);
                return;
            }
            continue;
        }
        if target.starts_with(b"/count") {
            // Which request of the connection it is.
            let body = count.to_string();
            let sent = if request.starts_with(b"HEAD") { "" } else { &body };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{sent}", body.len());
            let _ = stream.write_all(head.as_bytes());
            continue;
        }
        if target.starts_with(b"/upgrade") {
            let _ = stream.write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello;",
            );
            let mut bytes = [0; 256];
            while let Ok(length) = stream.read(&mut bytes) {
                if length == 0
                    || stream.write_all(&bytes[..length].to_ascii_uppercase()).is_err()
                    || bytes[..length].contains(&b'!')
                {
                    return;
                }
            }
            return;
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            request.len()
        );
        let _ = stream.write_all(&[head.as_bytes(), &request].concat());
        return;
    }
}

fn send(stream: &mut TcpStream, text: &[u8]) {
    for (number, part) in text.split(|byte| *byte == b'.').enumerate() {
        if number > 0 {
            thread::sleep(PAUSE);
        }
        let _ = stream.write_all(&unhex(part));
    }
}

/// Sends what comes of a body back, in capitals.
fn echo(stream: &mut TcpStream, received: &mut Vec<u8>, length: usize) -> std::io::Result<()> {
    let (mut left, mut bytes) = (length, [0; 4096]);
    while left > 0 {
        if received.is_empty() {
            match stream.read(&mut bytes)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                count => received.extend_from_slice(&bytes[..count]),
            }
        }
        let part: Vec<u8> = received.drain(..left.min(received.len())).collect();
        stream.write_all(&part.to_ascii_uppercase())?;
        left -= part.len();
    }
    Ok(())
}

/// The next request with its body, as received; without it for the targets that are answered before it.
fn request(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut bytes = [0; 65536];
    loop {
        if let Some(length) = length(received) {
            let rest = received.split_off(length);
            return Some(std::mem::replace(received, rest));
        }
        match stream.read(&mut bytes) {
            Ok(length) if length > 0 => received.extend_from_slice(&bytes[..length]),
            _ => return None,
        }
    }
}

/// Length of a complete request.
fn length(received: &[u8]) -> Option<usize> {
    let find = |what: &[u8], from: usize| {
        received[from..]
            .windows(what.len())
            .position(|window| window == what)
            .map(|at| from + at + what.len())
    };
    let head = find(b"\r\n\r\n", 0)?;
    if received.starts_with(b"POST /early/") {
        return Some(head);
    }
    let text = String::from_utf8_lossy(&received[..head]).to_lowercase();
    if text.lines().any(|line| line.starts_with("transfer-encoding:")) {
        return find(b"0\r\n\r\n", head);
    }
    let length = length_of(&received[..head]);
    (received.len() >= head + length).then_some(head + length)
}

/// The length that a head tells of the body.
fn length_of(head: &[u8]) -> usize {
    let text = String::from_utf8_lossy(head).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
