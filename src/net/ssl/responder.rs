//! Addresses of OCSP responders.

use bstr::{BStr, BString, ByteSlice};

use crate::directive::{Args, Evaluation, Value};
use crate::syntax::Problem;

/// Where a responder is asked: `http://host[:port][/uri]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Responder {
    /// Its name or address; IPv6 addresses without brackets. Empty with a Unix socket, which nginx accepts and never asks.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Begins with `/`.
    pub uri: String,
}

/// Why an address is not one, in nginx's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponderError {
    /// It does not begin with `http://`.
    #[error("invalid URL prefix in OCSP responder \"{0}\"")]
    Prefix(BString),
    /// The reason, and the address without its beginning.
    #[error("{0} in OCSP responder \"{1}\"")]
    Address(&'static str, BString),
}

/// Default port.
const PORT: u16 = 80;

impl Responder {
    /// Parses an address.
    ///
    /// # Errors
    ///
    /// It is not one of HTTP.
    pub fn parse(text: &BStr) -> Result<Responder, ResponderError> {
        const PREFIX: &[u8] = b"http://";
        let rest = match text.split_at_checked(PREFIX.len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.is_empty() => rest,
            _ => return Err(ResponderError::Prefix(text.to_owned())),
        };
        let wrong = |why: &'static str| ResponderError::Address(why, rest.into());
        if rest.starts_with(b"unix:") {
            return Ok(Responder { host: String::new(), port: 0, uri: "/".into() });
        }
        let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
        let (authority, uri) = rest.split_at(end);
        let (host, port) = match authority.strip_prefix(b"[") {
            Some(inner) => {
                let (host, after) = inner.split_once_str("]").ok_or_else(|| wrong("invalid host"))?;
                let is_address = host.to_str().is_ok_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
                if !is_address {
                    return Err(wrong("invalid IPv6 address"));
                }
                (host, after.strip_prefix(b":").or(after.is_empty().then_some(b"80")))
            }
            None => match authority.split_once_str(":") {
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some(&b"80"[..])),
            },
        };
        if host.is_empty() {
            return Err(wrong("no host"));
        }
        let port = port.and_then(|port| match port {
            b"80" => Some(PORT),
            _ => port.to_str().ok()?.parse().ok().filter(|port| *port != 0),
        });
        // What would break the request line or its Host header is nothing that a responder has.
        let text = |bytes: &[u8]| {
            let text = bytes.to_str().ok()?;
            text.bytes().all(|byte| byte.is_ascii_graphic()).then(|| text.to_owned())
        };
        let host = text(host).ok_or_else(|| wrong("invalid host"))?;
        let port = port.ok_or_else(|| wrong("invalid port"))?;
        let uri = text(uri).ok_or_else(|| wrong("invalid URI"))?;
        let uri = if uri.starts_with('/') { uri } else { format!("/{uri}") };
        Ok(Responder { host, port, uri })
    }

    /// Target of a request.
    pub fn target(&self, request: &[u8]) -> String {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        let text = STANDARD.encode(request).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let slash = if self.uri.ends_with('/') { "" } else { "/" };
        format!("{}{slash}{text}", self.uri)
    }
}

/// The value of `ssl_ocsp_responder`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspResponder(pub Responder);

impl Value for OcspResponder {
    fn syntax() -> String {
        "url".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<OcspResponder, Problem> {
        let word = args.first();
        Responder::parse(BStr::new(&word.bytes))
            .map(OcspResponder)
            .map_err(|error| Problem::new(format!("{error} in \"ssl_ocsp_responder\"")).at(word.span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_nginx_reads_them() {
        let read = |text: &str| Responder::parse(text.into());
        let of =
            |host: &str, port: u16, uri: &str| Ok(Responder { host: host.into(), port, uri: uri.into() });
        assert_eq!(read("http://a.test"), of("a.test", 80, "/"));
        assert_eq!(read("HTTP://a.test:81/ocsp"), of("a.test", 81, "/ocsp"));
        assert_eq!(read("http://[::1]:81/"), of("::1", 81, "/"));
        assert_eq!(read("http://a.test?x"), of("a.test", 80, "/?x"));
        assert_eq!(read("http://unix:/a").unwrap().host, "");
        for (bad, why) in [
            ("https://a.test", "invalid URL prefix in OCSP responder \"https://a.test\""),
            ("http://", "invalid URL prefix in OCSP responder \"http://\""),
            ("http:///x", "no host in OCSP responder \"/x\""),
            ("http://a.test:x", "invalid port in OCSP responder \"a.test:x\""),
            ("http://a.test:0", "invalid port in OCSP responder \"a.test:0\""),
            ("http://a.test/\r\nX: y", "invalid URI in OCSP responder \"a.test/\r\nX: y\""),
        ] {
            assert_eq!(read(bad).unwrap_err().to_string(), why);
        }
        assert_eq!(read("http://a/b").unwrap().target(&[0xFB, 0xEF, 0xFF]), "/b/%2B%2B%2F%2F");
    }
}
