//! Syslog as a destination: parameters, message head (RFC 3164 as nginx writes it), and the socket.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixDatagram;

use bstr::{BString, ByteSlice};

use crate::directive::ListenAddr;
use crate::directive::address::{AddressError, listen_addrs, literal_addr};
use crate::directive::evaluation::{Evaluation, HostNames};
use crate::limits;
use crate::syntax::{Problem, Word, sentence};
use crate::task::clock::LocalSecond;

/// A syslog server and the head of messages to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Syslog {
    /// Its address: UDP, or a datagram socket in the file system.
    pub server: ListenAddr,
    /// Facility number, 0 to 23.
    pub facility: u8,
    /// Severity number of access log lines, 0 to 7. Lines of the error log have their own level.
    pub severity: u8,
    /// Tag of at most 32 letters, digits and underscores.
    pub tag: BString,
    /// Whether the name of the machine is left out.
    pub nohostname: bool,
}

/// Facilities by number.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock", "authpriv", "ftp",
    "ntp", "audit", "alert", "cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

/// Severities by number.
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"];

/// Default facility `local7`, default severity `info`, default port, longest tag.
const LOCAL7: u8 = 23;
const INFO: u8 = 6;
const PORT: u16 = 514;
const TAG: usize = 32;

impl Syslog {
    /// Parses what follows `syslog:` in a word: `server=ADDRESS[,facility=][,severity=][,tag=][,nohostname]`.
    ///
    /// # Errors
    ///
    /// A parameter is unknown, invalid or given twice, or the server is missing.
    pub fn parse(text: &[u8], word: &Word, evaluation: &Evaluation<'_>) -> Result<Syslog, Problem> {
        let refuse = |parts: &[&[u8]]| Problem::new(sentence(parts)).at(word.span);
        let duplicate = |name: &str| refuse(&[b"duplicate syslog \"", name.as_bytes(), b"\""]);
        let (mut server, mut facility, mut severity, mut tag, mut nohostname) =
            (None, None, None, None, false);
        for part in text.split_str(",") {
            match part.split_once_str("=") {
                Some((b"server", _)) if server.is_some() => return Err(duplicate("server")),
                Some((b"server", url)) => {
                    let found =
                        match evaluation.bases.host_names {
                            HostNames::Resolved => listen_addrs(url, PORT),
                            HostNames::Ignored => literal_addr(url, PORT)
                                .or_else(|why| {
                                    if why == AddressError::HostNotFound { Ok(nowhere()) } else { Err(why) }
                                })
                                .map(|addr| vec![addr]),
                        };
                    let found = found.map_err(|why| {
                        refuse(&[why.to_string().as_bytes(), b" in syslog server \"", url, b"\""])
                    })?;
                    server = found.into_iter().next();
                }
                Some((b"facility", _)) if facility.is_some() => return Err(duplicate("facility")),
                Some((b"facility", name)) => {
                    let known = number(&FACILITIES, name);
                    facility =
                        Some(known.ok_or_else(|| refuse(&[b"unknown syslog facility \"", name, b"\""]))?);
                }
                Some((b"severity", _)) if severity.is_some() => return Err(duplicate("severity")),
                Some((b"severity", name)) => {
                    let known = number(&SEVERITIES, name);
                    severity =
                        Some(known.ok_or_else(|| refuse(&[b"unknown syslog severity \"", name, b"\""]))?);
                }
                Some((b"tag", _)) if tag.is_some() => return Err(duplicate("tag")),
                Some((b"tag", name)) if name.len() > TAG => {
                    return Err(refuse(&[b"syslog tag length exceeds 32"]));
                }
                Some((b"tag", name)) => {
                    if !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
                        let text = b"syslog \"tag\" only allows alphanumeric characters and underscore";
                        return Err(refuse(&[text]));
                    }
                    tag = Some(BString::from(name));
                }
                None if part == b"nohostname" => nohostname = true,
                _ => return Err(refuse(&[b"unknown syslog parameter \"", part, b"\""])),
            }
        }
        Ok(Syslog {
            server: server.ok_or_else(|| refuse(&[b"no syslog server specified"]))?,
            facility: facility.unwrap_or(LOCAL7),
            severity: severity.unwrap_or(INFO),
            tag: tag.unwrap_or_else(|| "nginx".into()),
            nohostname,
        })
    }
}

/// Address of a server whose name is not to be resolved.
fn nowhere() -> ListenAddr {
    ListenAddr::Tcp((Ipv4Addr::UNSPECIFIED, PORT).into())
}

fn number(names: &[&str], name: &[u8]) -> Option<u8> {
    names.iter().position(|known| known.as_bytes() == name).and_then(|at| u8::try_from(at).ok())
}

/// The sending end. Connected at the first line, and anew after an error.
#[derive(Debug)]
pub(super) struct SyslogSocket {
    syslog: Syslog,
    hostname: String,
    socket: Option<Datagrams>,
    /// The second of the latest message, and its text.
    clock: LocalSecond<1>,
    message: Vec<u8>,
}

#[derive(Debug)]
enum Datagrams {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl SyslogSocket {
    pub(super) fn new(syslog: Syslog) -> SyslogSocket {
        let hostname = nix::unistd::gethostname().unwrap_or_default();
        let hostname = hostname.as_encoded_bytes().to_ascii_lowercase().to_str_lossy().into_owned();
        SyslogSocket {
            syslog,
            hostname,
            socket: None,
            clock: LocalSecond::new(["%b %e %H:%M:%S"]),
            message: Vec::new(),
        }
    }

    /// Sends a line; `severity` is that of a line of the error log.
    ///
    /// # Errors
    ///
    /// Errors of the system; [`io::ErrorKind::WouldBlock`] if the server takes nothing.
    pub(super) fn send(&mut self, severity: Option<u8>, line: &[u8]) -> io::Result<()> {
        let severity = severity.unwrap_or(self.syslog.severity);
        let priority = u16::from(self.syslog.facility) * 8 + u16::from(severity);
        let [time] = self.clock.now();
        let host = if self.syslog.nohostname { "" } else { &self.hostname };
        let space = if self.syslog.nohostname { "" } else { " " };
        self.message.clear();
        self.message.extend_from_slice(format!("<{priority}>{time} {host}{space}").as_bytes());
        self.message.extend_from_slice(&self.syslog.tag);
        self.message.extend_from_slice(b": ");
        self.message.extend_from_slice(line.trim_end_with(|c| c == '\n'));
        if self.socket.is_none() {
            self.socket = Some(connect(&self.syslog.server)?);
        }
        let sent = match &self.socket {
            Some(Datagrams::Udp(socket)) => socket.send(&self.message),
            Some(Datagrams::Unix(socket)) => socket.send(&self.message),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        if sent.is_err() {
            // A server that was restarted is another socket.
            self.socket = None;
        }
        sent.map(drop)
    }
}

fn connect(server: &ListenAddr) -> io::Result<Datagrams> {
    match server {
        ListenAddr::Tcp(addr) => {
            let local: SocketAddr = match addr {
                SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
            };
            let socket = UdpSocket::bind(local)?;
            socket.connect(addr)?;
            socket.set_write_timeout(Some(limits::SYSLOG_SEND))?;
            Ok(Datagrams::Udp(socket))
        }
        ListenAddr::Unix(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.connect(path)?;
            socket.set_write_timeout(Some(limits::SYSLOG_SEND))?;
            Ok(Datagrams::Unix(socket))
        }
    }
}
