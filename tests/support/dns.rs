//! A scripted name server over UDP and TCP.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::wait::until_true;

/// What is answered to questions for the addresses of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// These addresses, with this TTL in seconds.
    Addresses(Vec<IpAddr>, u32),
    /// A CNAME to another name with these addresses.
    Alias(&'static str, Vec<IpAddr>, u32),
    /// These addresses; nothing to questions for IPv6 addresses.
    OneFamily(Vec<IpAddr>, u32),
    /// These addresses over TCP only: over UDP the answer is cut off.
    OverTcp(Vec<IpAddr>, u32),
    /// SRV records, each with its priority, weight, port and host, with this TTL.
    Services(Vec<(u16, u16, u16, &'static str)>, u32),
    /// A response code without records.
    Code(u8),
    /// Bytes that are no DNS message.
    Garbage,
    /// Nothing.
    Silent,
    /// As [`Records::Addresses`] over UDP, but not before [`DnsServer::release`].
    Withheld(Vec<IpAddr>, u32),
    /// The first to questions for IPv4 addresses, the second to those for IPv6 addresses.
    ByFamily(Box<Records>, Box<Records>),
}

/// No error.
const NO_ERROR: u8 = 0;
/// SERVFAIL.
pub const SERVER_FAILURE: u8 = 2;
/// NXDOMAIN.
pub const NAME_ERROR: u8 = 3;

/// The answer did not fit.
const TRUNCATED: u8 = 0x02;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const SRV: u16 = 33;

/// Answers NXDOMAIN by default. It serves until it is dropped.
pub struct DnsServer {
    pub port: u16,
    socket: UdpSocket,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    names: Mutex<HashMap<String, Records>>,
    questions: Mutex<Vec<String>>,
    /// Answers, and for whom.
    withheld: Mutex<Vec<(SocketAddr, Vec<u8>)>>,
    stop: AtomicBool,
}

impl DnsServer {
    /// On a port of the system's choice.
    pub fn start() -> Self {
        let (socket, listener) = sockets();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let port = socket.local_addr().unwrap().port();
        let released = socket.try_clone().unwrap();
        let shared = Arc::new(Shared::default());
        let (over_udp, over_tcp) = (shared.clone(), shared.clone());
        thread::spawn(move || over_udp.serve(&socket));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if over_tcp.stop.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), shared) = (stream, over_tcp.clone()) else { continue };
                thread::spawn(move || shared.serve_stream(stream));
            }
        });
        DnsServer { port, socket: released, shared }
    }

    /// A `resolver` line that asks this server, with these parameters.
    pub fn line(&self, parameters: &str) -> String {
        format!("resolver 127.0.0.1:{} {parameters}; resolver_timeout 5s;", self.port)
    }

    /// From now on questions for `name` are answered so.
    pub fn set(&self, name: &str, records: Records) {
        self.shared.names.lock().unwrap().insert(name.to_owned(), records);
    }

    /// Sends the answers that were withheld.
    pub fn release(&self) {
        for (peer, answer) in self.shared.withheld.lock().unwrap().drain(..) {
            let _ = self.socket.send_to(&answer, peer);
        }
    }

    /// How often the IPv4 addresses of `name` were asked for.
    pub fn questions(&self, name: &str) -> usize {
        let wanted = format!("{name} {A}");
        self.shared.questions.lock().unwrap().iter().filter(|question| **question == wanted).count()
    }

    /// Whether IPv6 addresses of `name` were asked for.
    pub fn asked_for_v6(&self, name: &str) -> bool {
        self.shared.questions.lock().unwrap().contains(&format!("{name} {AAAA}"))
    }

    /// Waits until `name` was asked for more than `before` times.
    #[track_caller]
    pub fn wait_questions(&self, name: &str, before: usize) {
        until_true(&format!("a question for {name}"), || self.questions(name) > before);
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn serve(&self, socket: &UdpSocket) {
        let mut packet = [0; 1500];
        while !self.stop.load(Ordering::Relaxed) {
            let Ok((length, peer)) = socket.recv_from(&mut packet) else { continue };
            let query = &packet[..length];
            let Some(response) = self.response(query, true) else { continue };
            if self.withholds(query) {
                self.withheld.lock().unwrap().push((peer, response));
                continue;
            }
            let _ = socket.send_to(&response, peer);
        }
    }

    /// Messages with their length before them, until the client leaves.
    fn serve_stream(&self, mut stream: TcpStream) {
        let mut length = [0; 2];
        while stream.read_exact(&mut length).is_ok() {
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            let Ok(()) = stream.read_exact(&mut query) else { return };
            let Some(response) = self.response(&query, false) else { continue };
            let framed = [&(response.len() as u16).to_be_bytes()[..], &response].concat();
            let Ok(()) = stream.write_all(&framed) else { return };
        }
    }

    fn withholds(&self, query: &[u8]) -> bool {
        let Some((name, ..)) = question(query) else { return false };
        matches!(self.names.lock().unwrap().get(&name), Some(Records::Withheld(..)))
    }

    fn response(&self, query: &[u8], over_udp: bool) -> Option<Vec<u8>> {
        let (name, kind, end) = question(query)?;
        self.questions.lock().unwrap().push(format!("{name} {kind}"));
        let records = self.names.lock().unwrap().get(&name).cloned();
        let records = match records.unwrap_or(Records::Code(NAME_ERROR)) {
            Records::ByFamily(v4, v6) => *if kind == AAAA { v6 } else { v4 },
            records => records,
        };
        let query = &query[..end];
        Some(match records {
            Records::ByFamily(..) => panic!("a family has no families"),
            Records::Silent => return None,
            Records::OneFamily(..) if kind == AAAA => return None,
            Records::Withheld(..) if !over_udp => return None,
            Records::Garbage => vec![0xFF; 40],
            Records::Code(code) => message(query, code, &[]),
            Records::Services(services, ttl) => {
                let of_service = |(priority, weight, port, host): &(u16, u16, u16, &str)| {
                    let numbers = [*priority, *weight, *port].map(u16::to_be_bytes).concat();
                    record(&name, SRV, ttl, &[numbers, labels(host)].concat())
                };
                let answers: Vec<_> = services.iter().filter(|_| kind == SRV).map(of_service).collect();
                message(query, NO_ERROR, &answers)
            }
            Records::OverTcp(..) if over_udp => {
                let mut cut = message(query, NO_ERROR, &[]);
                cut[2] |= TRUNCATED;
                cut
            }
            Records::Addresses(addresses, ttl)
            | Records::OneFamily(addresses, ttl)
            | Records::OverTcp(addresses, ttl)
            | Records::Withheld(addresses, ttl) => {
                let answers: Vec<_> =
                    of_kind(&addresses, kind).map(|data| record(&name, kind, ttl, &data)).collect();
                message(query, NO_ERROR, &answers)
            }
            Records::Alias(target, addresses, ttl) => {
                let mut answers = vec![record(&name, CNAME, ttl, &labels(target))];
                answers.extend(of_kind(&addresses, kind).map(|data| record(target, kind, ttl, &data)));
                message(query, NO_ERROR, &answers)
            }
        })
    }
}

/// The same port for both protocols.
fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(listener) = TcpListener::bind(socket.local_addr().unwrap()) {
            return (socket, listener);
        }
    }
}

/// Name and type of the question, and where it ends.
fn question(packet: &[u8]) -> Option<(String, u16, usize)> {
    let mut at = 12;
    let mut parts = Vec::new();
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        parts.push(String::from_utf8_lossy(packet.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes(packet.get(at..at + 2)?.try_into().ok()?);
    Some((parts.join("."), kind, at + 4))
}

/// A response to `query`, which ends with its question.
fn message(query: &[u8], code: u8, answers: &[Vec<u8>]) -> Vec<u8> {
    let mut out = query[..2].to_vec();
    // A response; recursion was desired and is available.
    out.extend([0x81, 0x80 | code, 0, 1]);
    out.extend((answers.len() as u16).to_be_bytes());
    out.extend([0, 0, 0, 0]);
    out.extend(&query[12..]);
    out.extend(answers.concat());
    out
}

fn record(name: &str, kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut out = labels(name);
    out.extend(kind.to_be_bytes());
    out.extend([0, 1]);
    out.extend(ttl.to_be_bytes());
    out.extend((data.len() as u16).to_be_bytes());
    out.extend(data);
    out
}

fn labels(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.') {
        out.push(label.len() as u8);
        out.extend(label.as_bytes());
    }
    out.push(0);
    out
}

fn of_kind(addresses: &[IpAddr], kind: u16) -> impl Iterator<Item = Vec<u8>> + '_ {
    addresses.iter().filter_map(move |address| match (address, kind) {
        (IpAddr::V4(v4), A) => Some(v4.octets().to_vec()),
        (IpAddr::V6(v6), AAAA) => Some(v6.octets().to_vec()),
        _ => None,
    })
}
