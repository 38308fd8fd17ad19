//! Preconditions of requests: `If-Modified-Since` and similar headers, evaluated as in nginx.

use bstr::{BStr, ByteSlice};
use http::StatusCode;

use super::core::conf::IfModifiedSince;
use super::date::seconds;
use super::exchange::Exchange;
use super::response::{Body, Response};

/// Makes a response 304 if the request's preconditions say so. Returns a page where they fail.
pub(super) fn filter(exchange: &mut Exchange<'_>) -> Option<Response> {
    let response = &exchange.response;
    if response.status != StatusCode::OK || exchange.is_subrequest() || response.ignores_preconditions {
        return None;
    }
    // Most requests have none of these headers.
    if !exchange
        .request
        .headers()
        .any(|(name, _)| name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"if-")))
    {
        return None;
    }
    let (modified, tag) = (response.modified(), response.headers.get(b"ETag"));
    let header = |name: &str| exchange.request.header(name);
    if header("if-unmodified-since").is_some_and(|limit| is_later(modified, limit))
        || header("if-match").is_some_and(|tags| !lists(tags, tag, false))
    {
        return Some(Response::page(StatusCode::PRECONDITION_FAILED));
    }
    let (since, known) = (header("if-modified-since"), header("if-none-match"));
    if since.is_none() && known.is_none() {
        return None;
    }
    let how = exchange.core().if_modified_since;
    if since.is_some_and(|since| is_modified(modified, since, how))
        || known.is_some_and(|tags| !lists(tags, tag, true))
    {
        return None;
    }
    let response = &mut exchange.response;
    response.status = StatusCode::NOT_MODIFIED;
    response.content_type = None;
    response.charset = None;
    response.has_ranges = false;
    response.headers.remove(b"Content-Encoding");
    response.body = Body::default();
    response.hides_length = true;
    None
}

fn is_later(modified: Option<i64>, limit: &BStr) -> bool {
    let Some(modified) = modified else { return true };
    seconds(limit).is_none_or(|limit| modified > limit)
}

fn is_modified(modified: Option<i64>, since: &BStr, how: IfModifiedSince) -> bool {
    let Some(modified) = modified else { return true };
    match how {
        IfModifiedSince::Off => true,
        IfModifiedSince::Exact => seconds(since) != Some(modified),
        IfModifiedSince::Before => seconds(since).is_none_or(|since| modified > since),
    }
}

/// Whether a list of tags is `*` or contains this tag; with `weak`, `W/"..."` matches too.
fn lists(list: &BStr, tag: Option<&BStr>, weak: bool) -> bool {
    if list == "*" {
        return true;
    }
    let Some(tag) = tag else { return false };
    let tag = if weak { tag.strip_prefix(b"W/").unwrap_or(tag) } else { tag };
    let mut rest: &[u8] = list;
    while !rest.is_empty() {
        let bare = if weak { rest.strip_prefix(b"W/").unwrap_or(rest) } else { rest };
        if let Some(behind) = bare.strip_prefix(tag)
            && matches!(behind.trim_start().first(), None | Some(b','))
        {
            return true;
        }
        let Some(comma) = rest.find_byte(b',') else { return false };
        rest = rest[comma + 1..].trim_start();
    }
    false
}
