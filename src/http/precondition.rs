//! Preconditions of requests for files: `If-Match` and similar headers, evaluated as in nginx.

use std::time::UNIX_EPOCH;

use bstr::ByteSlice;
use http::header::{
    HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
};
use http::{HeaderMap, StatusCode};

/// Part of a file to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestedPart {
    /// The requested range.
    Range,
    /// The whole file, regardless of a requested range.
    Whole,
    /// Nothing, because it is unchanged (304).
    Unchanged,
    /// Nothing, because the precondition failed (412).
    Nothing,
}

/// Evaluates a request's preconditions with the file's modification time, in seconds and as a date, and its tag, if
/// any.
pub(super) fn judge(headers: &HeaderMap, seconds: u64, date: &[u8], tag: Option<&[u8]>) -> RequestedPart {
    let header = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    let since = |text: &[u8]| {
        let time = httpdate::parse_http_date(text.to_str().ok()?).ok()?;
        time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
    };
    let is_older = |limit: &[u8]| since(limit).is_some_and(|limit| seconds <= limit);
    if header(IF_UNMODIFIED_SINCE).is_some_and(|limit| !is_older(limit))
        || header(IF_MATCH).is_some_and(|tags| !lists(tags, tag, false))
    {
        return RequestedPart::Nothing;
    }
    let (modified, known) = (header(IF_MODIFIED_SINCE), header(IF_NONE_MATCH));
    if (modified.is_some() || known.is_some())
        && modified.is_none_or(|time| since(time) == Some(seconds))
        && known.is_none_or(|tags| lists(tags, tag, true))
    {
        return RequestedPart::Unchanged;
    }
    match header(IF_RANGE) {
        Some(known @ [b'"', ..]) if Some(known) != tag => RequestedPart::Whole,
        Some(known) if !known.starts_with(b"\"") && known != date => RequestedPart::Whole,
        _ => RequestedPart::Range,
    }
}

/// Status in place of a document that has no tag and is always sent as a whole, if its preconditions say so.
pub fn status_instead(headers: &HeaderMap, seconds: u64, date: &[u8]) -> Option<StatusCode> {
    match judge(headers, seconds, date, None) {
        RequestedPart::Unchanged => Some(StatusCode::NOT_MODIFIED),
        RequestedPart::Nothing => Some(StatusCode::PRECONDITION_FAILED),
        RequestedPart::Range | RequestedPart::Whole => None,
    }
}

/// Whether a list of tags is `*` or contains this tag; with `weak`, `W/"..."` matches too.
fn lists(list: &[u8], tag: Option<&[u8]>, weak: bool) -> bool {
    if list == b"*" {
        return true;
    }
    let Some(tag) = tag else { return false };
    let mut rest = list;
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
