//! Ranges of slices: the start that a client asks for, and the range that a slice has.

use std::ops::Range;

use bstr::ByteSlice;
use http::StatusCode;

/// A part of a whole, as `Content-Range` gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContentRange {
    /// The bytes.
    pub(super) part: Range<u64>,
    /// Length of the whole; `None` for `*`.
    pub(super) whole: Option<u64>,
}

/// The wrong answer to a request for a slice.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WrongSlice {
    /// Another status than 206.
    Status(StatusCode),
    /// Another version.
    Tag,
    /// No valid `Content-Range`.
    NoRange,
    /// A range without the length of the whole.
    NoLength,
    /// Another range.
    Range(Range<u64>),
}

/// First byte that `Range` asks for; 0 if that is not clear.
pub(super) fn asked_start(range: &[u8]) -> u64 {
    let Some(unit) = range.get(..6).filter(|_| range.len() >= 7) else { return 0 };
    if !unit.eq_ignore_ascii_case(b"bytes=") || range.contains(&b',') {
        return 0;
    }
    let rest = range[6..].trim_start_with(|c| c == ' ');
    let mut digits = rest.iter().take_while(|b| b.is_ascii_digit());
    let start =
        digits.try_fold(0u64, |start, digit| start.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    start.filter(|start| i64::try_from(*start).is_ok()).unwrap_or(0)
}

/// Parses `bytes START-END/LENGTH`.
pub(super) fn content_range(text: &[u8]) -> Option<ContentRange> {
    let rest = text.strip_prefix(b"bytes ")?.trim_start_with(|c| c == ' ');
    let (start, rest) = number(rest)?;
    let rest = rest.trim_start_with(|c| c == ' ').strip_prefix(b"-")?.trim_start_with(|c| c == ' ');
    let (last, rest) = number(rest)?;
    let rest = rest.trim_start_with(|c| c == ' ').strip_prefix(b"/")?.trim_start_with(|c| c == ' ');
    let (whole, rest) = match rest {
        [b'*', rest @ ..] => (None, rest),
        rest => {
            let (whole, rest) = number(rest)?;
            (Some(whole), rest)
        }
    };
    let end = last.checked_add(1)?;
    let is_valid = rest.iter().all(|b| *b == b' ') && start < end;
    is_valid.then_some(ContentRange { part: start..end, whole })
}

/// A number that an offset can be, and the text behind it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let length = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    let number: u64 = digits.to_str().ok()?.parse().ok()?;
    i64::try_from(number).ok()?;
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_that_clients_ask_for() {
        for (range, start) in [
            ("bytes=0-1", 0),
            ("bytes=500-", 500),
            ("BYTES= 7-9", 7),
            ("bytes=-5", 0),
            ("bytes=5-6,7-8", 0),
            ("bytes=99999999999999999999-", 0),
            ("bytes=", 0),
            ("lines=5-", 0),
            ("", 0),
        ] {
            assert_eq!(asked_start(range.as_bytes()), start, "{range}");
        }
    }

    #[test]
    fn ranges_of_content() {
        let range = |part, whole| Some(ContentRange { part, whole });
        assert_eq!(content_range(b"bytes 0-299/1000"), range(0..300, Some(1000)));
        assert_eq!(content_range(b"bytes  5 - 5 / *  "), range(5..6, None));
        for text in [
            "",
            "bytes",
            "bytes */5",
            "bytes 5-4/9",
            "bytes 1-2",
            "bytes 1-2/",
            "bytes 1-2/3x",
            "bytes a-b/c",
        ] {
            assert_eq!(content_range(text.as_bytes()), None, "{text}");
        }
        assert_eq!(content_range(b"bytes 0-18446744073709551615/5"), None);
    }
}
