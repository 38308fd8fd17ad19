//! Socket addresses and networks as nginx writes them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::number;
use crate::syntax::to_path;

/// The longest path of a unix socket, in bytes (`sun_path` without its final NUL).
const MAX_UNIX_PATH: usize = 107;

/// Address of a listening socket or of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddr {
    /// IP address and port.
    Tcp(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

/// Reason why a text is no address; the text is nginx's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A host name has no address, or is not resolved.
    #[error("host not found")]
    HostNotFound,
    /// The host is no host.
    #[error("invalid host")]
    InvalidHost,
    /// The port is no number from 1 to 65535.
    #[error("invalid port")]
    InvalidPort,
    /// The range ends before it begins.
    #[error("invalid port range")]
    InvalidPortRange,
    /// No IPv6 address is between the brackets.
    #[error("invalid IPv6 address")]
    InvalidV6,
    /// The path is longer than the system allows.
    #[error("too long path in the unix domain socket")]
    LongPath,
    /// Only a port follows a colon.
    #[error("no host")]
    NoHost,
    /// Nothing follows `unix:`.
    #[error("no path in the unix domain socket")]
    NoPath,
}

/// Set of peers that an access rule names: every address, Unix sockets, or an address prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Every address.
    All,
    /// Peers on Unix sockets.
    Unix,
    /// IPv4 prefix: an address and its number of significant bits.
    V4(Ipv4Addr, u8),
    /// IPv6 prefix: an address and its number of significant bits.
    V6(Ipv6Addr, u8),
}

/// Host part of an address: a literal address, or a name that must be resolved.
enum Host<'t> {
    Unix(PathBuf),
    Ip(IpAddr, RangeInclusive<u16>),
    Name(&'t str, RangeInclusive<u16>),
}

/// Parses an address to listen on.
///
/// Accepted forms: `PORT`, `HOST`, `HOST:PORT`, `*:PORT`, `[V6]`, `[V6]:PORT` and `unix:PATH`. In place of a port, a range
/// `FIRST-LAST` yields an address per port. A host name is resolved and may yield several addresses.
///
/// # Errors
///
/// The reason.
pub fn listen_addrs(text: &[u8], default_port: u16) -> Result<Vec<ListenAddr>, AddressError> {
    let (ips, ports) = match read(text, default_port)? {
        Host::Unix(path) => return Ok(vec![ListenAddr::Unix(path)]),
        Host::Ip(ip, ports) => (vec![ip], ports),
        Host::Name(name, ports) => {
            let found = (name, *ports.start()).to_socket_addrs().map_err(|_| AddressError::HostNotFound)?;
            let mut ips: Vec<IpAddr> = found.map(|addr| addr.ip()).collect();
            ips.dedup();
            if ips.is_empty() {
                return Err(AddressError::HostNotFound);
            }
            (ips, ports)
        }
    };
    Ok(ips.into_iter().flat_map(|ip| with_ports(ip, &ports)).collect())
}

/// Resolves a host name without a port.
///
/// # Errors
///
/// The host is not found.
pub fn host_addrs(name: &[u8]) -> Result<Vec<IpAddr>, AddressError> {
    let name = std::str::from_utf8(name).map_err(|_| AddressError::HostNotFound)?;
    let found = (name, 0).to_socket_addrs().map_err(|_| AddressError::HostNotFound)?;
    let mut addrs: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    addrs.dedup();
    if addrs.is_empty() { Err(AddressError::HostNotFound) } else { Ok(addrs) }
}

/// Like [`listen_addrs`], but without name resolution: a host name is an error.
///
/// # Errors
///
/// The reason.
pub fn literal_addrs(text: &[u8], default_port: u16) -> Result<Vec<ListenAddr>, AddressError> {
    match read(text, default_port)? {
        Host::Unix(path) => Ok(vec![ListenAddr::Unix(path)]),
        Host::Ip(ip, ports) => Ok(with_ports(ip, &ports).collect()),
        Host::Name(..) => Err(AddressError::HostNotFound),
    }
}

/// As [`literal_addrs`], for one address: a range of ports is an error.
///
/// # Errors
///
/// The reason.
pub fn literal_addr(text: &[u8], default_port: u16) -> Result<ListenAddr, AddressError> {
    let mut addrs = literal_addrs(text, default_port)?.into_iter();
    match (addrs.next(), addrs.next()) {
        (Some(addr), None) => Ok(addr),
        _ => Err(AddressError::InvalidPort),
    }
}

fn with_ports(ip: IpAddr, ports: &RangeInclusive<u16>) -> impl Iterator<Item = ListenAddr> + use<> {
    ports.clone().map(move |port| ListenAddr::Tcp((ip, port).into()))
}

fn read(text: &[u8], default_port: u16) -> Result<Host<'_>, AddressError> {
    if let Some(path) = strip_unix(text) {
        return unix(path).map(Host::Unix);
    }
    if text.first() == Some(&b'[') {
        return v6(text, default_port);
    }
    if text.iter().any(|b| matches!(b, b'/' | b'?')) {
        return Err(AddressError::InvalidHost);
    }
    let (host, ports) = match text.iter().position(|b| *b == b':') {
        Some(colon) => (&text[..colon], ports(&text[colon + 1..])?),
        None if is_ports(text) => (&b"*"[..], ports(text)?),
        None => (text, default_port..=default_port),
    };
    if host.is_empty() {
        return Err(AddressError::NoHost);
    }
    if host == b"*" {
        return Ok(Host::Ip(Ipv4Addr::UNSPECIFIED.into(), ports));
    }
    let host = std::str::from_utf8(host).map_err(|_| AddressError::InvalidHost)?;
    match host.parse::<Ipv4Addr>() {
        Ok(ip) => Ok(Host::Ip(ip.into(), ports)),
        Err(_) => Ok(Host::Name(host, ports)),
    }
}

/// Path of a `unix:` address.
pub fn strip_unix(text: &[u8]) -> Option<&[u8]> {
    let (scheme, path) = text.split_at_checked(5)?;
    scheme.eq_ignore_ascii_case(b"unix:").then_some(path)
}

fn unix(path: &[u8]) -> Result<PathBuf, AddressError> {
    if path.is_empty() {
        return Err(AddressError::NoPath);
    }
    if path.len() > MAX_UNIX_PATH {
        return Err(AddressError::LongPath);
    }
    Ok(to_path(path))
}

fn v6(text: &[u8], default_port: u16) -> Result<Host<'_>, AddressError> {
    let close = text.iter().position(|b| *b == b']').ok_or(AddressError::InvalidHost)?;
    let ip = std::str::from_utf8(&text[1..close]).ok().and_then(|t| t.parse::<Ipv6Addr>().ok());
    let ip = ip.ok_or(AddressError::InvalidV6)?;
    let ports = match &text[close + 1..] {
        [] => default_port..=default_port,
        [b':', rest @ ..] => ports(rest)?,
        _ => return Err(AddressError::InvalidHost),
    };
    Ok(Host::Ip(ip.into(), ports))
}

/// Whether a text without a colon is a port or a range of ports rather than a host.
fn is_ports(text: &[u8]) -> bool {
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    match text.iter().position(|b| *b == b'-') {
        Some(dash) => is_number(&text[..dash]) && is_number(&text[dash + 1..]),
        None => is_number(text),
    }
}

/// A port, or a range `FIRST-LAST`.
fn ports(text: &[u8]) -> Result<RangeInclusive<u16>, AddressError> {
    let Some(dash) = text.iter().position(|b| *b == b'-') else {
        let port = port(text)?;
        return Ok(port..=port);
    };
    let (last, first) = (port(&text[dash + 1..])?, port(&text[..dash])?);
    if first > last { Err(AddressError::InvalidPortRange) } else { Ok(first..=last) }
}

fn port(text: &[u8]) -> Result<u16, AddressError> {
    let port = number::digits(text).and_then(|n| u16::try_from(n).ok());
    port.filter(|p| *p != 0).ok_or(AddressError::InvalidPort)
}

impl ListenAddr {
    /// Whether the address is the wildcard address of its family.
    pub fn is_wildcard(&self) -> bool {
        matches!(self, ListenAddr::Tcp(addr) if addr.ip().is_unspecified())
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddr::Tcp(addr) => addr.fmt(f),
            ListenAddr::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Network {
    /// Whether the set holds only addresses of this machine: loopback addresses or Unix sockets.
    pub fn is_loopback(&self) -> bool {
        match self {
            Network::All => false,
            Network::Unix => true,
            Network::V4(addr, bits) => addr.is_loopback() && *bits >= 8,
            Network::V6(addr, bits) => addr.is_loopback() && *bits == 128,
        }
    }

    /// Parses `all`, an address or a CIDR block. The flag is true where address bits beyond the mask were set; they are
    /// ignored, as in nginx.
    pub fn parse(text: &[u8]) -> Option<(Network, bool)> {
        if text == b"all" {
            return Some((Network::All, false));
        }
        let text = std::str::from_utf8(text).ok()?;
        let (ip, bits) = match text.split_once('/') {
            Some((ip, bits)) => (ip, Some(u8::try_from(number::digits(bits.as_bytes())?).ok()?)),
            None => (text, None),
        };
        match ip.parse().ok()? {
            IpAddr::V4(ip) => {
                let bits = bits.unwrap_or(32);
                let kept = u32::from(ip) & mask32(bits)?;
                Some((Network::V4(kept.into(), bits), kept != u32::from(ip)))
            }
            IpAddr::V6(ip) => {
                let bits = bits.unwrap_or(128);
                let kept = u128::from(ip) & mask128(bits)?;
                Some((Network::V6(kept.into(), bits), kept != u128::from(ip)))
            }
        }
    }

    /// Whether the set contains the address; `None` is a peer on a Unix socket. An IPv4-mapped IPv6 address counts as
    /// IPv4.
    pub fn contains(&self, ip: Option<IpAddr>) -> bool {
        match (self, ip.map(|ip| ip.to_canonical())) {
            (Network::All, _) | (Network::Unix, None) => true,
            (Network::V4(net, bits), Some(IpAddr::V4(ip))) => {
                mask32(*bits).is_some_and(|mask| u32::from(ip) & mask == u32::from(*net))
            }
            (Network::V6(net, bits), Some(IpAddr::V6(ip))) => {
                mask128(*bits).is_some_and(|mask| u128::from(ip) & mask == u128::from(*net))
            }
            _ => false,
        }
    }
}

fn mask32(bits: u8) -> Option<u32> {
    match bits {
        0 => Some(0),
        1..=32 => Some(u32::MAX << (32 - u32::from(bits))),
        _ => None,
    }
}

fn mask128(bits: u8) -> Option<u128> {
    match bits {
        0 => Some(0),
        1..=128 => Some(u128::MAX << (128 - u32::from(bits))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Result<String, AddressError> {
        listen_addrs(text.as_bytes(), 1935).map(|a| a[0].to_string())
    }

    #[test]
    fn addresses_are_read_as_nginx_does() {
        assert_eq!(one("19350").as_deref(), Ok("0.0.0.0:19350"));
        assert_eq!(one("127.0.0.1").as_deref(), Ok("127.0.0.1:1935"));
        assert_eq!(one("*:80").as_deref(), Ok("0.0.0.0:80"));
        assert_eq!(one("[::]:80").as_deref(), Ok("[::]:80"));
        assert_eq!(one("unix:/tmp/x").as_deref(), Ok("unix:/tmp/x"));
        assert_eq!(one("99999"), Err(AddressError::InvalidPort));
        assert_eq!(one("127.0.0.1:0"), Err(AddressError::InvalidPort));
        assert_eq!(one(":80"), Err(AddressError::NoHost));
        assert_eq!(one("18082-18080"), Err(AddressError::InvalidPortRange));
        assert_eq!(one("*:1-0"), Err(AddressError::InvalidPort));
        assert_eq!(one("[::1]:1-65536"), Err(AddressError::InvalidPort));
        assert_eq!(one("[fe80::1%lo]:80"), Err(AddressError::InvalidV6));
        assert_eq!(one("unix:"), Err(AddressError::NoPath));
    }

    #[test]
    fn a_range_of_ports_yields_an_address_per_port() {
        let all = |text: &str| {
            let addrs = listen_addrs(text.as_bytes(), 1935).unwrap();
            addrs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(all("18080-18082"), "0.0.0.0:18080 0.0.0.0:18081 0.0.0.0:18082");
        assert_eq!(all("127.0.0.1:5-6"), "127.0.0.1:5 127.0.0.1:6");
        assert_eq!(all("[::1]:65535-65535"), "[::1]:65535");
    }

    #[test]
    fn a_network_holds_its_addresses() {
        let (net, low_bits) = Network::parse(b"10.1.2.3/8").unwrap();
        assert!(low_bits);
        assert!(net.contains(Some("10.9.9.9".parse().unwrap())));
        assert!(net.contains(Some("::ffff:10.9.9.9".parse().unwrap())));
        assert!(!net.contains(Some("11.0.0.1".parse().unwrap())));
        assert!(!net.contains(None));
        assert!(Network::parse(b"10.0.0.1/33").is_none());
        assert!(Network::parse(b"::1").unwrap().0.contains(Some("::1".parse().unwrap())));
    }
}
