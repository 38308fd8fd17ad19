//! Ranges of bodies (RFC 9110 §14), as in nginx: parts of what is in memory or in files.

use std::io;
use std::ops::Range;
use std::task::{Context, Poll, ready};

use bstr::BString;
use http::StatusCode;

use super::exchange::Exchange;
use super::range::{self, Ranges};
use super::response::{Body, BodySource, FilePart, Piece, Response};

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
        // A body that is produced while it is sent is produced once.
        Ranges::Parts(parts) if parts.len() > 1 && matches!(response.body, Body::Source(_)) => Ranges::Whole,
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
            let Body::Pieces(pieces) = body else { return None };
            let content_type = response.content_type.take().unwrap_or_default();
            let charset = response.charset.take();
            let boundary = range::boundary();
            let mut body = Vec::new();
            for part in &parts {
                let head = range::part_head(
                    &boundary,
                    &content_type,
                    charset.as_ref().map(|charset| charset.as_slice()),
                    part.clone(),
                    length,
                );
                body.push(Piece::Memory(head.into()));
                body.extend(cut(pieces.iter(), part.start, part.end));
            }
            body.push(Piece::Memory(range::end(&boundary).into()));
            response.content_type = Some(BString::from(format!("multipart/byteranges; boundary={boundary}")));
            response.body = Body::Pieces(body.into_iter().collect());
        }
    }
    None
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
