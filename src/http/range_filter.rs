//! Ranges of bodies (RFC 9110 §14), as in nginx: parts of what is in memory or in files.

use std::collections::VecDeque;

use bstr::BString;
use http::StatusCode;

use super::exchange::Exchange;
use super::range::{self, Ranges};
use super::response::{Body, FilePart, Piece, Response};

/// Replaces a response by the ranges that the request asks for. Returns a page where there are none of them.
pub(super) fn filter(exchange: &mut Exchange<'_>) -> Option<Response> {
    let response = &exchange.response;
    if response.status != StatusCode::OK || !response.has_ranges || exchange.is_subrequest() {
        return None;
    }
    let Body::Pieces(pieces) = &response.body else { return None };
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
    match ranges {
        Ranges::Whole => exchange.response.headers.append("Accept-Ranges", "bytes"),
        Ranges::Unsatisfiable => {
            let mut page = Response::page(StatusCode::RANGE_NOT_SATISFIABLE);
            page.headers.append("Content-Range", format!("bytes */{length}"));
            return Some(page);
        }
        Ranges::Parts(parts) => {
            let pieces: Vec<Piece> = pieces.iter().cloned().collect();
            let response = &mut exchange.response;
            response.status = StatusCode::PARTIAL_CONTENT;
            if let [part] = &parts[..] {
                response
                    .headers
                    .append("Content-Range", format!("bytes {}-{}/{length}", part.start, part.end - 1));
                response.body = Body::Pieces(cut(&pieces, part.start, part.end));
                return None;
            }
            let content_type = response.content_type.take().unwrap_or_default();
            let charset = response.charset.take();
            let boundary = range::boundary();
            let mut body = VecDeque::new();
            for part in &parts {
                let head = range::part_head(
                    &boundary,
                    &content_type,
                    charset.as_ref().map(|charset| charset.as_slice()),
                    part.clone(),
                    length,
                );
                body.push_back(Piece::Memory(head.into()));
                body.extend(cut(&pieces, part.start, part.end));
            }
            body.push_back(Piece::Memory(range::end(&boundary).into()));
            response.content_type = Some(BString::from(format!("multipart/byteranges; boundary={boundary}")));
            response.body = Body::Pieces(body);
        }
    }
    None
}

/// Whether `If-Range`, if it is given, names the present version.
fn is_current(exchange: &Exchange<'_>) -> bool {
    let Some(known) = exchange.request.header("if-range") else { return true };
    let response = &exchange.response;
    if known.starts_with(b"\"") || known.starts_with(b"W/") {
        return known.ends_with(b"\"") && response.headers.get(b"ETag") == Some(known);
    }
    let Some(modified) = response.last_modified else { return false };
    super::date::seconds(known) == Some(modified)
}

/// The bytes from `start` up to `end`.
fn cut(pieces: &[Piece], start: u64, end: u64) -> VecDeque<Piece> {
    let mut found = VecDeque::new();
    let mut at = 0;
    for piece in pieces {
        let (from, to) = (start.max(at), end.min(at + piece.length()));
        if from < to {
            let (skip, length) = (from - at, to - from);
            found.push_back(match piece {
                Piece::Memory(bytes) => {
                    let index = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
                    Piece::Memory(bytes.slice(index(skip)..index(skip + length)))
                }
                Piece::File(part) => {
                    Piece::File(FilePart { file: part.file.clone(), start: part.start + skip, length })
                }
            });
        }
        at += piece.length();
    }
    found
}
