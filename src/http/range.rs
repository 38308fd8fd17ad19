//! `Range` headers and multipart bodies, as in nginx's range filter.

use std::ops::Range;

use crate::directive::number;

/// Ranges that a `Range` header requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ranges {
    /// Everything: the header is not understood, or its ranges are longer than the body together.
    Whole,
    /// These ranges.
    Parts(Vec<Range<u64>>),
    /// Only bytes that the body does not have.
    Unsatisfiable,
}

/// Parses a header for a body of this length; more than `most` ranges are answered with the whole body.
pub(super) fn parse(header: &[u8], length: u64, most: usize) -> Ranges {
    if header.len() < 7 || !header[..6].eq_ignore_ascii_case(b"bytes=") {
        return Ranges::Whole;
    }
    let mut parts = Vec::new();
    let mut total: u64 = 0;
    for spec in header[6..].split(|b| *b == b',') {
        let Some(range) = one(spec, length) else { return Ranges::Unsatisfiable };
        if range.is_empty() {
            // As in nginx, this is only so for an empty body, which is sent whole.
            if range.start == 0 {
                return Ranges::Whole;
            }
            continue;
        }
        if parts.len() >= most {
            return Ranges::Whole;
        }
        total = total.saturating_add(range.end - range.start);
        parts.push(range);
    }
    if parts.is_empty() {
        return Ranges::Unsatisfiable;
    }
    if total > length { Ranges::Whole } else { Ranges::Parts(parts) }
}

/// One range, empty if the body does not have it; `None` if it is malformed.
fn one(spec: &[u8], length: u64) -> Option<Range<u64>> {
    let spec = trim(spec);
    let dash = spec.iter().position(|b| *b == b'-')?;
    let (first, last) = (trim(&spec[..dash]), trim(&spec[dash + 1..]));
    if first.is_empty() {
        let suffix = number::digits(last)?;
        return Some(length.saturating_sub(suffix)..length);
    }
    let first = number::digits(first)?;
    let end = match last {
        b"" => length,
        last => number::digits(last)?.saturating_add(1).min(length),
    };
    Some(first..end.max(first))
}

fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().take_while(|b| **b == b' ').count();
    let end = text.iter().rev().take_while(|b| **b == b' ').count();
    text.get(start..text.len().saturating_sub(end)).unwrap_or_default()
}

/// A boundary: 20 digits.
pub(super) fn boundary() -> String {
    let mut bytes = [0; 8];
    // Without randomness the boundary is still valid.
    let _ = getrandom::fill(&mut bytes);
    format!("{:020}", u64::from_ne_bytes(bytes))
}

/// Head of a part.
pub(super) fn part_head(
    boundary: &str,
    content_type: &[u8],
    charset: Option<&[u8]>,
    part: Range<u64>,
    length: u64,
) -> Vec<u8> {
    let mut head = format!("\r\n--{boundary}\r\n").into_bytes();
    if !content_type.is_empty() {
        head.extend_from_slice(b"Content-Type: ");
        head.extend_from_slice(content_type);
        if let Some(charset) = charset {
            head.extend_from_slice(b"; charset=");
            head.extend_from_slice(charset);
        }
        head.extend_from_slice(b"\r\n");
    }
    let range = format!("Content-Range: bytes {}-{}/{length}\r\n\r\n", part.start, part.end - 1);
    head.extend_from_slice(range.as_bytes());
    head
}

/// Text after the last part.
pub(super) fn end(boundary: &str) -> Vec<u8> {
    format!("\r\n--{boundary}--\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_that_nginx_sends() {
        let parts = |ranges: &[(u64, u64)]| Ranges::Parts(ranges.iter().map(|(a, b)| *a..*b).collect());
        for (header, want) in [
            ("bytes=0-9", parts(&[(0, 10)])),
            ("Bytes=90-", parts(&[(90, 100)])),
            ("bytes=-5", parts(&[(95, 100)])),
            ("bytes=-500", parts(&[(0, 100)])),
            ("bytes=50-500", parts(&[(50, 100)])),
            ("bytes= 0 - 1 , 4-5", parts(&[(0, 2), (4, 6)])),
            ("bytes=0-1,500-600", parts(&[(0, 2)])),
            ("bytes=100-", Ranges::Unsatisfiable),
            ("bytes=-0", Ranges::Unsatisfiable),
            ("bytes=5-1", Ranges::Unsatisfiable),
            ("bytes=a-b", Ranges::Unsatisfiable),
            ("bytes=0-99,0-0", Ranges::Whole),
            ("lines=1-2", Ranges::Whole),
            ("bytes=", Ranges::Whole),
        ] {
            assert_eq!(parse(header.as_bytes(), 100, 10), want, "{header}");
        }
        assert_eq!(parse(b"bytes=0-0,1-1,2-2", 100, 2), Ranges::Whole);
    }
}
