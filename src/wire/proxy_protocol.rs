//! The PROXY protocol, versions 1 and 2: a header with the client's address that a load balancer sends first.
//!
//! A header is taken and refused as nginx does: addresses of version 1 are not validated, and a header without
//! addresses (`UNKNOWN`, `LOCAL`, datagrams, Unix sockets) is skipped. Unlike nginx, which requires the whole header in
//! the first packet, the header may arrive in pieces.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::limits;

/// First bytes of version 1.
const V1: &[u8] = b"PROXY ";
/// First bytes of version 2.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Length of the fixed part of version 2.
const V2_FIXED: usize = 16;
/// Type of the TLV with the properties of the TLS connection.
const TLV_SSL: u8 = 0x20;
/// Length of the fixed part of that TLV: client flags, result of the verification.
const SSL_FIXED: usize = 5;

/// Addresses that a header declares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Address of the client. In version 1 the text received: hexadecimal digits, dots and colons.
    pub source: String,
    /// Port of the client.
    pub source_port: u16,
    /// Address to which the client connected, as `source`.
    pub destination: String,
    /// Port to which the client connected.
    pub destination_port: u16,
    /// Additional data (TLVs) of version 2.
    tlvs: Box<[u8]>,
}

/// What the bytes received so far are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The beginning of a header.
    Incomplete,
    /// A whole header.
    Complete {
        /// Its length in bytes.
        length: usize,
        /// The declared addresses, if any.
        header: Option<Box<ProxyHeader>>,
    },
}

/// Reason why a header is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// It violates the protocol.
    Broken,
    /// Neither version 1 nor 2.
    Version(u8),
    /// Version 2, longer than [`limits::PROXY_HEADER_V2`].
    TooLarge,
}

/// Parses the first bytes of a connection, of which all or none may belong to the header.
///
/// # Errors
///
/// The bytes are not the beginning of a header.
pub fn parse(bytes: &[u8]) -> Result<Parsed, HeaderError> {
    if begins(bytes, V2) { v2(bytes) } else { v1(bytes) }
}

/// Whether bytes received begin like `expected`, as far as they go.
fn begins(bytes: &[u8], expected: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().zip(expected).all(|(byte, expected)| byte == expected)
}

/// Unread text of version 1. Reading beyond its end is not an error, but unknown so far.
struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Why reading stopped.
enum Stop {
    End,
    Broken,
}

impl<'a> Text<'a> {
    fn next(&mut self) -> Result<u8, Stop> {
        let byte = *self.bytes.get(self.at).ok_or(Stop::End)?;
        self.at += 1;
        Ok(byte)
    }

    fn expect(&mut self, expected: &[u8]) -> Result<(), Stop> {
        for wanted in expected {
            if self.next()? != *wanted {
                return Err(Stop::Broken);
            }
        }
        Ok(())
    }

    /// Reads up to `end`, which is skipped.
    fn until(&mut self, end: u8, allowed: fn(u8) -> bool) -> Result<&'a [u8], Stop> {
        let start = self.at;
        loop {
            match self.next()? {
                byte if byte == end => return Ok(&self.bytes[start..self.at - 1]),
                byte if allowed(byte) => {}
                _ => return Err(Stop::Broken),
            }
        }
    }

    fn address(&mut self) -> Result<String, Stop> {
        let text = self.until(b' ', |byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))?;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn port(&mut self, end: u8) -> Result<u16, Stop> {
        let digits = self.until(end, |byte| byte.is_ascii_digit())?;
        let port = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        port.ok_or(Stop::Broken)
    }

    fn header(&mut self) -> Result<Option<Box<ProxyHeader>>, Stop> {
        self.expect(V1)?;
        if self.next()? == b'U' {
            self.expect(b"NKNOWN")?;
            self.skip_line()?;
            return Ok(None);
        }
        self.at -= 1;
        self.expect(b"TCP")?;
        if !matches!(self.next()?, b'4' | b'6') {
            return Err(Stop::Broken);
        }
        self.expect(b" ")?;
        let (source, destination) = (self.address()?, self.address()?);
        let (source_port, destination_port) = (self.port(b' ')?, self.port(b'\r')?);
        self.expect(b"\n")?;
        let tlvs = Box::default();
        Ok(Some(Box::new(ProxyHeader { source, source_port, destination, destination_port, tlvs })))
    }

    fn skip_line(&mut self) -> Result<(), Stop> {
        let mut before = 0;
        loop {
            match self.next()? {
                b'\n' if before == b'\r' => return Ok(()),
                byte => before = byte,
            }
        }
    }
}

fn v1(bytes: &[u8]) -> Result<Parsed, HeaderError> {
    let mut text = Text { bytes: &bytes[..bytes.len().min(limits::PROXY_HEADER_V1)], at: 0 };
    match text.header() {
        Ok(header) => Ok(Parsed::Complete { length: text.at, header }),
        Err(Stop::End) if bytes.len() < limits::PROXY_HEADER_V1 => Ok(Parsed::Incomplete),
        Err(Stop::End | Stop::Broken) => Err(HeaderError::Broken),
    }
}

fn v2(bytes: &[u8]) -> Result<Parsed, HeaderError> {
    let Some((fixed, _)) = bytes.split_first_chunk::<V2_FIXED>() else { return Ok(Parsed::Incomplete) };
    let [.., command, family, high, low] = *fixed;
    if command >> 4 != 2 {
        return Err(HeaderError::Version(command >> 4));
    }
    let length = V2_FIXED + usize::from(u16::from_be_bytes([high, low]));
    if length > limits::PROXY_HEADER_V2 {
        return Err(HeaderError::TooLarge);
    }
    let Some(body) = bytes.get(V2_FIXED..length) else { return Ok(Parsed::Incomplete) };
    // Only the command PROXY and streams have addresses.
    let header = match (command & 0xF, family) {
        (1, 0x11) => Some(addresses::<4>(body)?),
        (1, 0x21) => Some(addresses::<16>(body)?),
        _ => None,
    };
    Ok(Parsed::Complete { length, header })
}

/// Two addresses of `N` bytes, two ports, and TLVs.
fn addresses<const N: usize>(body: &[u8]) -> Result<Box<ProxyHeader>, HeaderError>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = body.split_first_chunk::<N>().ok_or(HeaderError::Broken)?;
    let (destination, rest) = rest.split_first_chunk::<N>().ok_or(HeaderError::Broken)?;
    let (source_port, rest) = rest.split_first_chunk::<2>().ok_or(HeaderError::Broken)?;
    let (destination_port, tlvs) = rest.split_first_chunk::<2>().ok_or(HeaderError::Broken)?;
    Ok(Box::new(ProxyHeader {
        source: IpAddr::from(*source).to_string(),
        source_port: u16::from_be_bytes(*source_port),
        destination: IpAddr::from(*destination).to_string(),
        destination_port: u16::from_be_bytes(*destination_port),
        tlvs: tlvs.into(),
    }))
}

impl ProxyHeader {
    /// Header with a client's address, and the address to which the client connected.
    pub fn new(source: (IpAddr, u16), destination: (IpAddr, u16)) -> ProxyHeader {
        ProxyHeader {
            source: source.0.to_string(),
            source_port: source.1,
            destination: destination.0.to_string(),
            destination_port: destination.1,
            tlvs: Box::default(),
        }
    }

    /// The client's address, if the text is an address. An IPv4-mapped IPv6 address is IPv4.
    pub fn source_ip(&self) -> Option<IpAddr> {
        let v4 = || self.source.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
        v4().or_else(|| Some(self.source.parse::<Ipv6Addr>().ok()?.to_canonical()))
    }

    /// Value of `$proxy_protocol_tlv_NAME`: `alpn`, `authority`, `unique_id`, `ssl`, `netns`, a type as `0xHH`, and below
    /// `ssl_` the names `verify` (decimal), `version`, `cn`, `cipher`, `sig_alg`, `key_alg` or `0xHH`.
    ///
    /// `None` if the name or the value does not exist, or if the TLVs are malformed.
    pub fn tlv(&self, name: &[u8]) -> Option<Cow<'_, [u8]>> {
        let Some(of_ssl) = name.strip_prefix(b"ssl_") else {
            let wanted = match name {
                b"alpn" => 0x01,
                b"authority" => 0x02,
                b"unique_id" => 0x05,
                b"ssl" => TLV_SSL,
                b"netns" => 0x30,
                other => hex(other)?,
            };
            return tlv(&self.tlvs, wanted).map(Cow::Borrowed);
        };
        let (fixed, nested) = tlv(&self.tlvs, TLV_SSL)?.split_first_chunk::<SSL_FIXED>()?;
        let wanted = match of_ssl {
            b"verify" => {
                let [_, verify @ ..] = *fixed;
                return Some(Cow::Owned(u32::from_be_bytes(verify).to_string().into_bytes()));
            }
            b"version" => 0x21,
            b"cn" => 0x22,
            b"cipher" => 0x23,
            b"sig_alg" => 0x24,
            b"key_alg" => 0x25,
            other => hex(other)?,
        };
        tlv(nested, wanted).map(Cow::Borrowed)
    }
}

/// A type as `0xHH`; as in nginx, with any number of zeros before it.
fn hex(name: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(name.strip_prefix(b"0x")?).ok()?;
    let is_number = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_number.then(|| u8::from_str_radix(digits, 16).ok())?
}

/// First value of a type.
fn tlv(mut tlvs: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        let ([kind, high, low], rest) = tlvs.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        if *kind == wanted {
            return Some(value);
        }
        tlvs = rest;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const V4_BODY: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 2, 0x16, 0x2E, 1, 0xBB];

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap();
        [V2, &[command, family], &length.to_be_bytes(), body].concat()
    }

    fn header(bytes: &[u8]) -> Option<ProxyHeader> {
        match parse(bytes) {
            Ok(Parsed::Complete { length, header }) => {
                assert_eq!(length, bytes.len());
                header.map(|header| *header)
            }
            other => panic!("{other:?}: {}", bytes.escape_ascii()),
        }
    }

    fn shown(bytes: &[u8]) -> String {
        let header = header(bytes).unwrap();
        let ProxyHeader { source, source_port, destination, destination_port, .. } = header;
        format!("{source} {source_port} {destination} {destination_port}")
    }

    #[test]
    fn addresses_are_read_in_both_versions() {
        let both = "192.0.2.1 5678 198.51.100.2 443";
        assert_eq!(shown(b"PROXY TCP4 192.0.2.1 198.51.100.2 5678 443\r\n"), both);
        assert_eq!(shown(&v2(0x21, 0x11, V4_BODY)), both);
        assert_eq!(
            shown(b"PROXY TCP6 2001:db8::1 2001:DB8::2 5678 443\r\n"),
            "2001:db8::1 5678 2001:DB8::2 443"
        );
        let mut body = [0; 36];
        (body[0], body[1], body[15], body[31], body[33], body[35]) = (0x20, 1, 1, 2, 7, 9);
        assert_eq!(shown(&v2(0x21, 0x21, &body)), "2001::1 7 ::2 9");
    }

    #[test]
    fn addresses_of_version_1_are_texts_as_in_nginx() {
        assert_eq!(shown(b"PROXY TCP4 1.2.3.4.5.6 abc 0 0065535\r\n"), "1.2.3.4.5.6 0 abc 65535");
        assert_eq!(shown(b"PROXY TCP4   5678 443\r\n"), " 5678  443");
        let of = |text: &str| ProxyHeader { source: text.into(), ..ProxyHeader::default() }.source_ip();
        assert_eq!(of("1.2.3.4.5.6"), None);
        assert_eq!(of("::ffff:192.0.2.1"), Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))));
    }

    #[test]
    fn headers_without_addresses_are_skipped() {
        for header_bytes in
            [&b"PROXY UNKNOWN\r\n"[..], b"PROXY UNKNOWN ffff::1 \r ::1 1 2\r\n", b"PROXY UNKNOWNs\r\n"]
        {
            assert_eq!(header(header_bytes), None);
        }
        // LOCAL, an unknown command, datagrams, Unix sockets, an unknown family.
        for (command, family, body) in [
            (0x20, 0x00, &[][..]),
            (0x20, 0x11, V4_BODY),
            (0x25, 0x11, V4_BODY),
            (0x21, 0x12, V4_BODY),
            (0x21, 0x31, &[b'a'; 216]),
            (0x21, 0x00, &[1, 2, 3]),
            (0x21, 0x41, V4_BODY),
        ] {
            assert_eq!(header(&v2(command, family, body)), None);
        }
    }

    #[test]
    fn broken_headers_are_refused() {
        for text in [
            "G",
            "PROXX",
            "PROXY  ",
            "PROXY TCP5",
            "PROXY TCP4\t",
            "PROXY TCP4 g",
            "PROXY TCP4 1.2.3.4 1.2.3.4 -",
            "PROXY TCP4 1.2.3.4 1.2.3.4 65536 ",
            "PROXY TCP4 1.2.3.4 1.2.3.4  ",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rx",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1 \r",
            "PROXY UNKNOWM",
            "PROXY TCP4 1.2.3.4\r\n",
            "\r\n\r\nG",
            "PROXY \0",
        ] {
            assert_eq!(parse(text.as_bytes()), Err(HeaderError::Broken), "{text:?}");
        }
        assert_eq!(parse(&v2(0x31, 0x11, V4_BODY)), Err(HeaderError::Version(3)));
        assert_eq!(parse(&v2(0x21, 0x11, &V4_BODY[1..])), Err(HeaderError::Broken));
        assert_eq!(parse(&v2(0x21, 0x21, &[0; 35])), Err(HeaderError::Broken));
    }

    #[test]
    fn lengths_are_bounded() {
        let line = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16)).into_bytes();
        assert_eq!(header(&line(limits::PROXY_HEADER_V1)), None);
        assert_eq!(parse(&line(limits::PROXY_HEADER_V1 + 1)), Err(HeaderError::Broken));
        assert_eq!(parse(&line(200)[..limits::PROXY_HEADER_V1 - 1]), Ok(Parsed::Incomplete));
        assert_eq!(parse(&line(200)[..limits::PROXY_HEADER_V1]), Err(HeaderError::Broken));
        let longest = v2(0x20, 0, &vec![0; limits::PROXY_HEADER_V2 - V2_FIXED]);
        assert_eq!(header(&longest), None);
        // The declared length alone is refused.
        let longer = v2(0x20, 0, &vec![0; limits::PROXY_HEADER_V2 - V2_FIXED + 1]);
        assert_eq!(parse(&longer[..V2_FIXED]), Err(HeaderError::TooLarge));
    }

    #[test]
    fn additional_data_is_found_by_name() {
        let ssl = [&[1, 0, 0, 1, 2, 0x21, 0, 7][..], b"TLSv1.3", &[0x22, 0, 1, b'c', 0x2A, 0, 0]].concat();
        let ssl_length = u8::try_from(ssl.len()).unwrap();
        let tlvs =
            [&[0x01, 0, 2, b'h', b'2', 0xE0, 0, 1, b'x', TLV_SSL, 0, ssl_length][..], &ssl, &[0x05, 0, 9]];
        let header = header(&v2(0x21, 0x11, &[V4_BODY, &tlvs.concat()].concat())).unwrap();
        let value =
            |name: &str| header.tlv(name.as_bytes()).map(|value| String::from_utf8(value.to_vec()).unwrap());
        for (name, expected) in [
            ("alpn", Some("h2")),
            ("0x01", Some("h2")),
            ("0xe0", Some("x")),
            ("0xE1", None),
            ("0x1", Some("h2")),
            ("0x000e0", Some("x")),
            ("0x1e0", None),
            ("0x", None),
            ("0x+1", None),
            ("ssl_verify", Some("258")),
            ("ssl_version", Some("TLSv1.3")),
            ("ssl_cn", Some("c")),
            ("ssl_0x2a", Some("")),
            ("ssl_cipher", None),
            // Cut off.
            ("unique_id", None),
            ("unknown", None),
        ] {
            assert_eq!(value(name).as_deref(), expected, "{name}");
        }
    }

    fn some_header() -> impl Strategy<Value = Vec<u8>> {
        let v4 = (any::<[u8; 8]>(), any::<u16>(), any::<u16>()).prop_map(|(ips, from, to)| {
            let [a, b, c, d, rest @ ..] = ips;
            let (from_ip, to_ip) = (Ipv4Addr::new(a, b, c, d), Ipv4Addr::from(rest));
            format!("PROXY TCP4 {from_ip} {to_ip} {from} {to}\r\n").into_bytes()
        });
        let v6 = (any::<u128>(), any::<u128>(), any::<u16>(), any::<u16>()).prop_map(|(a, b, from, to)| {
            format!("PROXY TCP6 {} {} {from} {to}\r\n", Ipv6Addr::from(a), Ipv6Addr::from(b)).into_bytes()
        });
        let binary = (0u8..16, any::<u8>(), prop::collection::vec(any::<u8>(), 36..300))
            .prop_map(|(command, family, body)| v2(0x20 | command, family, &body));
        prop_oneof![v4, v6, binary]
    }

    proptest! {
        #[test]
        fn every_beginning_is_incomplete_and_what_follows_does_not_matter(
            bytes in some_header(),
            rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            for length in 0..bytes.len() {
                prop_assert_eq!(parse(&bytes[..length]), Ok(Parsed::Incomplete));
            }
            let whole = parse(&bytes);
            let is_whole = matches!(&whole, Ok(Parsed::Complete { length, .. }) if *length == bytes.len());
            prop_assert!(is_whole, "{:?}", whole);
            prop_assert_eq!(parse(&[&bytes[..], &rest].concat()), whole);
        }

        #[test]
        fn any_bytes_are_decided_within_the_bound(
            mut bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..600),
                (some_header(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut bytes, at, byte)| {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                    bytes
                }),
            ],
        ) {
            // A decision never changes when more arrives.
            let whole = parse(&bytes);
            for length in 0..bytes.len() {
                let early = parse(&bytes[..length]);
                if early != Ok(Parsed::Incomplete) {
                    prop_assert_eq!(&early, &whole);
                }
            }
            if let Ok(Parsed::Complete { header: Some(header), .. }) = whole {
                header.tlv(b"ssl_cn");
                header.source_ip();
            }
            bytes.resize(limits::PROXY_HEADER_V2, b'0');
            prop_assert_ne!(parse(&bytes), Ok(Parsed::Incomplete));
        }
    }
}
