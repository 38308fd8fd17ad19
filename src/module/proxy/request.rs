//! Requests to backends, byte for byte as nginx sends them.

use bstr::{BString, ByteSlice};

use super::cache::status::CacheVars;
use super::conf::{Current, ProxyHttpVersion, SetHeader};
use super::http2_fields::Http2Fields;
use super::target::ProxyTarget;
use super::variables::ProxyVars;
use crate::http::date;
use crate::http::exchange::Exchange;
use crate::http::uri::{Escape, escape};

/// Headers that are not taken from the client: those of the connection.
const NOT_PASSED: [&str; 8] =
    ["host", "connection", "content-length", "transfer-encoding", "te", "keep-alive", "expect", "upgrade"];

/// Head of a request to a backend.
#[derive(Debug)]
pub(super) struct RequestHead {
    /// The bytes; none over HTTP/2.
    pub(super) bytes: Vec<u8>,
    /// The fields, over HTTP/2.
    pub(super) http2: Option<Http2Fields>,
    /// Method.
    pub(super) method: BString,
    /// Target of the request line, for the log.
    pub(super) uri: BString,
}

/// The target of the request line. `has_variables` is whether the URL had some: its URI part is then used as it is.
pub(super) fn uri(exchange: &Exchange<'_>, target: &ProxyTarget, has_variables: bool) -> Vec<u8> {
    if has_variables && !target.uri.is_empty() {
        let uri = &target.uri;
        return safe(if uri.starts_with(b"?") { [b"/", &uri[..]].concat() } else { uri.to_vec() });
    }
    if target.uri.is_empty() && exchange.has_own_target() {
        return exchange.request.target().to_vec();
    }
    let path: &[u8] = &exchange.path;
    let replaces = exchange.has_location_name && !target.uri.is_empty();
    let name = exchange.location.name.spelled().len().min(path.len());
    let mut uri = Vec::with_capacity(target.uri.len() + path.len());
    if replaces {
        uri.extend_from_slice(&target.uri);
    }
    let path = if replaces { &path[name..] } else { path };
    if exchange.is_path_escaped() {
        uri.extend_from_slice(&escape(path, Escape::Path));
    } else {
        uri.extend_from_slice(path);
    }
    if !exchange.query().is_empty() {
        uri.push(b'?');
        uri.extend_from_slice(exchange.query());
    }
    safe(uri)
}

/// Escapes what would end the request line; nginx sends it.
fn safe(text: Vec<u8>) -> Vec<u8> {
    if text.find_byteset(b"\r\n\0").is_none() {
        return text;
    }
    let mut out = Vec::with_capacity(text.len() + 8);
    for byte in text {
        match byte {
            b'\r' | b'\n' | 0 => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            byte => out.push(byte),
        }
    }
    out
}

/// Headers that are not taken from the client where the response is cached.
const NOT_CACHED: [&str; 6] =
    ["if-modified-since", "if-unmodified-since", "if-none-match", "if-match", "range", "if-range"];

/// How the cache changes a request.
#[derive(Clone, Copy, Default)]
pub(super) struct ForCache<'c> {
    /// Whether the method is GET, whatever the client's.
    pub(super) with_get: bool,
    /// What the request is to revalidate, if the response is to be cached.
    pub(super) cached: Option<&'c CacheVars>,
}

/// The head of the request.
pub(super) fn head(
    exchange: &Exchange<'_>,
    conf: &Current,
    vars: &ProxyVars,
    uri: Vec<u8>,
    cache: ForCache<'_>,
) -> RequestHead {
    let method = match &conf.method {
        _ if cache.with_get => b"GET".to_vec(),
        Some(method) => word(exchange.expand(method)),
        None => exchange.method().as_str().as_bytes().to_vec(),
    };
    let mut out = match conf.http_version {
        ProxyHttpVersion::Http10 => Written::text(&method, &uri, b" HTTP/1.0\r\n"),
        ProxyHttpVersion::Http11 => Written::text(&method, &uri, b" HTTP/1.1\r\n"),
        ProxyHttpVersion::Http2 => Written::Http2(Http2Fields::default()),
    };
    for SetHeader { name, value } in &conf.set_headers {
        field(&mut out, name, &exchange.expand(value));
    }
    let is_set = |name: &[u8]| conf.set_headers.iter().any(|set| set.name.eq_ignore_ascii_case(name));
    let length = vars.length.map(|length| length.to_string()).unwrap_or_default();
    let usual: [(&[u8], &[u8]); 4] = [
        (b"Host", &vars.host),
        (b"Connection", b"close"),
        (b"Content-Length", if vars.is_chunked { b"" } else { length.as_bytes() }),
        (b"Transfer-Encoding", if vars.is_chunked { b"chunked" } else { b"" }),
    ];
    usual.iter().filter(|(name, _)| !is_set(name)).for_each(|(name, value)| field(&mut out, name, value));
    if let Some(cached) = cache.cached {
        let modified = cached.modified.map(date::http_date).unwrap_or_default();
        let known = [(&b"If-Modified-Since"[..], modified.as_bytes()), (b"If-None-Match", &cached.tag)];
        known.iter().filter(|(name, _)| !is_set(name)).for_each(|(name, value)| field(&mut out, name, value));
    }
    if conf.pass_request_headers {
        for (name, value) in exchange.request.headers() {
            let own = NOT_CACHED.iter().filter(|_| cache.cached.is_some()).chain(&NOT_PASSED);
            let is_own = own.into_iter().any(|own| name.eq_ignore_ascii_case(own.as_bytes()));
            if !is_own && !is_set(name) {
                out.add(name, value);
            }
        }
    }
    let (bytes, http2) = match out {
        Written::Text(mut bytes) => {
            bytes.extend_from_slice(b"\r\n");
            (bytes, None)
        }
        Written::Http2(fields) => (Vec::new(), Some(fields)),
    };
    RequestHead { bytes, http2, method: method.into(), uri: uri.into() }
}

/// A head being written.
enum Written {
    Text(Vec<u8>),
    Http2(Http2Fields),
}

impl Written {
    fn text(method: &[u8], uri: &[u8], version: &[u8]) -> Written {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(method);
        out.push(b' ');
        out.extend_from_slice(uri);
        out.extend_from_slice(version);
        Written::Text(out)
    }

    fn add(&mut self, name: &[u8], value: &[u8]) {
        match self {
            Written::Text(out) => {
                out.extend_from_slice(name);
                out.extend_from_slice(b": ");
                out.extend_from_slice(value);
                out.extend_from_slice(b"\r\n");
            }
            Written::Http2(fields) => fields.add(name, value),
        }
    }
}

/// Appends a header with a value, up to what would end its line; nginx sends that, too.
fn field(out: &mut Written, name: &[u8], value: &[u8]) {
    if value.is_empty() {
        return;
    }
    let end = value.find_byteset(b"\r\n\0").unwrap_or(value.len());
    out.add(name, &value[..end]);
}

/// A text without what would end a word of the request line.
fn word(text: Vec<u8>) -> Vec<u8> {
    text.into_iter().filter(|byte| *byte > b' ' && *byte != 0x7f).collect()
}
