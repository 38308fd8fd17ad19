//! Heads of responses, read as strictly as nginx reads them.

use std::ops::Range;
use std::sync::Arc;

use bstr::ByteSlice;
use bytes::{Bytes, BytesMut};
use http::Response;

use crate::http::headers::Headers;

/// Head of a response.
#[derive(Clone, Debug, Default)]
pub(super) struct ResponseHead {
    /// Status.
    pub(super) status: u16,
    /// Status and reason as received.
    pub(super) status_line: Bytes,
    /// Headers as received.
    pub(super) headers: Arc<Headers>,
    /// Length of the body.
    pub(super) length: Option<u64>,
    /// Whether the body comes in chunks.
    pub(super) is_chunked: bool,
    /// Whether the connection ends with the response.
    pub(super) closes: bool,
    /// Whether there is no head: as in nginx, everything is the body then (HTTP/0.9, Shoutcast).
    pub(super) is_bare: bool,
}

impl ResponseHead {
    fn bare() -> ResponseHead {
        ResponseHead { status: 200, closes: true, is_bare: true, ..ResponseHead::default() }
    }

    /// A head that came over HTTP/2, and its bytes as they would be over HTTP/1.1.
    ///
    /// # Errors
    ///
    /// Its length is none.
    pub(super) fn of_http2(head: &Response<()>) -> Result<(ResponseHead, usize), BadHead> {
        let status = head.status();
        // HTTP/2 has no reasons.
        let line = format!("{} {}", status.as_str(), status.canonical_reason().unwrap_or_default());
        let mut bytes = line.len();
        let mut read = ResponseHead { status: status.as_u16(), ..ResponseHead::default() };
        read.status_line = line.into();
        let mut headers = Headers::default();
        for (name, value) in head.headers() {
            bytes += name.as_str().len() + value.len() + ": \r\n".len();
            if name == http::header::CONTENT_LENGTH {
                read.length = Some(length_of(value.as_bytes()).ok_or_else(|| {
                    let shown = crate::log::shown::Shown::new(value.as_bytes()).to_string();
                    BadHead(format!("upstream sent invalid \"Content-Length\" header: \"{name}: {shown}\""))
                })?);
            }
            headers.append(name.as_str().to_owned(), value.as_bytes().to_vec());
        }
        read.headers = Arc::new(headers);
        Ok((read, bytes))
    }
}

/// Why a head is refused: the text for the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadHead(pub(super) String);

/// Headers of a response for which memory is allocated at once.
const USUAL_HEADERS: usize = 16;

/// A head being received.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    /// What the lines say so far, without the headers.
    head: ResponseHead,
    /// Bytes of complete lines: those of a head are taken together, once all of them are there.
    read: usize,
    /// Bytes behind them that were searched.
    searched: usize,
    /// Where status and reason are.
    status: Option<Range<usize>>,
    /// Where the names and values of the headers are.
    fields: Vec<(Range<usize>, Range<usize>)>,
    /// Bytes of the head that was taken.
    taken: usize,
}

impl HeadReader {
    /// Bytes of the head, once it is complete.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// Reads what was received, and takes the head from it once that is complete. Until then nothing is taken.
    ///
    /// # Errors
    ///
    /// [`BadHead`].
    pub(super) fn read(&mut self, received: &mut BytesMut) -> Result<Option<ResponseHead>, BadHead> {
        loop {
            if self.status.is_none() {
                // What cannot become a status line is refused at once.
                let start = &received[..received.len().min(5)];
                if !b"HTTP/".starts_with(start) {
                    return Ok(Some(ResponseHead::bare()));
                }
            }
            let start = self.read;
            let Some(newline) = received[start + self.searched..].find_byte(b'\n') else {
                self.searched = received.len() - start;
                return Ok(None);
            };
            let end = start + self.searched + newline;
            (self.read, self.searched) = (end + 1, 0);
            let line = &received[start..end];
            if self.status.is_none() {
                self.status = self.status_line(line);
                if self.status.is_none() {
                    return Ok(Some(ResponseHead::bare()));
                }
            } else if matches!(line, b"" | b"\r") {
                return self.complete(received).map(Some);
            } else {
                self.header(start, line)?;
            }
        }
    }

    /// Reads the status line; returns where status and reason are in it, `None` if the line is none.
    fn status_line(&mut self, line: &[u8]) -> Option<Range<usize>> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (major, rest) = version_number(line.strip_prefix(b"HTTP/")?).filter(|_| line[5] != b'0')?;
        let (minor, rest) = version_number(rest.strip_prefix(b".")?)?;
        let mut text = rest.strip_prefix(b" ")?;
        while let Some(rest) = text.strip_prefix(b" ") {
            text = rest;
        }
        let (code, reason) = text.split_at_checked(3)?;
        let is_code = code.iter().all(u8::is_ascii_digit) && code[0] != b'0';
        if !is_code || !matches!(reason.first(), None | Some(b' ' | b'.')) || reason.contains(&b'\r') {
            return None;
        }
        self.head.status = code.iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
        self.head.closes = (major, minor) < (1, 1);
        Some(line.len() - text.len()..line.len())
    }

    /// Reads the line of a header, which begins at an offset.
    fn header(&mut self, start: usize, line: &[u8]) -> Result<(), BadHead> {
        let is_end = |b: &u8| *b <= b' ' || *b == 0x7f || *b == b':';
        let length = line.len();
        let (name, mut value) = match line.iter().position(is_end) {
            Some(0) => return Err(invalid(line, 0)),
            Some(end) if line[end] == b':' => (0..end, end + 1..length),
            // A line without a value, and what a server sends twice.
            Some(end) if line[end..].iter().all(|b| *b == b'\r') => (0..end, length..length),
            None => (0..length, length..length),
            Some(_) if line.starts_with(b"HTTP/") => return Ok(()),
            Some(end) => return Err(invalid(line, end)),
        };
        while value.end > value.start && line[value.end - 1] == b'\r' {
            value.end -= 1;
        }
        let is_bad = |b: &u8| matches!(b, b'\r' | 0);
        // All bytes are looked at, which for a few is faster than to search.
        if line[value.clone()].iter().fold(false, |found, b| found | is_bad(b)) {
            let at = line[value.clone()].iter().position(is_bad).unwrap_or_default();
            return Err(invalid(line, value.start + at));
        }
        while value.start < value.end && line[value.start] == b' ' {
            value.start += 1;
        }
        while value.start < value.end && line[value.end - 1] == b' ' {
            value.end -= 1;
        }
        self.note(&line[name.clone()], &line[value.clone()])?;
        let at = |range: Range<usize>| start + range.start..start + range.end;
        if self.fields.is_empty() {
            self.fields.reserve(USUAL_HEADERS);
        }
        self.fields.push((at(name), at(value)));
        Ok(())
    }

    /// Notes what a header says about the connection and the body.
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), BadHead> {
        let refuse = |what: &str| {
            let shown = |text: &[u8]| crate::log::shown::Shown::new(text).to_string();
            Err(BadHead(format!("upstream sent {what}: \"{}: {}\"", shown(name), shown(value))))
        };
        if name.eq_ignore_ascii_case(b"content-length") {
            if self.head.length.is_some() {
                return refuse("duplicate header line");
            }
            match length_of(value) {
                Some(length) => self.head.length = Some(length),
                None => return refuse("invalid \"Content-Length\" header"),
            }
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.head.is_chunked {
                return refuse("duplicate header line");
            }
            if !value.eq_ignore_ascii_case(b"chunked") {
                return refuse("unknown \"Transfer-Encoding\"");
            }
            self.head.is_chunked = true;
        }
        if name.eq_ignore_ascii_case(b"connection") {
            let is_close = |option: &[u8]| option.trim_ascii().eq_ignore_ascii_case(b"close");
            self.head.closes |= value.split(|byte| *byte == b',').any(is_close);
        }
        Ok(())
    }

    /// Takes the complete head.
    fn complete(&mut self, received: &mut BytesMut) -> Result<ResponseHead, BadHead> {
        if self.head.is_chunked && self.head.length.is_some() {
            let text = "upstream sent \"Content-Length\" and \"Transfer-Encoding\" headers at the same time";
            return Err(BadHead(text.into()));
        }
        let reader = std::mem::take(self);
        self.taken = reader.read;
        let bytes = received.split_to(reader.read).freeze();
        let shared = |at: Range<usize>| bytes.slice(at);
        let headers = reader.fields.into_iter().map(|(name, value)| (shared(name), shared(value))).collect();
        let status_line = reader.status.map(shared).unwrap_or_default();
        Ok(ResponseHead { status_line, headers: Arc::new(headers), ..reader.head })
    }
}

/// A number of a version, and what follows it.
fn version_number(text: &[u8]) -> Option<(u32, &[u8])> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = text.split_at_checked(digits).filter(|_| (1..=3).contains(&digits))?;
    Some((number.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')), rest))
}

/// The value of `Content-Length`.
fn length_of(value: &[u8]) -> Option<u64> {
    let add = |length: u64, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    };
    let length = value.iter().try_fold(0, add).filter(|_| !value.is_empty())?;
    (length <= i64::MAX as u64).then_some(length)
}

/// The complaint about a byte of a line.
fn invalid(line: &[u8], at: usize) -> BadHead {
    let before = crate::log::shown::Shown::new(&line[..at]);
    BadHead(format!("upstream sent invalid header: \"{before}\\x{:02x}...\"", line[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], piece: usize) -> Result<Option<(ResponseHead, usize)>, BadHead> {
        let (mut reader, mut received) = (HeadReader::default(), BytesMut::new());
        for bytes in text.chunks(piece) {
            received.extend_from_slice(bytes);
            if let Some(head) = reader.read(&mut received)? {
                return Ok(Some((head, reader.taken())));
            }
        }
        Ok(None)
    }

    #[test]
    fn a_head_is_the_same_however_its_bytes_come() {
        let text = b"HTTP/1.1 200 All fine\r\nA: b\r\nEmpty:\r\nX_y:  v  \r\ncontent-length: 5\n\r\nrest";
        for piece in 1..text.len() {
            let (head, taken) = read(text, piece).unwrap().unwrap();
            assert_eq!((head.status, &head.status_line[..]), (200, &b"200 All fine"[..]));
            let all: Vec<_> = head.headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
            assert_eq!(all, ["A=b", "Empty=", "X_y=v", "content-length=5"]);
            assert_eq!((head.length, head.is_chunked, head.closes), (Some(5), false, false));
            assert_eq!(taken, text.len() - 4);
        }
    }

    #[test]
    fn heads_of_http2_are_as_long_as_those_of_http1() {
        let mut response = Response::new(());
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        response.headers_mut().append("x-a", "b".parse().unwrap());
        response.headers_mut().append("content-length", "5".parse().unwrap());
        let (head, bytes) = ResponseHead::of_http2(&response).unwrap();
        assert_eq!((head.status, &head.status_line[..], head.length), (404, &b"404 Not Found"[..], Some(5)));
        assert_eq!(bytes, "404 Not Found".len() + "x-a: b\r\n".len() + "content-length: 5\r\n".len());
        assert!(!head.closes && !head.is_chunked && !head.is_bare);
        response.headers_mut().insert("content-length", "9223372036854775808".parse().unwrap());
        assert!(ResponseHead::of_http2(&response).is_err());
    }

    #[test]
    fn malformed_heads_are_refused() {
        for text in [
            "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA b: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: x\ry\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: x\0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        ] {
            assert!(read(text.as_bytes(), 3).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_has_no_status_line_is_a_body() {
        for text in [
            "hello\r\n\r\n",
            "ICY 200 OK\r\n\r\n",
            "HTTP/1 200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/0.9 200 OK\r\n\r\n",
            "HTTP/1000.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 O\rK\r\n\r\n",
        ] {
            let mut received = BytesMut::from(text);
            let head = HeadReader::default().read(&mut received).unwrap().unwrap();
            assert!(head.is_bare && head.closes, "{text:?}");
            assert_eq!((head.status, &received[..]), (200, text.as_bytes()));
        }
    }

    #[test]
    fn http_1_0_and_close_end_the_connection() {
        let closes = |text: &str| read(text.as_bytes(), 100).unwrap().unwrap().0.closes;
        assert!(closes("HTTP/1.0 200 OK\r\n\r\n"));
        assert!(closes("HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n"));
        assert!(closes("HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\n\r\n"));
        assert!(!closes("HTTP/1.1 200\r\nConnection: keep-alive\r\n\r\n"));
        assert!(!closes("HTTP/1.1 200\r\nConnection: x-close\r\n\r\n"));
    }
}
