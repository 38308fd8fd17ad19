//! Relay addresses: the `Location` of a callback's answer, or an address of a `push` or `pull` line.

use std::fmt;

use bstr::{BStr, BString, ByteSlice};

use crate::directive::number;
use crate::limits;

/// Protocol of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayProtocol {
    /// RTMP.
    Rtmp,
    /// HTTP-FLV, for pulls only.
    HttpFlv,
}

/// `rtmp[s]://host[:port][/app[/name]][?args]` or `http[s]://host[:port][/location[/...][/name]][?args]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayAddress {
    /// Protocol.
    pub protocol: RelayProtocol,
    /// Whether TLS is used.
    pub is_tls: bool,
    /// Host name or address; an IPv6 address keeps its brackets.
    pub host: BString,
    /// Port; the default of the scheme if none was given.
    pub port: u16,
    /// Path with its leading slash, without query; may be empty.
    pub path: BString,
    /// Text after the first `?`; may be empty.
    pub query: BString,
}

/// Reason why an address cannot be used. The text is for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayAddressError {
    /// Longer than [`limits::RELAY_ADDRESS_BYTES`].
    TooLong(usize),
    /// Neither `rtmp://` nor `http://`, nor one of these over TLS.
    Scheme,
    /// User name and password before the host, which would be ignored.
    Userinfo,
    /// Missing or malformed host.
    Host,
    /// Not between 1 and 65535.
    Port(BString),
    /// A control byte or a space.
    Byte(u8),
}

impl fmt::Display for RelayAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RelayAddressError::TooLong(length) => write!(f, "it is {length} bytes long"),
            RelayAddressError::Scheme => {
                f.write_str("it is neither rtmp:// nor http://, nor rtmps:// or https://")
            }
            RelayAddressError::Userinfo => f.write_str("it has a user before the host"),
            RelayAddressError::Host => f.write_str("it has no valid host"),
            RelayAddressError::Port(port) => write!(f, "\"{port}\" is no port"),
            RelayAddressError::Byte(byte) => write!(f, "it holds the byte 0x{byte:02x}"),
        }
    }
}

impl RelayAddress {
    /// Parses an address.
    ///
    /// # Errors
    ///
    /// The reason.
    pub fn parse(text: &[u8]) -> Result<RelayAddress, RelayAddressError> {
        if text.len() > limits::RELAY_ADDRESS_BYTES {
            return Err(RelayAddressError::TooLong(text.len()));
        }
        if let Some(&byte) = text.iter().find(|b| **b <= b' ' || **b == 0x7F) {
            return Err(RelayAddressError::Byte(byte));
        }
        let (scheme, rest) = text.split_once_str("://").ok_or(RelayAddressError::Scheme)?;
        let (protocol, is_tls) = match scheme.to_ascii_lowercase().as_slice() {
            b"rtmp" => (RelayProtocol::Rtmp, false),
            b"rtmps" => (RelayProtocol::Rtmp, true),
            b"http" => (RelayProtocol::HttpFlv, false),
            b"https" => (RelayProtocol::HttpFlv, true),
            _ => return Err(RelayAddressError::Scheme),
        };
        let (authority, target) = rest.split_at(rest.find_byteset("/?").unwrap_or(rest.len()));
        if authority.contains(&b'@') {
            return Err(RelayAddressError::Userinfo);
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            None => default_port(protocol, is_tls),
            Some(digits) => number::digits(digits)
                .and_then(|port| u16::try_from(port).ok())
                .filter(|port| *port > 0)
                .ok_or_else(|| RelayAddressError::Port(shortened(digits)))?,
        };
        let (path, query) = target.split_once_str("?").unwrap_or((target, b""));
        Ok(RelayAddress { protocol, is_tls, host: host.into(), port, path: path.into(), query: query.into() })
    }

    /// The scheme before `://`.
    pub fn scheme(&self) -> &'static str {
        match (self.protocol, self.is_tls) {
            (RelayProtocol::Rtmp, false) => "rtmp",
            (RelayProtocol::Rtmp, true) => "rtmps",
            (RelayProtocol::HttpFlv, false) => "http",
            (RelayProtocol::HttpFlv, true) => "https",
        }
    }

    /// Whether the port is the default of the scheme.
    pub fn has_default_port(&self) -> bool {
        self.port == default_port(self.protocol, self.is_tls)
    }

    /// First path element, which is the application of an RTMP address, if any.
    pub fn first(&self) -> Option<&BStr> {
        let path = self.path.strip_prefix(b"/")?;
        let first = path.find_byte(b'/').map_or(path, |slash| &path[..slash]);
        (!first.is_empty()).then(|| first.as_bstr())
    }

    /// Path after the first element, which is the stream name of an RTMP address and may contain slashes.
    pub fn rest(&self) -> Option<&BStr> {
        let path = self.path.strip_prefix(b"/")?;
        let (_, rest) = path.split_once_str("/")?;
        (!rest.is_empty()).then(|| rest.as_bstr())
    }

    /// Host for name resolution: an IPv6 address without brackets.
    pub fn lookup_host(&self) -> &BStr {
        let host: &[u8] = &self.host;
        let bare = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]"));
        bare.unwrap_or(host).as_bstr()
    }
}

fn default_port(protocol: RelayProtocol, is_tls: bool) -> u16 {
    match (protocol, is_tls) {
        (RelayProtocol::Rtmp, false) => 1935,
        (RelayProtocol::HttpFlv, false) => 80,
        (_, true) => 443,
    }
}

fn split_port(authority: &[u8]) -> Result<(&[u8], Option<&[u8]>), RelayAddressError> {
    let end = match authority.first() {
        Some(b'[') => authority.find_byte(b']').map(|at| at + 1).ok_or(RelayAddressError::Host)?,
        _ => authority.find_byte(b':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(end);
    let valid = match host {
        [b'[', inside @ .., b']'] => {
            std::str::from_utf8(inside).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
        }
        _ => !host.is_empty() && !host.contains(&b'%'),
    };
    match port {
        _ if !valid => Err(RelayAddressError::Host),
        [] => Ok((host, None)),
        [b':', port @ ..] => Ok((host, Some(port))),
        _ => Err(RelayAddressError::Host),
    }
}

/// Shortens a peer's text for a log line.
fn shortened(text: &[u8]) -> BString {
    text[..text.len().min(16)].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Result<(String, u16, String, String), RelayAddressError> {
        let a = RelayAddress::parse(text.as_bytes())?;
        Ok((a.host.to_string(), a.port, a.path.to_string(), a.query.to_string()))
    }

    fn want(
        host: &str,
        port: u16,
        path: &str,
        query: &str,
    ) -> Result<(String, u16, String, String), RelayAddressError> {
        Ok((host.into(), port, path.into(), query.into()))
    }

    #[test]
    fn addresses_are_taken_apart() {
        assert_eq!(parts("rtmp://h/live/s?a=1?b"), want("h", 1935, "/live/s", "a=1?b"));
        assert_eq!(parts("RTMP://h:1936"), want("h", 1936, "", ""));
        assert_eq!(parts("http://h?x"), want("h", 80, "", "x"));
        assert_eq!(parts("http://[::1]:8080/flv/s"), want("[::1]", 8080, "/flv/s", ""));
        assert_eq!(parts("rtmp://h/live/a%0d%0ab"), want("h", 1935, "/live/a%0d%0ab", ""));
    }

    #[test]
    fn tls_is_said_by_the_scheme() {
        for (text, scheme, port) in [
            ("rtmps://h/live", "rtmps", 443),
            ("RTMPS://h:1936/live", "rtmps", 1936),
            ("https://h/flv/s", "https", 443),
        ] {
            let address = RelayAddress::parse(text.as_bytes()).unwrap();
            assert_eq!((address.scheme(), address.port), (scheme, port));
            assert_eq!(address.has_default_port(), port == 443);
        }
    }

    #[test]
    fn path_elements_are_application_and_name() {
        let names = |text: &str| {
            let a = RelayAddress::parse(text.as_bytes()).unwrap();
            (a.first().map(ToString::to_string), a.rest().map(ToString::to_string))
        };
        assert_eq!(names("rtmp://h/live/a/b"), (Some("live".into()), Some("a/b".into())));
        assert_eq!(names("rtmp://h/live/"), (Some("live".into()), None));
        assert_eq!(names("rtmp://h/live"), (Some("live".into()), None));
        assert_eq!(names("rtmp://h/"), (None, None));
        assert_eq!(names("rtmp://h"), (None, None));
        assert_eq!(names("rtmp://h//s"), (None, Some("s".into())));
    }

    #[test]
    fn an_ipv6_address_is_looked_up_without_brackets() {
        let address = RelayAddress::parse(b"rtmp://[2001:db8::1]/live").unwrap();
        assert_eq!(address.lookup_host(), "2001:db8::1");
        assert_eq!(address.host, "[2001:db8::1]");
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let reason = |text: &[u8]| RelayAddress::parse(text).unwrap_err();
        assert_eq!(reason(b""), RelayAddressError::Scheme);
        assert_eq!(reason(b"rtsp://h/live"), RelayAddressError::Scheme);
        assert_eq!(reason(b"/live/s"), RelayAddressError::Scheme);
        assert_eq!(reason(b"rtmp://user:pw@h/live"), RelayAddressError::Userinfo);
        assert_eq!(reason(b"rtmp:///live"), RelayAddressError::Host);
        assert_eq!(reason(b"rtmp://[::1/live"), RelayAddressError::Host);
        assert_eq!(reason(b"rtmp://[live]/x"), RelayAddressError::Host);
        assert_eq!(reason(b"rtmp://h:0/live"), RelayAddressError::Port("0".into()));
        assert_eq!(reason(b"rtmp://h:99999/live"), RelayAddressError::Port("99999".into()));
        assert_eq!(reason(b"rtmp://h:/live"), RelayAddressError::Port("".into()));
        assert_eq!(reason(b"rtmp://h/a b"), RelayAddressError::Byte(b' '));
        assert_eq!(reason(b"rtmp://h/a\r\nb"), RelayAddressError::Byte(b'\r'));
        let long = [b"rtmp://h/".as_slice(), &vec![b'a'; 64 * 1024]].concat();
        assert!(matches!(reason(&long), RelayAddressError::TooLong(_)));
    }
}
