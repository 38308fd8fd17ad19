//! What hyper does not tell of request heads: the target as it was sent (a URI has no `#fragment`), and which headers
//! that say where a request ends came together.
//!
//! The bytes are followed on their way to hyper, past the bodies, so that there is one [`HeadFacts`] for each request.

use std::collections::VecDeque;

use bstr::{BString, ByteSlice};
use parking_lot::Mutex;

use crate::limits;

/// Properties of a request head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HeadFacts {
    /// Request target without scheme and host.
    pub(super) target: BString,
    /// Number of `Content-Length` headers.
    pub(super) lengths: usize,
    /// Whether there is a `Transfer-Encoding` header.
    pub(super) has_encoding: bool,
}

/// Buffer capacity kept for the next head.
const KEPT: usize = 1024;

/// Request heads of a connection.
#[derive(Debug, Default)]
pub(super) struct HeadTracker(Mutex<Follower>);

#[derive(Debug, Default)]
struct Follower {
    at: HeadPosition,
    /// The incomplete line or head.
    text: Vec<u8>,
    facts: VecDeque<HeadFacts>,
}

/// Parser state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum HeadPosition {
    /// In a head.
    #[default]
    Head,
    /// In a body or chunk with this number of bytes left.
    Data { left: u64, chunked: bool },
    /// At the end of a chunk or in the size of the next one.
    Size,
    /// After the last chunk.
    Trailer,
    /// Position unknown; hyper cannot parse on either.
    Lost,
}

impl HeadTracker {
    /// Parses bytes received from the client.
    pub(super) fn follow(&self, bytes: &[u8]) {
        self.0.lock().follow(bytes);
    }

    /// Properties of the next request that hyper returns; `None` if unknown.
    pub(super) fn next(&self) -> Option<HeadFacts> {
        self.0.lock().facts.pop_front()
    }
}

impl Follower {
    fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = match self.at {
                HeadPosition::Lost => return,
                HeadPosition::Data { left, chunked } => {
                    let taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    let left = left - taken as u64;
                    self.at = match (left, chunked) {
                        (0, true) => HeadPosition::Size,
                        (0, false) => HeadPosition::Head,
                        _ => HeadPosition::Data { left, chunked },
                    };
                    taken
                }
                HeadPosition::Head | HeadPosition::Size | HeadPosition::Trailer => {
                    let end = bytes.find_byte(b'\n').map(|at| at + 1);
                    let taken = end.unwrap_or(bytes.len());
                    self.text.extend_from_slice(&bytes[..taken]);
                    if self.text.len() > 2 * limits::HTTP_HEAD_BYTES {
                        self.at = HeadPosition::Lost;
                    } else if end.is_some() {
                        self.line();
                    }
                    taken
                }
            };
            bytes = &bytes[taken..];
        }
    }

    /// Processes a complete line.
    fn line(&mut self) {
        let is_last = self.text.ends_with(b"\n\n") || self.text.ends_with(b"\n\r\n");
        let is_empty = matches!(&self.text[..], b"\n" | b"\r\n");
        self.at = match self.at {
            HeadPosition::Head if is_empty => HeadPosition::Head,
            HeadPosition::Head if is_last => {
                let (facts, body) = read(&self.text);
                self.facts.push_back(facts);
                body
            }
            HeadPosition::Head => return,
            // The line end after a chunk.
            HeadPosition::Size if is_empty => HeadPosition::Size,
            HeadPosition::Size => match chunk_size(&self.text) {
                Some(0) => HeadPosition::Trailer,
                Some(left) => HeadPosition::Data { left, chunked: true },
                None => HeadPosition::Lost,
            },
            HeadPosition::Trailer if is_empty => HeadPosition::Head,
            at => at,
        };
        // An idle connection keeps only the capacity that most heads need.
        self.text.clear();
        self.text.shrink_to(KEPT);
    }
}

/// Properties of a complete head, and the parser state after it.
fn read(head: &[u8]) -> (HeadFacts, HeadPosition) {
    let mut lines = head.lines().skip_while(|line| line.is_empty());
    let mut facts = HeadFacts::default();
    let mut words = lines.next().unwrap_or_default().split(|b| *b == b' ').skip(1);
    facts.target = origin_form(words.next().unwrap_or_default()).into();
    let (mut length, mut is_chunked) = (None, false);
    for (name, value) in lines.filter_map(|line| line.split_once_str(":")) {
        let value = value.trim();
        if name.eq_ignore_ascii_case(b"content-length") {
            facts.lengths += 1;
            length = value.to_str().ok().and_then(|text| text.parse::<u64>().ok());
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            facts.has_encoding = true;
            let last = value.rsplit(|b| *b == b',').next().unwrap_or_default();
            is_chunked = last.trim().eq_ignore_ascii_case(b"chunked");
        }
    }
    let body = match (facts.has_encoding, is_chunked, facts.lengths, length) {
        (true, true, ..) => HeadPosition::Size,
        (true, false, ..) => HeadPosition::Lost,
        (false, _, 0, _) | (false, _, _, Some(0)) => HeadPosition::Head,
        (false, _, _, Some(left)) => HeadPosition::Data { left, chunked: false },
        (false, _, _, None) => HeadPosition::Lost,
    };
    (facts, body)
}

/// Request target without scheme and host.
fn origin_form(target: &[u8]) -> &[u8] {
    if target.starts_with(b"/") {
        return target;
    }
    let Some((_, rest)) = target.split_once_str("://") else { return target };
    match rest.find_byteset("/?#") {
        Some(at) => &rest[at..],
        None => b"/",
    }
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let size = line.split(|b| *b == b';').next()?.trim();
    u64::from_str_radix(size.to_str().ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"\r\nGET /a#//b HTTP/1.1\r\nHost: h\r\n\r\n\
        POST /two HTTP/1.1\r\nContent-Length: 29\r\n\r\nGET /no HTTP/1.1\r\nHost: h\r\n\r\n\
        POST /three HTTP/1.1\nTransfer-Encoding: x, Chunked\ncontent-length : 3\ncontent-length: 5\n\n\
        1d;x=y\r\nGET /no HTTP/1.1\r\nHost: h\r\n\r\n\r\n0\r\nA: b\r\n\r\n\
        GET http://h?four HTTP/1.1\r\n\r\nGET five HTTP/1.1\r\nContent-Length: x\r\n\r\nGET /lost HTTP/1.1\r\n\r\n";

    #[test]
    fn every_request_has_its_facts_however_the_bytes_come() {
        let facts =
            |target: &str, lengths, has_encoding| HeadFacts { target: target.into(), lengths, has_encoding };
        for piece in 1..STREAM.len() {
            let heads = HeadTracker::default();
            STREAM.chunks(piece).for_each(|bytes| heads.follow(bytes));
            assert_eq!(heads.next(), Some(facts("/a#//b", 0, false)), "{piece}");
            assert_eq!(heads.next(), Some(facts("/two", 1, false)), "{piece}");
            assert_eq!(heads.next(), Some(facts("/three", 1, true)), "{piece}");
            assert_eq!(heads.next(), Some(facts("?four", 0, false)), "{piece}");
            assert_eq!(heads.next(), Some(facts("five", 1, false)), "{piece}");
            assert_eq!(heads.next(), None, "{piece}");
        }
    }
}
