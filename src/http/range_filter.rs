//! Ranges of bodies (RFC 9110 §14), as in nginx: parts of what is in memory or in files.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::task::{Context, Poll, ready};

use bstr::BString;
use bytes::Bytes;
use http::StatusCode;

use super::exchange::Exchange;
use super::range::{self, Ranges};
use super::response::{Body, BodySource, FilePart, Piece, Response};
use crate::limits;

/// Replaces a response by the ranges that the request asks for. Returns a page where there are none of them.
pub(super) fn filter(exchange: &mut Exchange<'_>) -> Option<Response> {
    let response = &exchange.response;
    if response.status != StatusCode::OK || !response.has_ranges || exchange.is_subrequest() {
        return None;
    }
    let length = response.body.length()?;
    let most = exchange.core().max_ranges.unwrap_or(u64::MAX);
    if most == 0 {
        return None;
    }
    let most = if response.has_single_range { 1 } else { most };
    let asked = exchange.header("range");
    let ranges = if asked.is_empty() || !is_current(exchange) {
        Ranges::Whole
    } else {
        range::parse(asked, length, usize::try_from(most).unwrap_or(usize::MAX))
    };
    let ranges = match ranges {
        // A body that is produced while it is sent is produced once, from its beginning to its end. Only a short one is kept.
        Ranges::Parts(parts)
            if matches!(response.body, Body::Source(_))
                && length > limits::HTTP_RANGES_IN_MEMORY
                && !is_ascending(&parts) =>
        {
            Ranges::Whole
        }
        Ranges::Parts(_) if matches!(response.body, Body::Live(_)) => Ranges::Whole,
        ranges => ranges,
    };
    match ranges {
        Ranges::Whole => exchange.response.headers.append("Accept-Ranges", "bytes"),
        Ranges::Unsatisfiable => {
            let mut page = Response::page(StatusCode::RANGE_NOT_SATISFIABLE);
            if exchange.response.foreign.is_some() {
                // As in nginx, the page has the headers of the other server.
                page.headers = std::mem::take(&mut exchange.response.headers);
                for name in [&b"ETag"[..], b"Last-Modified", b"Accept-Ranges", b"Content-Range"] {
                    page.headers.remove(name);
                }
            }
            page.headers.append("Content-Range", format!("bytes */{length}"));
            return Some(page);
        }
        Ranges::Parts(parts) => {
            let response = &mut exchange.response;
            // One that another server has sent is about something else (as in newer nginx).
            if response.foreign.is_some() {
                response.headers.remove(b"Content-Range");
            }
            response.status = StatusCode::PARTIAL_CONTENT;
            let body = std::mem::take(&mut response.body);
            if let [part] = &parts[..] {
                response
                    .headers
                    .append("Content-Range", format!("bytes {}-{}/{length}", part.start, part.end - 1));
                response.body = match body {
                    Body::Pieces(pieces) => Body::Pieces(cut(pieces.iter(), part.start, part.end).collect()),
                    mut body => {
                        let at = match &mut body {
                            Body::Source(source) => source.cut(part),
                            _ => 0,
                        };
                        Body::Source(Box::new(PartOfBody { body, at, part: part.clone() }))
                    }
                };
                return None;
            }
            let content_type = response.content_type.take().unwrap_or_default();
            let charset = response.charset.take();
            let boundary = range::boundary();
            let charset = charset.as_ref().map(|charset| charset.as_slice());
            let head = |part: &Range<u64>| {
                Bytes::from(range::part_head(&boundary, &content_type, charset, part.clone(), length))
            };
            let end = Bytes::from(range::end(&boundary));
            response.body = match body {
                Body::Pieces(pieces) => {
                    let parts = parts.iter().flat_map(|part| {
                        let found = cut(pieces.iter(), part.start, part.end);
                        std::iter::once(Piece::Memory(head(part))).chain(found)
                    });
                    Body::Pieces(parts.chain([Piece::Memory(end)]).collect())
                }
                body => {
                    let keeps = !is_ascending(&parts);
                    let parts = parts.iter().map(|part| (head(part), part.clone())).collect();
                    Body::Source(Box::new(PartsOfBody::new(body, parts, end, keeps)))
                }
            };
            response.content_type = Some(BString::from(format!("multipart/byteranges; boundary={boundary}")));
        }
    }
    None
}

/// Whether each part begins behind the one before it.
fn is_ascending(parts: &[Range<u64>]) -> bool {
    parts.windows(2).all(|two| two[0].end <= two[1].start)
}

/// Part of a body that is produced while it is sent.
struct PartOfBody {
    body: Body,
    /// Bytes of the body that were produced.
    at: u64,
    part: Range<u64>,
}

impl BodySource for PartOfBody {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        while self.at < self.part.end {
            let piece = match ready!(self.body.poll_piece(cx)) {
                Some(Ok(piece)) => piece,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
            };
            let (start, length) = (self.at, piece.length());
            self.at += length;
            let part = self.part.start.saturating_sub(start)..self.part.end - start;
            if let Some(piece) = cut(std::iter::once(&piece), part.start, part.end).next() {
                return Poll::Ready(Some(Ok(piece)));
            }
        }
        Poll::Ready(None)
    }

    fn length(&self) -> Option<u64> {
        Some(self.part.end - self.part.start)
    }
}

/// Parts of a body that is produced while it is sent.
struct PartsOfBody {
    body: Body,
    /// Pieces of the body that were produced, and where they begin: the last one, or all.
    pieces: Vec<(u64, Piece)>,
    /// Whether all are kept, because a part may begin before the end of the one before it.
    keeps: bool,
    /// Bytes of the body that were produced.
    at: u64,
    /// What stands before each part, until it was sent, and what is left of the part; in their order.
    parts: VecDeque<(Bytes, Range<u64>)>,
    /// What stands behind the parts, until it was sent.
    end: Bytes,
    length: u64,
}

impl PartsOfBody {
    fn new(body: Body, parts: VecDeque<(Bytes, Range<u64>)>, end: Bytes, keeps: bool) -> PartsOfBody {
        let of_parts: u64 = parts.iter().map(|(head, part)| head.len() as u64 + part.end - part.start).sum();
        let length = of_parts + end.len() as u64;
        PartsOfBody { body, pieces: Vec::new(), keeps, at: 0, length, parts, end }
    }
}

impl BodySource for PartsOfBody {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        while let Some((head, part)) = self.parts.front_mut() {
            if !head.is_empty() {
                return Poll::Ready(Some(Ok(Piece::Memory(std::mem::take(head)))));
            }
            if part.is_empty() {
                self.parts.pop_front();
                continue;
            }
            let has_start =
                |(start, piece): &&(u64, Piece)| (*start..start + piece.length()).contains(&part.start);
            let Some((start, piece)) = self.pieces.iter().find(has_start) else {
                let piece = match ready!(self.body.poll_piece(cx)) {
                    Some(Ok(piece)) => piece,
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                };
                let start = self.at;
                self.at += piece.length();
                if !self.keeps {
                    self.pieces.clear();
                }
                self.pieces.push((start, piece));
                continue;
            };
            let wanted = part.start.saturating_sub(*start)..part.end - start;
            let Some(found) = cut(std::iter::once(piece), wanted.start, wanted.end).next() else {
                return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
            };
            part.start += found.length();
            return Poll::Ready(Some(Ok(found)));
        }
        let end = std::mem::take(&mut self.end);
        Poll::Ready((!end.is_empty()).then_some(Ok(Piece::Memory(end))))
    }

    fn length(&self) -> Option<u64> {
        Some(self.length)
    }
}

/// Whether `If-Range`, if it is given, names the present version.
fn is_current(exchange: &Exchange<'_>) -> bool {
    let Some(known) = exchange.request.header("if-range") else { return true };
    let response = &exchange.response;
    if known.starts_with(b"\"") || known.starts_with(b"W/") {
        return known.ends_with(b"\"") && response.headers.get(b"ETag") == Some(known);
    }
    let Some(modified) = response.modified() else { return false };
    super::date::seconds(known) == Some(modified)
}

/// The bytes from `start` up to `end`.
fn cut<'p>(pieces: impl Iterator<Item = &'p Piece>, start: u64, end: u64) -> impl Iterator<Item = Piece> {
    let mut next = 0;
    pieces.filter_map(move |piece| {
        let at = next;
        next += piece.length();
        let (from, to) = (start.max(at), end.min(next));
        if from >= to {
            return None;
        }
        let (skip, length) = (from - at, to - from);
        Some(match piece {
            Piece::Memory(bytes) => {
                let index = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
                Piece::Memory(bytes.slice(index(skip)..index(skip + length)))
            }
            Piece::File(part) => {
                Piece::File(FilePart { file: part.file.clone(), start: part.start + skip, length })
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parts_of_a_produced_body() {
        let text: Vec<u8> = (0..100).collect();
        let ascending = [(0, 1), (1, 3), (5, 25), (26, 27), (90, 100)];
        let others = [(90, 100), (26, 60), (5, 30), (5, 6), (0, 3)];
        let cases = [1, 7, 10, 100].map(|size| [(size, ascending, false), (size, others, true)]);
        for (size, parts, keeps) in cases.into_iter().flatten() {
            let pieces = text.chunks(size).map(|piece| Piece::Memory(piece.to_vec().into())).collect();
            let head = Bytes::from_static(b"<");
            let heads = parts.iter().map(|(start, end)| (head.clone(), *start..*end)).collect();
            let mut body = PartsOfBody::new(Body::Pieces(pieces), heads, Bytes::from_static(b">"), keeps);
            let mut found = Vec::new();
            while let Some(piece) = std::future::poll_fn(|cx| body.poll_piece(cx)).await {
                let Piece::Memory(bytes) = piece.unwrap() else { panic!("it is in memory") };
                assert!(!bytes.is_empty());
                found.extend_from_slice(&bytes);
            }
            let of_part = |(start, end): (u64, u64)| [b"<", &text[start as usize..end as usize]].concat();
            assert_eq!(found, [parts.map(of_part).concat(), b">".to_vec()].concat());
            assert_eq!(body.length(), Some(found.len() as u64));
        }
    }

    #[tokio::test]
    async fn a_part_of_a_produced_body() {
        let text: Vec<u8> = (0..100).collect();
        for (start, end) in [(0, 100), (0, 1), (99, 100), (9, 21), (10, 20), (35, 36)] {
            let pieces = text.chunks(10).map(|piece| Piece::Memory(piece.to_vec().into())).collect();
            let mut part = PartOfBody { body: Body::Pieces(pieces), at: 0, part: start..end };
            let mut found = Vec::new();
            while let Some(piece) = std::future::poll_fn(|cx| part.poll_piece(cx)).await {
                let Piece::Memory(bytes) = piece.unwrap() else { panic!("it is in memory") };
                found.extend_from_slice(&bytes);
            }
            let index = |n: u64| usize::try_from(n).unwrap();
            assert_eq!(found, text[index(start)..index(end)]);
            assert_eq!(part.length(), Some(end - start));
        }
    }
}
