//! Requests: their head, read line by line within nginx's buffers, and what it says.

use std::ops::Range;

use bstr::{BStr, ByteSlice};
use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode, Version};

use super::header_line::{self, HeaderLine};
use super::host;
use super::request_line::{self, LineError, RequestLine};
use super::uri;
use crate::limits;

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
}

/// Refusal of a head: its status, and the reason for the log.
pub(super) type HeadError = (StatusCode, &'static str);

/// Number of header lines for which there is room from the first on.
const USUAL_HEADERS: usize = 16;

/// nginx's own status of a head that is too large; clients see 400.
pub(super) const HEAD_TOO_LARGE: u16 = 494;

/// A request head being received.
#[derive(Debug, Default)]
pub(super) struct HeadParser {
    line: Option<RequestLine>,
    /// Offset of the line that is being received.
    at: usize,
    fields: Vec<(Range<usize>, Range<usize>)>,
    /// Offset and size of nginx's current buffer, and the number of large ones in use.
    buffer_start: usize,
    buffer_size: usize,
    large: usize,
    /// Whether a header line with an invalid name was left out.
    pub(super) has_invalid: bool,
    /// The normalized path, if the path as received is another.
    path: Option<Vec<u8>>,
    /// Whether the path was not understood.
    is_path_invalid: bool,
    /// Which of the headers that may appear only once have appeared.
    once: [bool; UNIQUE.len()],
    /// Whether the line was refused as one of HTTP/0.9, which is answered without a head.
    is_bare: bool,
    /// Whether the head was parsed to its end.
    is_complete: bool,
}

impl HeadParser {
    /// Number of bytes that may be received now, given that `received` are here.
    ///
    /// # Errors
    ///
    /// The head does not fit into the buffers.
    pub(super) fn room(&mut self, received: usize, buffers: &HeadBuffers) -> Result<usize, HeadError> {
        if self.buffer_size == 0 {
            self.buffer_size = buffers.first;
        }
        while received - self.buffer_start >= self.buffer_size {
            if self.line.is_none() && self.at == received {
                // Empty lines before a request are dropped.
                self.buffer_start = received;
                continue;
            }
            if received - self.at >= buffers.size.max(self.buffer_size) || self.large >= buffers.number {
                let status = if self.line.is_none() { 414 } else { HEAD_TOO_LARGE };
                let why =
                    if status == 414 { "client sent too long URI" } else { "client sent too large request" };
                return Err((StatusCode::from_u16(status).expect("it is one"), why));
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
    pub(super) fn parse(&mut self, received: &[u8], names: HeaderNames) -> Result<bool, HeadError> {
        if self.line.is_none() {
            let line = request_line::parse(&received[self.at..]).map_err(|error| match error {
                LineError::Version => (StatusCode::HTTP_VERSION_NOT_SUPPORTED, "client sent invalid version"),
                LineError::Method => (StatusCode::BAD_REQUEST, "client sent invalid method"),
                LineError::Line => (StatusCode::BAD_REQUEST, "client sent invalid request"),
                LineError::Method09 => {
                    self.is_bare = true;
                    (StatusCode::BAD_REQUEST, "client sent invalid method in HTTP/0.9 request")
                }
            })?;
            let Some(line) = line else {
                // The line begins after the empty lines before it.
                let empty = received[self.at..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
                self.at += empty;
                return Ok(false);
            };
            // Offsets of the line count from where it was parsed, which becomes the beginning of the head.
            let offset = self.at;
            let length = line.length;
            let line = shifted(line, offset);
            let is_host = line.host.as_ref().is_none_or(|host| host::is_host(&received[host.clone()]));
            self.line = Some(line);
            self.at = offset + length;
            self.normalize(received, names.merges_slashes)?;
            if !is_host {
                return Err((StatusCode::BAD_REQUEST, "client sent invalid host in request line"));
            }
            if self.version() == (0, 9) {
                self.is_complete = true;
                return Ok(true);
            }
        }
        loop {
            match header_line::parse(&received[self.at..], names.underscores) {
                Err(_) => return Err((StatusCode::BAD_REQUEST, "client sent invalid header line")),
                Ok(None) => return Ok(false),
                Ok(Some(HeaderLine::End { length })) => {
                    self.at += length;
                    self.is_complete = true;
                    return Ok(true);
                }
                Ok(Some(HeaderLine::Field { length, name, value, is_invalid })) => {
                    if is_invalid && names.ignores_invalid {
                        self.has_invalid = true;
                        self.at += length;
                        continue;
                    }
                    if self.fields.len() >= limits::HTTP_HEADERS {
                        self.at += length;
                        let status = StatusCode::from_u16(HEAD_TOO_LARGE).expect("it is one");
                        return Err((status, "client sent too many header lines"));
                    }
                    let moved = |range: Range<usize>| range.start + self.at..range.end + self.at;
                    let (name, value) = (moved(name), moved(value));
                    if self.fields.is_empty() {
                        self.fields.reserve(USUAL_HEADERS);
                    }
                    self.fields.push((name.clone(), value.clone()));
                    self.at += length;
                    self.check_field(&received[name], &received[value])?;
                }
            }
        }
    }

    /// Normalizes the path of the request line.
    fn normalize(&mut self, received: &[u8], merges: bool) -> Result<(), HeadError> {
        let Some(line) = self.line.as_ref().filter(|line| line.is_complex && !line.is_path_missing) else {
            return Ok(());
        };
        match uri::normalize(&received[line.path.clone()], merges) {
            Ok(path) => self.path = Some(path),
            Err(_) => {
                self.is_path_invalid = true;
                return Err((StatusCode::BAD_REQUEST, "client sent invalid request"));
            }
        }
        Ok(())
    }

    /// Checks a header as soon as it is there, as nginx does: its client may wait for the answer.
    fn check_field(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeadError> {
        let Some(number) = UNIQUE.iter().position(|known| name.eq_ignore_ascii_case(known.as_bytes())) else {
            return Ok(());
        };
        let why = match (std::mem::replace(&mut self.once[number], true), number) {
            (true, 0) => "client sent duplicate host header",
            (true, _) => "client sent duplicate header line",
            (false, 0) if !host::is_host(value) => "client sent invalid host header",
            (false, _) => return Ok(()),
        };
        Err((StatusCode::BAD_REQUEST, why))
    }

    /// Takes the head, complete or not, from the received bytes.
    pub(super) fn take(self, received: &mut BytesMut) -> Request {
        let length = if self.line.is_some() { self.at } else { received.len() };
        let room = (self.buffer_start + self.buffer_size).saturating_sub(received.len());
        let head = received.split_to(length).freeze();
        let has_line = self.line.is_some();
        // As in nginx, lines count once they are complete and understood, the empty ones before them do not.
        let counted = self.line.as_ref().map_or(0, |line| self.at - line.start);
        let line = self.line.unwrap_or_default();
        let method = match has_line {
            // As in nginx, a method counts before the rest of its line is understood: HEAD gets no body.
            false if begins_head(&head) => Method::HEAD,
            _ => Method::from_bytes(&head[line.method.clone()]).unwrap_or_default(),
        };
        let version = match line.version {
            (1, 0) => Version::HTTP_10,
            (1, _) => Version::HTTP_11,
            // As in nginx, what is not understood is answered as HTTP/1.0.
            _ if !has_line && !self.is_bare => Version::HTTP_10,
            _ => Version::HTTP_09,
        };
        let mut request = Request {
            head,
            method,
            version,
            line,
            fields: self.fields,
            path: self.path,
            is_path_invalid: self.is_path_invalid,
            lacks_line: false,
            counted,
            room,
            is_complete: self.is_complete,
            body: BodyFraming::None,
        };
        request.body = request.find_body();
        request
    }

    fn version(&self) -> (u32, u32) {
        self.line.as_ref().map_or((0, 9), |line| line.version)
    }
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

/// How the body of a request is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is none.
    None,
    /// Of this many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// The head of a request.
#[derive(Clone, Debug)]
pub struct Request {
    head: Bytes,
    method: Method,
    version: Version,
    line: RequestLine,
    fields: Vec<(Range<usize>, Range<usize>)>,
    path: Option<Vec<u8>>,
    is_path_invalid: bool,
    /// Whether it was refused before it had a line, as nginx makes one of a request over HTTP/2.
    pub(super) lacks_line: bool,
    counted: usize,
    room: usize,
    /// Whether the head was received and understood to its end.
    pub(super) is_complete: bool,
    body: BodyFraming,
}

impl Request {
    fn find_body(&self) -> BodyFraming {
        if self.header("transfer-encoding").is_some() {
            return BodyFraming::Chunked;
        }
        match self.header("content-length").and_then(|text| number(text)) {
            None | Some(0) => BodyFraming::None,
            Some(length) => BodyFraming::Length(length),
        }
    }

    /// Makes a request that was parsed as one of HTTP/1.1 one of HTTP/2; `version_at` is where its line has the version. As in nginx, `length`
    /// bytes count as its head.
    pub(super) fn become_http2(&mut self, version_at: usize, length: usize) {
        const VERSION: &[u8] = b"HTTP/2.0";
        (self.version, self.counted, self.room) = (Version::HTTP_2, length, 0);
        let mut head = BytesMut::from(std::mem::take(&mut self.head));
        if let Some(version) = head.get_mut(version_at..version_at + VERSION.len()) {
            version.copy_from_slice(VERSION);
        }
        self.head = head.freeze();
    }

    /// Sets how the body is framed.
    pub(super) fn set_body(&mut self, body: BodyFraming) {
        self.body = body;
    }

    /// Method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Protocol version; 1.1 for every later 1.x.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Protocol version as received: `HTTP/1.1`, as in nginx with the spaces behind it; empty in HTTP/0.9.
    pub fn protocol(&self) -> &BStr {
        self.part(&self.line.protocol)
    }

    /// The request line as received; what of it was received, if it is incomplete or was not understood.
    pub fn text(&self) -> &BStr {
        if self.line.end == 0 {
            let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
            let start = self.head.iter().take_while(|byte| is_end(byte)).count();
            let length = self.head[start..].iter().take_while(|byte| !is_end(byte)).count();
            return self.part(&(start..start + length));
        }
        self.part(&(self.line.start..self.line.end))
    }

    /// Path and query as received, without scheme and host.
    pub fn target(&self) -> &BStr {
        if self.line.is_path_missing {
            // nginx takes the target from the question mark on.
            return self.part(&self.line.target);
        }
        self.part(&self.line.target)
    }

    /// Path as received.
    pub fn raw_path(&self) -> &BStr {
        if self.line.is_path_missing { "/".into() } else { self.part(&self.line.path) }
    }

    /// Query string as received, without question mark.
    pub fn raw_query(&self) -> Option<&BStr> {
        self.line.query.as_ref().map(|query| self.part(query))
    }

    /// Query string up to a fragment, without question mark.
    pub(super) fn query_without_fragment(&self) -> &BStr {
        let query = self.raw_query().unwrap_or_default();
        query.split(|b| *b == b'#').next().unwrap_or_default().as_bstr()
    }

    /// The decoded and normalized path; empty if it was not understood.
    pub(super) fn path(&self) -> &[u8] {
        match &self.path {
            _ if self.is_path_invalid => b"",
            Some(path) => path,
            None => self.raw_path(),
        }
    }

    /// Whether the path was not understood.
    pub(super) fn is_path_invalid(&self) -> bool {
        self.is_path_invalid
    }

    /// Value of the first header with this name, in any case.
    pub fn header(&self, name: impl AsRef<[u8]>) -> Option<&BStr> {
        let name = name.as_ref();
        let found = self.fields.iter().find(|(known, _)| self.head[known.clone()].eq_ignore_ascii_case(name));
        found.map(|(_, value)| self.part(value))
    }

    /// Value of the first header whose name is this one, with every `-` written as `_`.
    pub fn header_like(&self, name: &[u8]) -> Option<&BStr> {
        self.headers().find(|(known, _)| is_like(known, name)).map(|(_, value)| value)
    }

    /// Values of all headers with this name.
    pub fn headers_named(&self, name: &[u8]) -> impl Iterator<Item = &BStr> {
        self.headers().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All headers.
    pub fn headers(&self) -> impl Iterator<Item = (&BStr, &BStr)> {
        self.fields.iter().map(|(name, value)| (self.part(name), self.part(value)))
    }

    /// Length of the head in bytes, as nginx counts it: up to the line that it was refused for, if it was.
    pub fn head_length(&self) -> usize {
        self.counted
    }

    /// Number of bytes that would fit into the head's buffer behind it and what came with it.
    pub(super) fn room_behind_head(&self) -> u64 {
        self.room as u64
    }

    /// Requested host, in lower case without port and final dot: of an absolute target, otherwise of the `Host` header.
    pub fn host(&self) -> Bytes {
        Bytes::from(self.host_as_sent().to_ascii_lowercase())
    }

    /// As [`Request::host`], in the client's letters.
    pub(super) fn host_as_sent(&self) -> &[u8] {
        let authority = match &self.line.host {
            Some(host) => self.part(host),
            None => self.header("host").unwrap_or_default(),
        };
        host::name(authority)
    }

    /// How the body is framed, given that the head was accepted.
    pub fn body(&self) -> BodyFraming {
        self.body
    }

    /// Checks what nginx checks once the head is complete.
    ///
    /// # Errors
    ///
    /// Status and reason of the refusal.
    pub(super) fn check(&self) -> Result<(), HeadError> {
        let bad = |why| Err((StatusCode::BAD_REQUEST, why));
        if self.version >= Version::HTTP_11 && self.header("host").is_none() {
            return bad("client sent HTTP/1.1 request without \"Host\" header");
        }
        let length = self.header("content-length");
        if length.is_some_and(|text| number(text).is_none()) {
            return bad("client sent invalid \"Content-Length\" header");
        }
        if let Some(encoding) = self.header("transfer-encoding") {
            if self.version < Version::HTTP_11 {
                return bad("client sent HTTP/1.0 request with \"Transfer-Encoding\" header");
            }
            if !encoding.eq_ignore_ascii_case(b"chunked") {
                return Err((StatusCode::NOT_IMPLEMENTED, "client sent unknown \"Transfer-Encoding\""));
            }
            if length.is_some() {
                return bad(
                    "client sent \"Content-Length\" and \"Transfer-Encoding\" headers at the same time",
                );
            }
        }
        if self.method == Method::CONNECT {
            return Err((StatusCode::METHOD_NOT_ALLOWED, "client sent CONNECT method"));
        }
        if self.method == Method::TRACE {
            return Err((StatusCode::METHOD_NOT_ALLOWED, "client sent TRACE method"));
        }
        Ok(())
    }

    fn part(&self, range: &Range<usize>) -> &BStr {
        self.head.get(range.clone()).unwrap_or_default().as_bstr()
    }
}

/// Headers that may appear only once, as in nginx 1.22; `Host` first.
const UNIQUE: [&str; 11] = [
    "host",
    "authorization",
    "content-length",
    "content-range",
    "expect",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "transfer-encoding",
];

/// Whether a header's name is this one, in any case and with `-` written as `_`.
pub(super) fn is_like(known: &[u8], name: &[u8]) -> bool {
    let plain = |byte: &u8| if *byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
    known.len() == name.len() && known.iter().map(plain).eq(name.iter().map(plain))
}

/// A decimal number without sign.
fn number(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number: u64 = text.to_str().ok().filter(|_| is_number)?.parse().ok()?;
    (number <= i64::MAX as u64).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: HeaderNames =
        HeaderNames { underscores: false, ignores_invalid: true, merges_slashes: true };
    const BUFFERS: HeadBuffers = HeadBuffers { first: 64, number: 2, size: 128 };

    /// Parses a head that comes in pieces of this size.
    fn parse(text: &[u8], piece: usize) -> Result<Option<Request>, u16> {
        let (mut parser, mut received) = (HeadParser::default(), BytesMut::new());
        let mut rest = text;
        while !rest.is_empty() {
            let room = parser.room(received.len(), &BUFFERS).map_err(|(status, _)| status.as_u16())?;
            let (now, later) = rest.split_at(rest.len().min(piece).min(room));
            received.extend_from_slice(now);
            rest = later;
            if parser.parse(&received, NAMES).map_err(|(status, _)| status.as_u16())? {
                return Ok(Some(parser.take(&mut received)));
            }
        }
        parser.room(received.len(), &BUFFERS).map_err(|(status, _)| status.as_u16())?;
        Ok(None)
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
            let mut parser = HeadParser::default();
            let refused = parser.parse(text.as_bytes(), NAMES).map_err(|(status, _)| status.as_u16());
            (refused, parser.take(&mut BytesMut::from(text.as_str())).head_length())
        };
        assert_eq!(refused(limits::HTTP_HEADERS), (Ok(true), 16 + 6 * limits::HTTP_HEADERS + 2));
        assert_eq!(
            refused(limits::HTTP_HEADERS + 1),
            (Err(HEAD_TOO_LARGE), 16 + 6 * (limits::HTTP_HEADERS + 1))
        );
    }

    #[test]
    fn heads_that_could_hide_a_request_are_refused() {
        let check = |headers: &str| {
            let text = format!("POST / HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
            let (mut parser, mut received) = (HeadParser::default(), BytesMut::from(text.as_str()));
            match parser.parse(&received, NAMES) {
                Ok(is_complete) => assert!(is_complete),
                Err((status, _)) => return Err(status.as_u16()),
            }
            parser.take(&mut received).check().map_err(|(status, _)| status.as_u16())
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
            let (mut parser, mut received) = (HeadParser::default(), BytesMut::from(text.as_str()));
            assert!(parser.parse(&received, NAMES).unwrap());
            parser.take(&mut received)
        };
        assert_eq!(request("1.0").check(), Ok(()));
        assert_eq!(request("1.1").check().unwrap_err().0, StatusCode::BAD_REQUEST);
    }
}
