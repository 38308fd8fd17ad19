//! Heads of requests over HTTP/2 (RFC 9113 §8.3.1).

use bstr::{BString, ByteSlice};
use http::header::{HeaderMap, HeaderName, HeaderValue, TE};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{Method, Request};

/// Fields of a connection of HTTP/1.1, which HTTP/2 does not have (RFC 9113 §8.2.2).
const OF_CONNECTIONS: [&str; 6] =
    ["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade", "http2-settings"];

/// Bytes of a path or query beside letters and digits that are sent as they are; others are escaped.
const IN_PATHS: &[u8] = b"-._~!$&'()*+,;=:@/?%[]";

/// The fields of a request. What HTTP/2 cannot carry is left out: fields of connections, and those whose names or values are none.
#[derive(Debug, Default)]
pub(super) struct Http2Fields {
    /// What HTTP/1.1 sends as `Host`.
    pub(super) host: BString,
    fields: HeaderMap,
}

impl Http2Fields {
    /// Adds a field.
    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"host") {
            self.host = value.into();
            return;
        }
        if OF_CONNECTIONS.iter().any(|own| name.eq_ignore_ascii_case(own.as_bytes())) {
            return;
        }
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) else {
            return;
        };
        if name == TE && value != "trailers" {
            return;
        }
        // The number of a request's headers is bounded far below that of the map.
        let _ = self.fields.try_append(name, value);
    }

    /// The head of a request; `None` where the host, or the method, is none.
    pub(super) fn request(&self, method: &[u8], scheme: Scheme, uri: &[u8]) -> Option<Request<()>> {
        let method = Method::from_bytes(method).ok().filter(|method| *method != Method::CONNECT)?;
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(scheme);
        parts.authority = Some(Authority::try_from(&self.host[..]).ok()?);
        parts.path_and_query = Some(path(uri, &method)?);
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from_parts(parts).ok()?;
        *request.headers_mut() = self.fields.clone();
        Some(request)
    }
}

/// The path and query of a target.
fn path(uri: &[u8], method: &Method) -> Option<PathAndQuery> {
    if *method == Method::OPTIONS && uri == b"*" {
        return PathAndQuery::try_from(uri).ok();
    }
    // Of a target with a host, that which follows the host.
    let uri = match uri.find(b"://").filter(|_| !uri.starts_with(b"/")) {
        Some(at) => uri[at + 3..].find_byteset(b"/?").map_or(&b"/"[..], |from| &uri[at + 3 + from..]),
        None => uri,
    };
    let mut out = Vec::with_capacity(uri.len() + 1);
    if !uri.starts_with(b"/") {
        out.push(b'/');
    }
    for byte in uri {
        match byte {
            byte if byte.is_ascii_alphanumeric() || IN_PATHS.contains(byte) => out.push(*byte),
            byte => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    PathAndQuery::try_from(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_connections_and_what_cannot_be_carried_are_left_out() {
        let mut fields = Http2Fields::default();
        for (name, value) in [
            ("Host", "a.b:8080"),
            ("Connection", "close"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "x"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "websocket"),
            ("HTTP2-Settings", "AA"),
            ("TE", "gzip"),
            ("TE", "trailers"),
            ("X-Two", "1"),
            ("x-two", ""),
            ("a b", "c"),
            ("X-Control", "a\x01b"),
            ("Content-Length", "5"),
        ] {
            fields.add(name.as_bytes(), value.as_bytes());
        }
        let request = fields.request(b"PUT", Scheme::HTTPS, b"/a?b=c").unwrap();
        assert_eq!(request.uri(), "https://a.b:8080/a?b=c");
        let sent: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
            .collect();
        assert_eq!(sent, ["te=trailers", "x-two=1", "x-two=", "content-length=5"]);
    }

    #[test]
    fn any_target_is_a_path() {
        let path = |uri: &[u8]| path(uri, &Method::GET).unwrap().as_str().to_owned();
        assert_eq!(path(b"/a%2Fb//c?d=[1]&e=%zz"), "/a%2Fb//c?d=[1]&e=%zz");
        assert_eq!(path(b"/a b#c\xff{}|^?\"<>"), "/a%20b%23c%FF%7B%7D%7C%5E?%22%3C%3E");
        assert_eq!(path(b"none"), "/none");
        assert_eq!(path(b"?a"), "/?a");
        assert_eq!(path(b"http://h:1/p?q"), "/p?q");
        assert_eq!(path(b"http://h"), "/");
        assert_eq!(path(b"*"), "/*");
        assert_eq!(super::path(b"*", &Method::OPTIONS).unwrap().as_str(), "*");
    }

    #[test]
    fn requests_that_are_none_are_refused() {
        let mut fields = Http2Fields::default();
        assert!(fields.request(b"GET", Scheme::HTTP, b"/").is_none());
        fields.add(b"host", b"a b");
        assert!(fields.request(b"GET", Scheme::HTTP, b"/").is_none());
        fields.add(b"host", b"[::1]:80");
        assert!(fields.request(b"GET", Scheme::HTTP, b"/").is_some());
        assert!(fields.request(b"", Scheme::HTTP, b"/").is_none());
        assert!(fields.request(b"CONNECT", Scheme::HTTP, b"/").is_none());
    }
}
