//! The head of a request, read line by line within nginx's buffers.

use std::ops::Range;

use bytes::BytesMut;
use http::{Method, Version};

use super::header_line::{self, HeaderLine, HeaderLineError};
use super::headers::is_like;
use super::host;
use super::request::{HEAD_TOO_LARGE, HeadError, HeaderRange, Request, UniqueHeader};
use super::request_line::{self, LineError, RequestLine};
use super::uri;
use crate::limits;
use crate::log::shown::Shown;

/// Buffers of a head, as nginx counts them.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadBuffers {
    /// `client_header_buffer_size`, in bytes.
    pub(super) first: usize,
    /// Number of `large_client_header_buffers`.
    pub(super) number: usize,
    /// Size of each, in bytes: the maximum length of a line.
    pub(super) size: usize,
}

/// Rules for the lines of a head.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeaderNames {
    /// `underscores_in_headers`
    pub(super) underscores: bool,
    /// `ignore_invalid_headers`
    pub(super) ignores_invalid: bool,
    /// `merge_slashes`
    pub(super) merges_slashes: bool,
    /// `max_headers`
    pub(super) most: usize,
}

/// Number of header lines for which there is room from the first on.
const USUAL_HEADERS: usize = 16;

/// Where the parser of a request head is; what it has found is in the request.
#[derive(Debug, Default)]
pub(super) struct HeadParser {
    /// Whether the request line was found.
    has_line: bool,
    /// Offset of the line that is being received.
    at: usize,
    /// Offset and size of nginx's current buffer, and the number of large ones in use.
    buffer_start: usize,
    buffer_size: usize,
    large: usize,
    /// Whether the line was refused as one of HTTP/0.9, which is answered without a head.
    is_bare: bool,
}

impl HeadParser {
    /// Number of bytes that may be received now, given that these are here.
    ///
    /// # Errors
    ///
    /// The head does not fit into the buffers.
    pub(super) fn room(&mut self, bytes: &[u8], buffers: &HeadBuffers) -> Result<usize, HeadError> {
        let received = bytes.len();
        if self.buffer_size == 0 {
            self.buffer_size = buffers.first;
        }
        while received - self.buffer_start >= self.buffer_size {
            if !self.has_line && self.at == received {
                // Empty lines before a request are dropped.
                self.buffer_start = received;
                continue;
            }
            if received - self.at >= buffers.size.max(self.buffer_size) || self.large >= buffers.number {
                return Err(match self.has_line {
                    false => HeadError::new(414, "client sent too long URI").in_line(),
                    true => HeadError::new(HEAD_TOO_LARGE, too_long(&bytes[self.at..])),
                });
            }
            self.large += 1;
            (self.buffer_start, self.buffer_size) = (self.at, buffers.size);
        }
        Ok(self.buffer_start + self.buffer_size - received)
    }

    /// Parses the lines that are complete. Returns whether the head is.
    ///
    /// # Errors
    ///
    /// A line is invalid.
    pub(super) fn parse(
        &mut self,
        request: &mut Request,
        received: &[u8],
        names: HeaderNames,
    ) -> Result<bool, HeadError> {
        if !self.has_line {
            let line = request_line::parse(&received[self.at..]).map_err(|error| {
                self.is_bare = error == LineError::Method09;
                let error = match error {
                    LineError::Version => HeadError::new(505, "client sent invalid version"),
                    LineError::Method => HeadError::bad("client sent invalid method"),
                    LineError::Line => HeadError::bad("client sent invalid request"),
                    LineError::Method09 => HeadError::bad("client sent invalid method in HTTP/0.9 request"),
                };
                error.in_line()
            })?;
            let Some(line) = line else {
                // The line begins after the empty lines before it.
                let empty = received[self.at..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
                self.at += empty;
                return Ok(false);
            };
            // Offsets of the line count from where it was parsed, which becomes the beginning of the head.
            let offset = self.at;
            self.at = offset + line.length;
            (request.line, self.has_line) = (shifted(line, offset), true);
            let is_host = request.line.host.clone().is_none_or(|host| adopt_host(request, received, host));
            normalize(request, received, names.merges_slashes)?;
            if !is_host {
                return Err(HeadError::bad("client sent invalid host in request line").in_line());
            }
            if request.line.version == (0, 9) {
                request.is_complete = true;
                return Ok(true);
            }
        }
        loop {
            match header_line::parse(&received[self.at..], names.underscores) {
                Err(HeaderLineError(bad)) => return Err(invalid_line(&received[self.at..], bad)),
                Ok(None) => return Ok(false),
                Ok(Some(HeaderLine::End { length })) => {
                    self.at += length;
                    request.is_complete = true;
                    return Ok(true);
                }
                Ok(Some(HeaderLine::Field { length, name, value, is_invalid })) => {
                    if is_invalid && names.ignores_invalid {
                        request.left_out.get_or_insert(self.at..self.at + value.end);
                        self.at += length;
                        continue;
                    }
                    if request.fields.len() >= names.most {
                        self.at += length;
                        return Err(HeadError::new(HEAD_TOO_LARGE, "client sent too many header lines"));
                    }
                    let moved = |range: Range<usize>| range.start + self.at..range.end + self.at;
                    let (name, value) = (moved(name), moved(value));
                    if request.fields.capacity() == 0 {
                        request.fields.reserve(USUAL_HEADERS);
                    }
                    request.fields.push((name.clone(), value.clone()));
                    self.at += length;
                    check_field(request, received, name, value)?;
                }
            }
        }
    }

    /// Gives a request its head, complete or not, from the received bytes.
    pub(super) fn finish(&self, request: &mut Request, received: &mut BytesMut) {
        let length = if self.has_line { self.at } else { received.len() };
        request.room = (self.buffer_start + self.buffer_size).saturating_sub(received.len());
        // Alone, it stays where it is; its buffer is not shared with what follows it.
        request.head =
            if length == received.len() { std::mem::take(received) } else { received.split_to(length) };
        // As in nginx, lines count once they are complete and understood, the empty ones before them do not.
        request.counted = if self.has_line { self.at - request.line.start } else { 0 };
        request.method = match self.has_line {
            // As in nginx, a method counts before the rest of its line is understood: HEAD gets no body.
            false if begins_head(&request.head) => Method::HEAD,
            _ => Method::from_bytes(&request.head[request.line.method.clone()]).unwrap_or_default(),
        };
        request.version = match request.line.version {
            (1, 0) => Version::HTTP_10,
            (1, _) => Version::HTTP_11,
            // As in nginx, what is not understood is answered as HTTP/1.0.
            _ if !self.has_line && !self.is_bare => Version::HTTP_10,
            _ => Version::HTTP_09,
        };
        request.body = request.find_body();
    }
}

/// Normalizes the path of the request line.
fn normalize(request: &mut Request, received: &[u8], merges: bool) -> Result<(), HeadError> {
    let line = &request.line;
    if !line.is_complex || line.is_path_missing {
        return Ok(());
    }
    match uri::normalize(&received[line.path.clone()], merges) {
        Ok(path) => request.path = Some(path),
        Err(_) => {
            request.is_path_invalid = true;
            return Err(HeadError::bad("client sent invalid request").in_line());
        }
    }
    Ok(())
}

/// Checks a header as soon as it is there, as nginx does: its client may wait for the answer.
fn check_field(
    request: &mut Request,
    received: &[u8],
    name: Range<usize>,
    value: Range<usize>,
) -> Result<(), HeadError> {
    let name = &received[name];
    let Some(header) = UniqueHeader::named(name) else { return Ok(()) };
    let is_host = header == UniqueHeader::Host;
    if request.unique.add(header) {
        return match is_host && !adopt_host(request, received, value) {
            true => Err(HeadError::bad("client sent invalid host header")),
            false => Ok(()),
        };
    }
    let kind = if is_host { "host header" } else { "header line" };
    let line = |(_, value): &HeaderRange| {
        let value = match is_secret(name) {
            true => b"***",
            false => &received[value.clone()],
        };
        format!("{}: {}", Shown::new(name), Shown::beginning(value, limits::HTTP_LOGGED_HEADER / 2))
    };
    let mut lines = request.fields.iter().rev().filter(|(other, _)| is_like(&received[other.clone()], name));
    let [this, previous] = [(); 2].map(|()| lines.next().map(line).unwrap_or_default());
    Err(HeadError::bad(format!("client sent duplicate {kind}: \"{this}\", previous value: \"{previous}\"")))
}

/// Keeps the host that is asked for: that of an absolute target goes before the header. Returns whether it is one.
fn adopt_host(request: &mut Request, received: &[u8], text: Range<usize>) -> bool {
    let name = host::find(&received[text.clone()]);
    if request.line.host.as_ref().is_none_or(|host| *host == text) {
        request.host = text.start..text.start + name.unwrap_or(0);
    }
    name.is_some()
}

/// The beginning of a header line for the log, without the value of one that is a secret.
fn shown_line(line: &[u8]) -> Shown<'_> {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    Shown::beginning(if is_secret(name) { name } else { line }, limits::HTTP_LOGGED_HEADER)
}

/// Whether the log does not show the values of a header; nginx shows all.
pub(super) fn is_secret(name: &[u8]) -> bool {
    [&b"authorization"[..], b"proxy-authorization", b"cookie"].iter().any(|secret| is_like(name, secret))
}

/// The error of a header line for the byte at this offset.
fn invalid_line(line: &[u8], bad: usize) -> HeadError {
    let byte = line.get(bad).copied().unwrap_or_default();
    let line = shown_line(&line[..bad.min(line.len())]);
    HeadError::bad(format!("client sent invalid header line: \"{line}\\x{byte:02x}...\""))
}

/// What is said of a header line that does not fit into the buffers.
fn too_long(line: &[u8]) -> String {
    let line = shown_line(line);
    format!("client sent too long header line: \"{line}...\"")
}

/// Whether a line that was not understood begins with the method HEAD.
fn begins_head(line: &[u8]) -> bool {
    let start = line.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    line[start..].starts_with(b"HEAD ")
}

fn shifted(line: RequestLine, offset: usize) -> RequestLine {
    if offset == 0 {
        return line;
    }
    let moved = |range: Range<usize>| range.start + offset..range.end + offset;
    RequestLine {
        start: line.start + offset,
        end: line.end + offset,
        method: moved(line.method),
        scheme: line.scheme.map(moved),
        host: line.host.map(moved),
        target: moved(line.target),
        path: moved(line.path),
        query: line.query.map(moved),
        protocol: moved(line.protocol),
        ..line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: HeaderNames =
        HeaderNames { underscores: false, ignores_invalid: true, merges_slashes: true, most: MOST };
    const MOST: usize = 50;
    const BUFFERS: HeadBuffers = HeadBuffers { first: 64, number: 2, size: 128 };

    /// Parses a head that comes in pieces of this size.
    fn parse(text: &[u8], piece: usize) -> Result<Option<Request>, u16> {
        let (mut parser, mut received) = (HeadParser::default(), BytesMut::new());
        let mut request = Request::default();
        let mut rest = text;
        while !rest.is_empty() {
            let room = parser.room(&received, &BUFFERS).map_err(|error| error.status.as_u16())?;
            let (now, later) = rest.split_at(rest.len().min(piece).min(room));
            received.extend_from_slice(now);
            rest = later;
            if parser.parse(&mut request, &received, NAMES).map_err(|error| error.status.as_u16())? {
                parser.finish(&mut request, &mut received);
                return Ok(Some(request));
            }
        }
        parser.room(&received, &BUFFERS).map_err(|error| error.status.as_u16())?;
        Ok(None)
    }

    /// Parses a head that comes at once.
    fn parse_whole(text: &str) -> (Result<bool, HeadError>, Request) {
        let (mut parser, mut request) = (HeadParser::default(), Request::default());
        let parsed = parser.parse(&mut request, text.as_bytes(), NAMES);
        parser.finish(&mut request, &mut BytesMut::from(text));
        (parsed, request)
    }

    #[test]
    fn a_head_is_the_same_however_its_bytes_come() {
        let text =
            b"\r\nGET http://A.b:80/x%20y?z HTTP/1.1\r\nHost: c\r\nbad{name: 1\r\nX: 1\r\nx: 2\r\n\r\nrest";
        for piece in 1..text.len() {
            let request = parse(text, piece).unwrap().unwrap();
            assert_eq!(request.text(), "GET http://A.b:80/x%20y?z HTTP/1.1");
            assert_eq!((request.target(), request.raw_path()), ("/x%20y?z".into(), "/x%20y".into()));
            assert_eq!(request.host(), "a.b");
            assert_eq!(request.headers_named(b"X").collect::<Vec<_>>(), ["1", "2"]);
            assert_eq!(request.header("bad{name"), None);
        }
    }

    #[test]
    fn lines_and_heads_have_nginx_limits() {
        let line = |length: usize| format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(length - 16)).into_bytes();
        assert!(parse(&line(126), 7).unwrap().is_some());
        assert_eq!(parse(&line(200), 7).unwrap_err(), 414);
        let header =
            |length: usize| format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(length)).into_bytes();
        assert!(parse(&header(100), 7).unwrap().is_some());
        assert_eq!(parse(&header(200), 7).unwrap_err(), HEAD_TOO_LARGE);
        let many = ["GET / HTTP/1.1\r\n", &"Name: value\r\n".repeat(40), "\r\n"].concat();
        assert_eq!(parse(many.as_bytes(), 7).unwrap_err(), HEAD_TOO_LARGE);
        let few = ["GET / HTTP/1.1\r\n", &"Name: value\r\n".repeat(15), "\r\n"].concat();
        assert!(parse(few.as_bytes(), 7).unwrap().is_some());
    }

    #[test]
    fn a_head_has_a_number_of_headers_at_most() {
        let refused = |count: usize| {
            let text = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
            let (refused, request) = parse_whole(&text);
            (refused.map_err(|error| error.status.as_u16()), request.head_length())
        };
        assert_eq!(refused(MOST), (Ok(true), 16 + 6 * MOST + 2));
        assert_eq!(refused(MOST + 1), (Err(HEAD_TOO_LARGE), 16 + 6 * (MOST + 1)));
    }

    #[test]
    fn heads_that_could_hide_a_request_are_refused() {
        let check = |headers: &str| {
            let text = format!("POST / HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
            let (parsed, request) = parse_whole(&text);
            match parsed {
                Ok(is_complete) => assert!(is_complete),
                Err(error) => return Err(error.status.as_u16()),
            }
            request.check().map_err(|error| error.status.as_u16())
        };
        assert_eq!(check("Content-Length: 5\r\n"), Ok(()));
        assert_eq!(check("Transfer-Encoding: Chunked\r\n"), Ok(()));
        for headers in [
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: \r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Host: other\r\n",
        ] {
            assert_eq!(check(headers), Err(400), "{headers:?}");
        }
        assert_eq!(check("Transfer-Encoding: identity\r\n"), Err(501));
    }

    #[test]
    fn http_1_0_needs_no_host() {
        let request = |version| {
            let text = format!("GET / HTTP/{version}\r\n\r\n");
            let (parsed, request) = parse_whole(&text);
            assert!(parsed.unwrap());
            request
        };
        assert_eq!(request("1.0").check(), Ok(()));
        assert_eq!(request("1.1").check().unwrap_err().status, 400);
    }
}
