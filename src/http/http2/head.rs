//! The head of a request over HTTP/2, as one of HTTP/1: the same rules then apply to its target and its headers.

use bytes::BytesMut;

use crate::http::head_parser::{HeadParser, HeaderNames, is_secret};
use crate::http::request::{BodyFraming, HeadError, Request};
use crate::limits;
use crate::log::shown::Shown;
use crate::net::http2::intake::ReceivedHead;

/// Headers that HTTP/2 has no connection for (RFC 9113 §8.2.2).
const OF_CONNECTIONS: [&[u8]; 5] =
    [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"];

/// A name or a value for the log, of which a line has two.
fn shown(text: &[u8]) -> Shown<'_> {
    Shown::beginning(text, limits::HTTP_LOGGED_HEADER / 2)
}

/// The error of a field with this value.
fn bad_value(what: &str, value: &[u8]) -> HeadError {
    HeadError::bad(format!("client sent {what}: \"{}\"", shown(value)))
}

/// The fields of a head by their meaning.
#[derive(Default)]
struct Parts<'h> {
    method: Option<&'h [u8]>,
    scheme: Option<&'h [u8]>,
    path: Option<&'h [u8]>,
    authority: Option<&'h [u8]>,
    /// Names and values of the others.
    headers: Vec<(&'h [u8], &'h [u8])>,
}

impl<'h> Parts<'h> {
    /// Sorts the fields, up to the first one that may not be there.
    fn sort(&mut self, head: &'h ReceivedHead) -> Result<(), HeadError> {
        for (name, value) in head.fields.iter() {
            let value = trimmed(value);
            if value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
                let what = format!("header \"{}\" with invalid value", shown(name));
                return Err(bad_value(&what, if is_secret(name) { b"***" } else { value }));
            }
            let slot = match name {
                b":method" | b":scheme" | b":path" if value.is_empty() => {
                    return Err(HeadError::bad(format!("client sent empty {} header", Shown::new(name))));
                }
                b":method" if !is_method(value) => return Err(bad_value("invalid method", value)),
                b":method" => &mut self.method,
                b":scheme" if !is_scheme(value) => return Err(bad_value("invalid :scheme header", value)),
                b":scheme" => &mut self.scheme,
                b":path" if !is_path(value) => return Err(bad_value("invalid :path header", value)),
                b":path" => &mut self.path,
                b":authority" => &mut self.authority,
                [b':', ..] => {
                    let why = format!("client sent unknown pseudo-header \"{}\"", shown(name));
                    return Err(HeadError::bad(why));
                }
                _ => {
                    self.headers.push(header(name, value)?);
                    continue;
                }
            };
            if slot.is_some() {
                return Err(HeadError::bad(format!("client sent duplicate {} header", Shown::new(name))));
            }
            if !self.headers.is_empty() {
                return Err(HeadError::bad("client sent out of order pseudo-headers"));
            }
            *slot = Some(value);
        }
        Ok(())
    }

    fn has_cookies(&self) -> bool {
        self.headers.iter().any(|(name, _)| *name == b"cookie")
    }

    /// The head as one of HTTP/1, with the offset of its version.
    fn text(&self) -> Result<(BytesMut, usize), HeadError> {
        let method = self.method.ok_or(HeadError::bad("client sent no :method header"))?;
        self.scheme.ok_or(HeadError::bad("client sent no :scheme header"))?;
        let path = self.path.ok_or(HeadError::bad("client sent no :path header"))?;
        let mut text = BytesMut::with_capacity(256);
        text.extend_from_slice(&[method, b" ", path, b" "].concat());
        let version_at = text.len();
        text.extend_from_slice(b"HTTP/1.1\r\n");
        let mut add = |name: &[u8], value: &[u8]| {
            for part in [name, b": ", value, b"\r\n"] {
                text.extend_from_slice(part);
            }
        };
        // As in nginx, the authority is a host header before the others.
        if let Some(authority) = self.authority {
            add(b"host", authority);
        }
        let mut crumbs: Vec<&[u8]> = Vec::new();
        for (name, value) in &self.headers {
            match (*name, self.authority) {
                (b"host", Some(authority)) if authority == *value => {}
                (b"host", Some(_)) => {
                    return Err(HeadError::bad("client sent different :authority and \"Host\" headers"));
                }
                (b"cookie", _) => crumbs.push(value),
                _ => add(name, value),
            }
        }
        // Cookies that came one by one are one header again (RFC 9113 §8.2.3), as in nginx behind the others.
        if !crumbs.is_empty() {
            add(b"cookie", &crumbs.join(&b"; "[..]));
        }
        text.extend_from_slice(b"\r\n");
        Ok((text, version_at))
    }
}

fn is_method(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-'))
}

/// Whether it is a scheme (RFC 3986 §3.1).
fn is_scheme(text: &[u8]) -> bool {
    let is_later = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    text.first().is_some_and(u8::is_ascii_alphabetic) && text.iter().all(is_later)
}

fn is_path(text: &[u8]) -> bool {
    text.starts_with(b"/") && text.iter().all(|byte| *byte > b' ' && *byte != 0x7f)
}

/// A header that is none of HTTP/2's own.
fn header<'h>(name: &'h [u8], value: &'h [u8]) -> Result<(&'h [u8], &'h [u8]), HeadError> {
    let is_bad = |byte: &u8| *byte <= b' ' || matches!(byte, 0x7f | b':' | b'A'..=b'Z');
    if name.is_empty() || name.iter().any(is_bad) {
        return Err(bad_value("invalid header name", name));
    }
    let is_of_connection = OF_CONNECTIONS.contains(&name) || (name == b"te" && value != b"trailers");
    match is_of_connection {
        true => Err(HeadError::bad("client sent a header of a connection of HTTP/1")),
        false => Ok((name, value)),
    }
}

/// A value without the spaces and tabs around it.
fn trimmed(value: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_space(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    &value[start..end]
}

/// Makes a request of what the client has sent. `has_body` tells whether its stream goes on.
pub(super) fn request(
    head: &ReceivedHead,
    has_body: bool,
    names: HeaderNames,
) -> (Request, Option<HeadError>) {
    let mut parts = Parts::default();
    let (mut text, version_at) = match parts.sort(head).and_then(|()| parts.text()) {
        Ok(text) => text,
        Err(error) => return (beginning(Some(head), names), Some(error)),
    };
    let (mut parser, mut request) = (HeadParser::default(), Request::default());
    // As in nginx, what was made of the authority and of cookies does not count.
    let made = usize::from(parts.authority.is_some()) + usize::from(parts.has_cookies());
    let names = HeaderNames { most: names.most.saturating_add(made), ..names };
    let parsed = parser.parse(&mut request, &text, names);
    parser.finish(&mut request, &mut text);
    request.become_http2(version_at, head.length);
    request.lacks_line = parsed.is_err();
    let refused = match parsed {
        Err(error) => Some(error),
        Ok(_) => request.check().err(),
    };
    match request.body() {
        BodyFraming::None if has_body && request.header("content-length").is_none() => {
            request.set_body(BodyFraming::Chunked);
        }
        BodyFraming::Length(_) if !has_body && refused.is_none() => {
            return (request, Some(HeadError::bad("client prematurely closed stream")));
        }
        _ => {}
    }
    (request, refused)
}

/// A request as far as its head is known, up to what is malformed or missing: it is logged or refused.
pub(super) fn beginning(head: Option<&ReceivedHead>, names: HeaderNames) -> Request {
    let mut parts = Parts::default();
    // What stands before an error is known.
    let _ = head.map(|head| parts.sort(head));
    let (lacks_method, lacks_path) = (parts.method.is_none(), parts.path.is_none());
    // Stand-ins, so that the rest can be parsed.
    parts.method = parts.method.or(Some(b"GET"));
    parts.path = parts.path.or(Some(b"/"));
    parts.scheme = Some(b"http");
    let text = parts.text().or_else(|_| {
        parts.headers.clear();
        parts.text()
    });
    let (mut text, version_at) = text.unwrap_or_default();
    let (mut parser, mut request) = (HeadParser::default(), Request::default());
    let _ = parser.parse(&mut request, &text, names);
    parser.finish(&mut request, &mut text);
    request.become_http2(version_at, head.map_or(0, |head| head.length));
    request.become_incomplete(lacks_method, lacks_path);
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::http2::PREFACE;
    use crate::net::http2::hpack::HeadBounds;
    use crate::net::http2::intake::Intake;

    const NAMES: HeaderNames =
        HeaderNames { underscores: false, ignores_invalid: true, merges_slashes: true, most: 1000 };

    /// Reads a head of these fields.
    fn read(fields: &[(&str, &str)], has_body: bool) -> (Request, Option<String>) {
        let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let field = |(name, value): &(&str, &str)| [vec![0], text(name), text(value)].concat();
        let block: Vec<u8> = fields.iter().flat_map(field).collect();
        let length = u8::try_from(block.len()).unwrap();
        let bytes = [PREFACE, &[0, 0, length, 1, 5, 0, 0, 0, 1], &block].concat();
        let mut intake = Intake::new(HeadBounds { field: 200, head: 400, fields: 20 });
        intake.take(&bytes, &mut Vec::new()).unwrap();
        let head = intake.take_head(1).unwrap();
        assert_eq!(head.length, block.len());
        let (request, refused) = request(&head, has_body, NAMES);
        (
            request,
            refused.map(|error| {
                assert_eq!(error.status, 400);
                error.why.into_owned()
            }),
        )
    }

    const GET: [(&str, &str); 3] = [(":method", "GET"), (":scheme", "http"), (":path", "/x%20y?z")];

    fn get(more: &[(&str, &str)]) -> (Request, Option<String>) {
        read(&[&GET[..], more].concat(), false)
    }

    #[test]
    fn a_head_is_one_of_http_1_with_its_own_version() {
        let more = [
            (":authority", "A.b:80"),
            ("cookie", "a=1"),
            ("x", " \t1 "),
            ("host", "A.b:80"),
            ("cookie", "b=2"),
        ];
        let (request, refused) = read(&[&GET[..], &more].concat(), true);
        assert_eq!(refused, None);
        assert_eq!(request.text(), "GET /x%20y?z HTTP/2.0");
        assert_eq!((request.protocol(), request.path()), ("HTTP/2.0".into(), &b"/x y"[..]));
        assert_eq!(&request.host()[..], b"a.b");
        assert_eq!(
            (request.header("cookie").unwrap(), request.header("x").unwrap()),
            ("a=1; b=2".into(), "1".into())
        );
        assert_eq!(request.body(), BodyFraming::Chunked);
    }

    #[test]
    fn what_nginx_refuses_is_refused() {
        let a = (":authority", "a");
        assert_eq!(get(&[a]).1, None);
        for (more, why) in [
            (&[][..], "client sent HTTP/1.1 request without \"Host\" header"),
            (&[a, ("host", "b")], "client sent different :authority and \"Host\" headers"),
            (&[(":authority", "")], "client sent invalid host header"),
            (&[a, ("x", "1"), (":scheme", "http")], "client sent duplicate :scheme header"),
            (&[("host", "a"), (":authority", "a")], "client sent out of order pseudo-headers"),
            (&[a, (":status", "200")], "client sent unknown pseudo-header \":status\""),
            (&[a, ("x:y", "")], "client sent invalid header name: \"x:y\""),
            (&[a, ("X", "")], "client sent invalid header name: \"X\""),
            (&[a, ("x y", "")], "client sent invalid header name: \"x y\""),
            (&[a, ("", "1")], "client sent invalid header name: \"\""),
            (&[a, ("x", "a\nb: c")], "client sent header \"x\" with invalid value: \"a\\x0Ab: c\""),
            (&[a, ("x", "a\rb: c")], "client sent header \"x\" with invalid value: \"a\\x0Db: c\""),
            (&[a, ("x", "a\0")], "client sent header \"x\" with invalid value: \"a\\x00\""),
            (&[a, ("transfer-encoding", "chunked")], "client sent a header of a connection of HTTP/1"),
            (&[a, ("te", "gzip")], "client sent a header of a connection of HTTP/1"),
            (&[a, ("content-length", "3")], "client prematurely closed stream"),
            (&[a, ("content-length", "x")], "client sent invalid \"Content-Length\" header"),
        ] {
            assert_eq!(get(more).1.as_deref(), Some(why), "{more:?}");
        }
        assert_eq!(get(&[a, ("te", "trailers"), ("x_y", "left out")]).1, None);
        for (place, value, why) in [
            (0, "get", "client sent invalid method: \"get\""),
            (0, "", "client sent empty :method header"),
            (1, "", "client sent empty :scheme header"),
            (1, "1h", "client sent invalid :scheme header: \"1h\""),
            (1, "h t", "client sent invalid :scheme header: \"h t\""),
            (2, "x", "client sent invalid :path header: \"x\""),
            (2, "*", "client sent invalid :path header: \"*\""),
            (2, "", "client sent empty :path header"),
            (2, "/a b", "client sent invalid :path header: \"/a b\""),
            (2, "/../x", "client sent invalid request"),
        ] {
            let mut fields = [GET[0], GET[1], GET[2], a];
            fields[place].1 = value;
            assert_eq!(read(&fields, false).1.as_deref(), Some(why), "{value}");
        }
        for (missing, why) in [
            (0, "client sent no :method header"),
            (1, "client sent no :scheme header"),
            (2, "client sent no :path header"),
        ] {
            let mut fields = vec![GET[0], GET[1], GET[2], a];
            fields.remove(missing);
            let (request, refused) = read(&fields, false);
            assert_eq!((refused.as_deref(), request.lacks_line), (Some(why), true));
        }
    }
}
