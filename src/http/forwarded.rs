//! Addresses that proxies report in headers such as `X-Forwarded-For`, read as nginx reads them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::directive::{Network, number};

/// The address that a chain of proxies reports; `None` keeps the peer's. The port is zero where none is written.
///
/// `peer` is the address of the connection, `None` for a Unix socket; `values` are the header's values in their order.
/// The last address of the last value is taken if the peer is in `trusted`; with `recursive` the search continues to
/// the left as long as the address found is trusted itself.
pub fn forwarded(
    peer: Option<IpAddr>,
    values: &[&[u8]],
    trusted: &[Network],
    recursive: bool,
) -> Option<SocketAddr> {
    let mut found = None;
    for value in values.iter().rev() {
        let mut rest = Some(*value);
        while let Some(text) = rest {
            let current = found.map_or(peer, |address: SocketAddr| Some(address.ip()));
            if !trusted.iter().any(|network| network.contains(current)) {
                return found;
            }
            let (before, last) = last_word(text);
            let Some(address) = address_and_port(last) else { return found };
            found = Some(address);
            if !recursive {
                return found;
            }
            rest = before;
        }
    }
    found
}

/// The last word of a list, and the text before its separator. As in nginx, a separator at the very beginning belongs
/// to the first word, which is then no address.
fn last_word(list: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let is_separator = |byte: &u8| matches!(byte, b' ' | b',');
    // The first byte is never taken off.
    let end = list.iter().rposition(|byte| !is_separator(byte)).map_or(list.len().min(1), |at| at + 1);
    match list[..end].iter().rposition(is_separator) {
        Some(0) | None => (None, &list[..end]),
        Some(at) => (Some(&list[..at]), &list[at + 1..end]),
    }
}

/// Parses an address with an optional port: `A.B.C.D`, `A.B.C.D:PORT`, an IPv6 address, or `[IPv6]:PORT`.
pub fn address_and_port(text: &[u8]) -> Option<SocketAddr> {
    if let Some(ip) = address(text) {
        return Some((ip, 0).into());
    }
    let (host, port) = match text {
        [b'[', rest @ ..] => {
            let close = rest.iter().position(|byte| *byte == b']')?;
            (&rest[..close], rest[close + 1..].strip_prefix(b":")?)
        }
        _ => {
            let colon = text.iter().position(|byte| *byte == b':')?;
            (&text[..colon], &text[colon + 1..])
        }
    };
    let port = number::digits(port).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0)?;
    address(host).map(|ip| (ip, port).into())
}

/// Parses an address without a port.
pub fn address(text: &[u8]) -> Option<IpAddr> {
    if let Some(ip) = ipv4(text) {
        return Some(ip.into());
    }
    std::str::from_utf8(text).ok()?.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

/// Parses an IPv4 address by nginx's rules: leading zeros are ignored, an empty part is zero, and the broadcast address,
/// which stands for an error there, is none.
pub fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let (mut address, mut octet, mut dots) = (0_u32, 0_u32, 0);
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                octet = octet * 10 + u32::from(byte - b'0');
                if octet > 255 {
                    return None;
                }
            }
            b'.' if dots < 3 => {
                address = address << 8 | octet;
                (octet, dots) = (0, dots + 1);
            }
            _ => return None,
        }
    }
    let address = address << 8 | octet;
    (dots == 3 && address != u32::MAX).then(|| address.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(peer: &str, values: &[&str], trusted: &[&str], recursive: bool) -> Option<String> {
        let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        let trusted: Vec<Network> =
            trusted.iter().map(|network| Network::parse(network.as_bytes()).unwrap().0).collect();
        forwarded(peer.parse().ok(), &values, &trusted, recursive).map(|address| address.to_string())
    }

    #[test]
    fn only_a_trusted_peer_reports_addresses() {
        let at = |peer, value| found(peer, &[value], &["10.0.0.0/8"], false);
        assert_eq!(at("10.1.1.1", "1.2.3.4").as_deref(), Some("1.2.3.4:0"));
        assert_eq!(at("11.1.1.1", "1.2.3.4"), None);
        assert_eq!(at("10.1.1.1", "1.2.3.4, 5.6.7.8").as_deref(), Some("5.6.7.8:0"));
        assert_eq!(at("10.1.1.1", "1.2.3.4, 5.6.7.8 , ").as_deref(), Some("5.6.7.8:0"));
        assert_eq!(at("10.1.1.1", "1.2.3.4:80").as_deref(), Some("1.2.3.4:80"));
        assert_eq!(at("10.1.1.1", "[::1]:80").as_deref(), Some("[::1]:80"));
        assert_eq!(at("10.1.1.1", "2001:db8::1").as_deref(), Some("[2001:db8::1]:0"));
        for wrong in
            ["", " ", ",", "x", "1.2.3", "1.2.3.4:0", "[::1]", " 1.2.3.4", "255.255.255.255", "1.2.3.4:x"]
        {
            assert_eq!(at("10.1.1.1", wrong), None, "{wrong}");
        }
        assert_eq!(found("", &["1.2.3.4"], &["all"], false).as_deref(), Some("1.2.3.4:0"));
    }

    #[test]
    fn recursion_stops_at_the_first_untrusted_address() {
        let at = |values: &[&str]| found("10.1.1.1", values, &["10.0.0.0/8"], true);
        assert_eq!(at(&["1.1.1.1, 2.2.2.2, 10.0.0.1"]).as_deref(), Some("2.2.2.2:0"));
        assert_eq!(at(&["10.0.0.2,10.0.0.1"]).as_deref(), Some("10.0.0.2:0"));
        assert_eq!(at(&["x, 10.0.0.1"]).as_deref(), Some("10.0.0.1:0"));
        assert_eq!(at(&["1.1.1.1", "10.0.0.3, 10.0.0.1"]).as_deref(), Some("1.1.1.1:0"));
        assert_eq!(at(&["1.1.1.1", "x", "10.0.0.1"]).as_deref(), Some("10.0.0.1:0"));
        let once = found("10.1.1.1", &["1.1.1.1", "10.0.0.1"], &["10.0.0.0/8"], false);
        assert_eq!(once.as_deref(), Some("10.0.0.1:0"));
    }

    #[test]
    fn ipv4_addresses_are_read_as_nginx_does() {
        assert_eq!(ipv4(b"010.1..3"), Some(Ipv4Addr::new(10, 1, 0, 3)));
        for wrong in ["255.255.255.255", "1.2.3.256", "1.2.3", "1.2.3.4.5", "", "a.b.c.d"] {
            assert_eq!(ipv4(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
