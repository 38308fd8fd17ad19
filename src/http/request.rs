//! Requests: what their heads say.

use std::borrow::Cow;
use std::ops::Range;

use bstr::{BStr, ByteSlice};
use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode, Version};
use strum::{AsRefStr, EnumCount, VariantArray};

use super::headers::is_like;
use super::host;
use super::request_line::RequestLine;
use crate::limits;
use crate::log::shown::Shown;

/// Refusal of a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeadError {
    /// The status of the response.
    pub(super) status: StatusCode,
    /// The reason for the log, in nginx's words; bytes of the client's are escaped.
    pub(super) why: Cow<'static, str>,
    /// Whether it stands in the request line, and not in a header.
    pub(super) is_in_line: bool,
}

impl HeadError {
    /// What is wrong with the headers. `status` may be one of nginx's own.
    pub(super) fn new(status: u16, why: impl Into<Cow<'static, str>>) -> HeadError {
        let status = StatusCode::from_u16(status).expect("it is one");
        HeadError { status, why: why.into(), is_in_line: false }
    }

    /// Headers that are answered with 400.
    pub(super) fn bad(why: impl Into<Cow<'static, str>>) -> HeadError {
        HeadError::new(400, why)
    }

    /// The same of the request line.
    pub(super) fn in_line(self) -> HeadError {
        HeadError { is_in_line: true, ..self }
    }
}

/// nginx's own status of a head that is too large; clients see 400.
pub(super) const HEAD_TOO_LARGE: u16 = 494;

/// How the body of a request is framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is none.
    #[default]
    None,
    /// Of this many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// Where the name and the value of a header stand in the head.
pub(super) type HeaderRange = (Range<usize>, Range<usize>);

/// Headers that may appear only once, as in nginx 1.22.
#[derive(AsRefStr, Clone, Copy, Debug, EnumCount, PartialEq, Eq, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub(super) enum UniqueHeader {
    Host,
    Authorization,
    ContentLength,
    ContentRange,
    Expect,
    IfMatch,
    IfModifiedSince,
    IfNoneMatch,
    IfRange,
    IfUnmodifiedSince,
    TransferEncoding,
}

impl UniqueHeader {
    /// The header with this name, in any case.
    pub(super) fn named(name: &[u8]) -> Option<UniqueHeader> {
        let is_named = |known: &&UniqueHeader| known.as_ref().as_bytes().eq_ignore_ascii_case(name);
        UniqueHeader::VARIANTS.iter().find(is_named).copied()
    }
}

/// The headers of a request that may appear only once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UniqueHeaders([bool; UniqueHeader::COUNT]);

impl UniqueHeaders {
    /// Adds one. Returns whether it is the first of its name.
    pub(super) fn add(&mut self, header: UniqueHeader) -> bool {
        !std::mem::replace(&mut self.0[header as usize], true)
    }
}

/// The head of a request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub(super) head: BytesMut,
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) line: RequestLine,
    /// The host that was asked for, without port and final dot; empty if it is none.
    pub(super) host: Range<usize>,
    pub(super) unique: UniqueHeaders,
    pub(super) fields: Vec<HeaderRange>,
    pub(super) path: Option<Vec<u8>>,
    pub(super) is_path_invalid: bool,
    /// Whether it was refused before it had a line, as nginx makes one of a request over HTTP/2.
    pub(super) lacks_line: bool,
    /// Whether its method is not known.
    pub(super) lacks_method: bool,
    pub(super) counted: usize,
    pub(super) room: usize,
    /// Whether the head was received and understood to its end.
    pub(super) is_complete: bool,
    /// The first header line that was left out because of its name.
    pub(super) left_out: Option<Range<usize>>,
    pub(super) body: BodyFraming,
}

impl Request {
    /// Whether it has this header.
    pub(super) fn has(&self, header: UniqueHeader) -> bool {
        self.unique.0[header as usize]
    }

    pub(super) fn find_body(&self) -> BodyFraming {
        if self.has(UniqueHeader::TransferEncoding) {
            return BodyFraming::Chunked;
        }
        let length = self.has(UniqueHeader::ContentLength).then(|| self.header("content-length"));
        match length.flatten().and_then(|text| number(text)) {
            None | Some(0) => BodyFraming::None,
            Some(length) => BodyFraming::Length(length),
        }
    }

    /// Makes a request that was parsed as one of HTTP/1.1 one of HTTP/2; `version_at` is where its line has the version. As in nginx, `length`
    /// bytes count as its head.
    pub(super) fn become_http2(&mut self, version_at: usize, length: usize) {
        const VERSION: &[u8] = b"HTTP/2.0";
        (self.version, self.counted, self.room) = (Version::HTTP_2, length, 0);
        if let Some(version) = self.head.get_mut(version_at..version_at + VERSION.len()) {
            version.copy_from_slice(VERSION);
        }
    }

    /// Makes it one that has no line, and perhaps neither a method nor a path.
    pub(super) fn become_incomplete(&mut self, lacks_method: bool, lacks_path: bool) {
        (self.lacks_line, self.lacks_method, self.is_complete) = (true, lacks_method, false);
        if lacks_path {
            (self.line.target, self.line.path, self.line.query) = (0..0, 0..0, None);
            self.path = None;
        }
    }

    /// Forgets what it says, once it is over. Returns whether its memory is worth using again.
    pub(super) fn forget(&mut self) -> bool {
        let (mut head, mut fields) = (std::mem::take(&mut self.head), std::mem::take(&mut self.fields));
        let is_small =
            head.capacity() <= limits::HTTP_SPARE_BYTES && fields.capacity() <= limits::HTTP_SPARE_HEADERS;
        head.clear();
        fields.clear();
        *self = Request { head, fields, ..Request::default() };
        is_small
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
        if !self.has_line() {
            let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
            let start = self.head.iter().take_while(|byte| is_end(byte)).count();
            let length = self.head[start..].iter().take_while(|byte| !is_end(byte)).count();
            return self.part(&(start..start + length));
        }
        self.part(&(self.line.start..self.line.end))
    }

    /// Whether its line was received.
    pub(super) fn has_line(&self) -> bool {
        self.line.end > 0
    }

    /// The first header line that was left out because of its name, without its end.
    pub(super) fn left_out(&self) -> Option<&BStr> {
        self.left_out.as_ref().map(|line| self.part(line))
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

    /// Values of all headers whose name is this one, with every `-` written as `_`.
    pub(super) fn headers_like(&self, name: &[u8]) -> impl Iterator<Item = &BStr> {
        self.headers().filter(move |(known, _)| is_like(known, name)).map(|(_, value)| value)
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
        self.part(&self.host)
    }

    /// The port beside the host; `None` without one.
    pub(super) fn port(&self) -> Option<u16> {
        let Some(host) = &self.line.host else {
            return host::port(self.header("host").unwrap_or_default());
        };
        // The port stands behind the host of an absolute target, which is a valid one.
        let rest = self.head.get(host.start..).unwrap_or_default();
        let behind = rest.get(host.len()..).unwrap_or_default();
        let digits = behind.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
        let length = host.len() + if behind.first() == Some(&b':') { 1 + digits } else { 0 };
        host::port(rest.get(..length).unwrap_or_default())
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
        let bad = |why| Err(HeadError::bad(why));
        if self.version >= Version::HTTP_11 && !self.has(UniqueHeader::Host) {
            return bad("client sent HTTP/1.1 request without \"Host\" header");
        }
        let has_length = self.has(UniqueHeader::ContentLength);
        if has_length && self.header("content-length").is_none_or(|text| number(text).is_none()) {
            return bad("client sent invalid \"Content-Length\" header");
        }
        if self.has(UniqueHeader::TransferEncoding)
            && let Some(encoding) = self.header("transfer-encoding")
        {
            if self.version < Version::HTTP_11 {
                return bad("client sent HTTP/1.0 request with \"Transfer-Encoding\" header");
            }
            if !encoding.eq_ignore_ascii_case(b"chunked") {
                let shown = Shown::beginning(encoding, limits::HTTP_LOGGED_HEADER);
                let why = format!("client sent unknown \"Transfer-Encoding\": \"{shown}\"");
                return Err(HeadError::new(501, why));
            }
            if has_length {
                return bad(
                    "client sent \"Content-Length\" and \"Transfer-Encoding\" headers at the same time",
                );
            }
        }
        if self.method == Method::CONNECT {
            return Err(HeadError::new(405, "client sent CONNECT method"));
        }
        if self.method == Method::TRACE {
            return Err(HeadError::new(405, "client sent TRACE method"));
        }
        Ok(())
    }

    fn part(&self, range: &Range<usize>) -> &BStr {
        self.head.get(range.clone()).unwrap_or_default().as_bstr()
    }
}

/// A decimal number without sign.
fn number(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number: u64 = text.to_str().ok().filter(|_| is_number)?.parse().ok()?;
    (number <= i64::MAX as u64).then_some(number)
}
