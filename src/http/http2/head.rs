//! The head of a request over HTTP/2, as one of HTTP/1: the same rules then apply to its target and its headers.

use bstr::ByteSlice;
use bytes::BytesMut;
use http::StatusCode;
use http::request::Parts;

use crate::http::head_parser::{HeadBuffers, HeadParser, HeaderNames, too_many_headers};
use crate::http::request::{BodyFraming, HEAD_TOO_LARGE, HeadError, Request};

/// Makes a request of what the client has sent. `has_body` tells whether its stream goes on, `length` is the length of the head as it
/// was sent.
pub(super) fn request(
    parts: &Parts,
    has_body: bool,
    length: usize,
    (names, buffers): (HeaderNames, HeadBuffers),
) -> (Request, Option<HeadError>) {
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let mut text = BytesMut::with_capacity(256);
    text.extend_from_slice(parts.method.as_str().as_bytes());
    text.extend_from_slice(b" ");
    text.extend_from_slice(target.as_bytes());
    text.extend_from_slice(b" ");
    let version_at = text.len();
    text.extend_from_slice(b"HTTP/1.1\r\n");
    let mut is_too_large = target.len() > buffers.size;
    let mut add = |text: &mut BytesMut, name: &[u8], value: &[u8]| {
        is_too_large |= name.len() > buffers.size || value.len() > buffers.size;
        text.extend_from_slice(name);
        text.extend_from_slice(b": ");
        text.extend_from_slice(value);
        text.extend_from_slice(b"\r\n");
    };
    // As in nginx, the authority is a host header before the others.
    if let Some(authority) = parts.uri.authority() {
        add(&mut text, b"host", authority.as_str().as_bytes());
    }
    let cookies = parts.headers.get_all(http::header::COOKIE);
    for (name, value) in parts.headers.iter().filter(|(name, _)| *name != http::header::COOKIE) {
        add(&mut text, name.as_str().as_bytes(), value.as_bytes());
    }
    // Cookies that came one by one are one header again (RFC 9113 §8.2.3), as in nginx behind the others.
    let crumbs: Vec<&[u8]> = cookies.iter().map(|value| value.as_bytes()).collect();
    if !crumbs.is_empty() {
        add(&mut text, b"cookie", &crumbs.join(&b"; "[..]));
    }
    text.extend_from_slice(b"\r\n");
    let mut parser = HeadParser::default();
    // The host header that was made of the authority does not count.
    let parsed = match parts.headers.len() > names.most {
        true => Err(too_many_headers()),
        false => parser.parse(&text, HeaderNames { most: names.most.saturating_add(1), ..names }),
    };
    let mut request = parser.take(&mut text);
    request.become_http2(version_at, length);
    if has_body && request.body() == BodyFraming::None && request.header("content-length").is_none() {
        request.set_body(BodyFraming::Chunked);
    }
    let bad = |why| Some((StatusCode::BAD_REQUEST, why));
    is_too_large |= text_is_too_long(&request, &buffers);
    request.lacks_line = is_too_large || parsed.is_err() || !target.starts_with('/');
    let refused = if is_too_large {
        let status = StatusCode::from_u16(HEAD_TOO_LARGE).expect("it is one");
        Some((status, "client sent too large header"))
    } else if target.is_empty() {
        bad("client sent no :path header")
    } else if !target.as_bytes().starts_with(b"/") {
        bad("client sent invalid :path header")
    } else {
        match parsed {
            Err(error) => Some(error),
            Ok(_) => request.check().err(),
        }
    };
    (request, refused)
}

/// A request of whose head only the length is known.
pub(super) fn unknown(names: HeaderNames, length: usize) -> Request {
    const LINE: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
    let mut text = BytesMut::from(LINE);
    let mut parser = HeadParser::default();
    // What is wrong with it does not matter.
    let _ = parser.parse(&text, names);
    let mut request = parser.take(&mut text);
    request.become_http2(b"GET / ".len(), length);
    request.lacks_line = true;
    request
}

/// Whether the names and values are longer than all buffers together.
fn text_is_too_long(request: &Request, buffers: &HeadBuffers) -> bool {
    let fields: usize = request.headers().map(|(name, value)| name.len() + value.len()).sum();
    fields + request.target().as_bytes().len() > buffers.number.saturating_mul(buffers.size)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: HeaderNames =
        HeaderNames { underscores: false, ignores_invalid: true, merges_slashes: true, most: 5 };
    const BUFFERS: HeadBuffers = HeadBuffers { first: 64, number: 2, size: 128 };

    fn read(request: http::Request<()>, has_body: bool) -> (Request, Option<u16>) {
        let (request, refused) = super::request(&request.into_parts().0, has_body, 40, (NAMES, BUFFERS));
        (request, refused.map(|(status, _)| status.as_u16()))
    }

    #[test]
    fn a_head_is_one_of_http_1_with_its_own_version() {
        let request = http::Request::get("http://A.b:80/x%20y?z")
            .header("cookie", "a=1")
            .header("x", "1")
            .header("cookie", "b=2")
            .body(())
            .unwrap();
        let (request, refused) = read(request, true);
        assert_eq!(refused, None);
        assert_eq!(request.text(), "GET /x%20y?z HTTP/2.0");
        assert_eq!((request.protocol(), request.path()), ("HTTP/2.0".into(), &b"/x y"[..]));
        assert_eq!((&request.host()[..], request.head_length()), (&b"a.b"[..], 40));
        assert_eq!(request.header("cookie").unwrap(), "a=1; b=2");
        assert_eq!(request.body(), BodyFraming::Chunked);
    }

    #[test]
    fn what_nginx_refuses_is_refused() {
        let get = |target: &str| http::Request::get(target);
        assert_eq!(read(get("/x").body(()).unwrap(), false).1, Some(400));
        assert_eq!(read(get("http://a/x").header("host", "a").body(()).unwrap(), false).1, Some(400));
        assert_eq!(read(get("http://a/../x").body(()).unwrap(), false).1, Some(400));
        assert_eq!(read(get("*").header("host", "a").body(()).unwrap(), false).1, Some(400));
        let long = "x".repeat(129);
        assert_eq!(
            read(get("http://a/").header("x", &long).body(()).unwrap(), false).1,
            Some(HEAD_TOO_LARGE)
        );
        let fields = |count: u16| {
            let request = get("http://a/");
            (0..count).fold(request, |request, n| request.header("x", n)).body(()).unwrap()
        };
        assert_eq!(read(fields(5), false).1, None);
        assert_eq!(read(fields(6), false).1, Some(HEAD_TOO_LARGE));
        let odd = http::Request::builder().method("get").uri("http://a/").body(()).unwrap();
        let (request, refused) = read(odd, false);
        assert_eq!((request.text(), refused), ("get / HTTP/2.0".into(), Some(400)));
    }
}
