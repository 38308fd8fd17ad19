//! Address of a notification.

use bstr::{BString, ByteSlice};

use crate::directive::number;

/// The scheme of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

/// An `http://` or `https://` address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// The scheme.
    pub scheme: Scheme,
    /// Host name or address; an IPv6 address keeps its brackets.
    pub host: BString,
    /// The port; the scheme's default if none was given.
    pub port: u16,
    /// Request target: begins with `/` and may include a query.
    pub path_and_query: BString,
}

/// Reason why a word is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// It has no known scheme.
    Scheme,
    /// Host or port is missing or malformed.
    Format,
}

impl Scheme {
    /// Name before `://`.
    pub const fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// Default port.
    pub const fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

impl Url {
    /// `scheme://host:port`, without the port if it is the default.
    pub fn server(&self) -> String {
        let (scheme, host) = (self.scheme.name(), &self.host);
        match self.port {
            port if port == self.scheme.default_port() => format!("{scheme}://{host}"),
            port => format!("{scheme}://{host}:{port}"),
        }
    }

    /// Parses an address. The flag is true if the port was out of range: as in PingOS, such a port is accepted and
    /// truncated to 16 bits.
    ///
    /// # Errors
    ///
    /// The scheme is unknown, or host or port is missing or malformed.
    pub fn parse(text: &[u8]) -> Result<(Url, bool), UrlError> {
        let (scheme, rest) = if let Some(rest) = strip(text, b"http://") {
            (Scheme::Http, rest)
        } else if let Some(rest) = strip(text, b"https://") {
            (Scheme::Https, rest)
        } else {
            return Err(UrlError::Scheme);
        };
        let (authority, target) = rest.split_at(rest.find_byteset("/?").unwrap_or(rest.len()));
        let host_end = match authority.first() {
            Some(b'[') => authority.find_byte(b']').map(|at| at + 1).ok_or(UrlError::Format)?,
            _ => authority.find_byte(b':').unwrap_or(authority.len()),
        };
        let (host, port) = authority.split_at(host_end);
        if host.is_empty() {
            return Err(UrlError::Format);
        }
        let (port, cut) = match port {
            [] => (scheme.default_port(), false),
            [b':', digits @ ..] => {
                let port = number::digits(digits).ok_or(UrlError::Format)?;
                let [low, high, ..] = port.to_le_bytes();
                (u16::from_le_bytes([low, high]), port > u64::from(u16::MAX))
            }
            _ => return Err(UrlError::Format),
        };
        let path_and_query = match target.first() {
            Some(b'/') => target.into(),
            _ => [b"/", target].concat().into(),
        };
        Ok((Url { scheme, host: host.into(), port, path_and_query }, cut))
    }
}

fn strip<'t>(text: &'t [u8], scheme: &[u8]) -> Option<&'t [u8]> {
    let (head, rest) = text.split_at_checked(scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Result<(String, u16, String), UrlError> {
        let (url, _) = Url::parse(text.as_bytes())?;
        Ok((url.host.to_string(), url.port, url.path_and_query.to_string()))
    }

    #[test]
    fn addresses_are_taken_apart() {
        let want = |host: &str, port, target: &str| Ok((host.to_owned(), port, target.to_owned()));
        assert_eq!(parts("http://a/b?x=1"), want("a", 80, "/b?x=1"));
        assert_eq!(parts("http://127.0.0.1:6080"), want("127.0.0.1", 6080, "/"));
        assert_eq!(parts("https://a?x"), want("a", 443, "/?x"));
        assert_eq!(parts("http://[::1]:8080/n"), want("[::1]", 8080, "/n"));
        assert_eq!(parts("http://"), Err(UrlError::Format));
        assert_eq!(parts("http://a:/b"), Err(UrlError::Format));
        assert_eq!(parts("foo"), Err(UrlError::Scheme));
        assert!(Url::parse(b"http://a:99999/").unwrap().1);
    }
}
