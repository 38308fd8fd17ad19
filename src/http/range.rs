//! Byte ranges: the `Range` header by nginx's rules, and the parts of `multipart/byteranges`.

use bstr::BString;

use crate::syntax::sentence;

/// Largest offset of nginx.
const MAX: u64 = i64::MAX as u64;

/// What a `Range` header asks of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// The header has no effect: the whole response is sent with status 200.
    Whole,
    /// At least one range, as first offset and offset behind the last byte. They are sent with status 206.
    Parts(Vec<(u64, u64)>),
    /// Nothing of what is asked exists: status 416.
    NotSatisfiable,
}

impl Ranges {
    /// Parses the header's value for a response of a known length. More than `most` ranges (`max_ranges`, `None` is
    /// unlimited) have no effect, and neither have ranges that together are longer than the response.
    pub fn parse(value: &[u8], length: u64, most: Option<u64>) -> Ranges {
        let unit = b"bytes=";
        let Some((_, mut rest)) =
            value.split_at_checked(unit.len()).filter(|(start, rest)| start.eq_ignore_ascii_case(unit) && !rest.is_empty())
        else {
            return Ranges::Whole;
        };
        if most == Some(0) {
            return Ranges::Whole;
        }
        let mut parts: Vec<(u64, u64)> = Vec::new();
        let mut size: u64 = 0;
        loop {
            let Some((asked, behind)) = one(rest) else { return Ranges::NotSatisfiable };
            let (start, end) = match asked {
                (Some(start), None) => (start, length),
                (Some(start), Some(last)) => (start, last.saturating_add(1).min(length)),
                (None, last) => (length - last.unwrap_or(0).min(length), length),
            };
            if start < end {
                if size > MAX - (end - start) {
                    return Ranges::NotSatisfiable;
                }
                size += end - start;
                if most.is_some_and(|most| parts.len() as u64 >= most) {
                    return Ranges::Whole;
                }
                parts.push((start, end));
            } else if start == 0 {
                return Ranges::Whole;
            }
            match behind {
                [b',', tail @ ..] => rest = tail,
                _ => break,
            }
        }
        if size == 0 {
            return Ranges::NotSatisfiable;
        }
        if size > length { Ranges::Whole } else { Ranges::Parts(parts) }
    }
}

/// The first range of a list: first and last offset as written, and the rest, which is empty or begins with a comma.
#[expect(clippy::type_complexity, reason = "two numbers and the rest")]
fn one(text: &[u8]) -> Option<((Option<u64>, Option<u64>), &[u8])> {
    let text = skip_spaces(text);
    let (start, text) = match text {
        [b'-', rest @ ..] => (None, rest),
        _ => {
            let (start, rest) = number(text)?;
            let rest = skip_spaces(skip_spaces(rest).strip_prefix(b"-")?);
            if matches!(rest, [] | [b',', ..]) {
                return Some(((Some(start), None), rest));
            }
            (Some(start), rest)
        }
    };
    let (end, rest) = number(text)?;
    let rest = skip_spaces(rest);
    matches!(rest, [] | [b',', ..]).then_some(((start, Some(end)), rest))
}

/// At least one digit, up to the largest offset.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    crate::directive::number::digits(digits).map(|number| (number, rest))
}

fn skip_spaces(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|byte| **byte == b' ').count()..]
}

/// The value of `Content-Range` of a response with one range.
pub fn content_range(start: u64, end: u64, length: u64) -> String {
    format!("bytes {start}-{}/{length}", end - 1)
}

/// The value of `Content-Range` of a response with status 416.
pub fn unsatisfied_range(length: u64) -> String {
    format!("bytes */{length}")
}

/// Texts around the ranges of a response with several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multipart {
    boundary: String,
    /// What stands before the numbers of a part.
    head: BString,
}

impl Multipart {
    /// `content_type` is that of the response, with its charset; empty without one. The number makes the boundary.
    pub fn new(number: u64, content_type: &[u8]) -> Multipart {
        let boundary = format!("{number:020}");
        let mut head = sentence(&[b"\r\n--", boundary.as_bytes(), b"\r\n"]);
        if !content_type.is_empty() {
            head.extend_from_slice(b"Content-Type: ");
            head.extend_from_slice(content_type);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"Content-Range: ");
        Multipart { boundary, head }
    }

    /// The value of `Content-Type` of the response.
    pub fn content_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    /// What precedes the bytes of a range.
    pub fn before(&self, start: u64, end: u64, length: u64) -> BString {
        sentence(&[&self.head, content_range(start, end, length).as_bytes(), b"\r\n\r\n"])
    }

    /// What follows the last range.
    pub fn end(&self) -> String {
        format!("\r\n--{}--\r\n", self.boundary)
    }

    /// Length of the response's body.
    pub fn length(&self, parts: &[(u64, u64)], length: u64) -> u64 {
        let part = |(start, end): &(u64, u64)| self.before(*start, *end, length).len() as u64 + (end - start);
        parts.iter().map(part).sum::<u64>() + self.end().len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str, length: u64) -> Ranges {
        Ranges::parse(value.as_bytes(), length, None)
    }

    fn parts(parts: &[(u64, u64)]) -> Ranges {
        Ranges::Parts(parts.to_vec())
    }

    /// Answers recorded from nginx 1.22 for a file of ten bytes, `+` standing for a space.
    #[test]
    fn headers_are_read_as_nginx_does() {
        for (value, want) in [
            ("bytes=0-0", parts(&[(0, 1)])),
            ("BYTES=1-", parts(&[(1, 10)])),
            ("bytes=-3", parts(&[(7, 10)])),
            ("bytes=-30", parts(&[(0, 10)])),
            ("bytes=5-99", parts(&[(5, 10)])),
            ("bytes= 1 - 2 , 4 - 5 ", parts(&[(1, 3), (4, 6)])),
            ("bytes=0-1,20-30", parts(&[(0, 2)])),
            ("bytes=0-4,4-8", parts(&[(0, 5), (4, 9)])),
            ("bytes=0-5,5-9", Ranges::Whole),
            ("bytes=0-,0-", Ranges::Whole),
            ("bytes=10-", Ranges::NotSatisfiable),
            ("bytes=5-4", Ranges::NotSatisfiable),
            ("bytes=-0", Ranges::NotSatisfiable),
            ("bytes=x", Ranges::NotSatisfiable),
            ("bytes=1-2,", Ranges::NotSatisfiable),
            ("bytes=1-2;", Ranges::NotSatisfiable),
            ("bytes=- 1", Ranges::NotSatisfiable),
            ("bytes=1", Ranges::NotSatisfiable),
            ("bytes=9223372036854775808-", Ranges::NotSatisfiable),
            ("bytes=0-9223372036854775807", parts(&[(0, 10)])),
            ("bytes=0-9223372036854775808", Ranges::NotSatisfiable),
            ("bytes=", Ranges::Whole),
            ("bytes", Ranges::Whole),
            ("lines=1-2", Ranges::Whole),
        ] {
            assert_eq!(parse(value, 10), want, "{value}");
        }
    }

    #[test]
    fn of_an_empty_response_the_start_is_the_whole() {
        assert_eq!(parse("bytes=0-0", 0), Ranges::Whole);
        assert_eq!(parse("bytes=0-", 0), Ranges::Whole);
        assert_eq!(parse("bytes=-1", 0), Ranges::Whole);
        assert_eq!(parse("bytes=1-", 0), Ranges::NotSatisfiable);
    }

    #[test]
    fn too_many_ranges_have_no_effect() {
        let limited = |value: &str, most| Ranges::parse(value.as_bytes(), 10, Some(most));
        assert_eq!(limited("bytes=0-0,2-2", 2), parts(&[(0, 1), (2, 3)]));
        assert_eq!(limited("bytes=0-0,2-2,4-4", 2), Ranges::Whole);
        assert_eq!(limited("bytes=0-0", 0), Ranges::Whole);
        assert_eq!(limited("bytes=0-0,99-,2-2", 2), parts(&[(0, 1), (2, 3)]));
    }

    #[test]
    fn parts_are_framed_as_nginx_does() {
        let multipart = Multipart::new(7, b"text/plain; charset=utf-8");
        assert_eq!(multipart.content_type(), "multipart/byteranges; boundary=00000000000000000007");
        assert_eq!(
            multipart.before(0, 1, 10),
            "\r\n--00000000000000000007\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 0-0/10\r\n\r\n"
        );
        assert_eq!(multipart.end(), "\r\n--00000000000000000007--\r\n");
        let whole = multipart.before(0, 1, 10).len() + multipart.before(4, 9, 10).len() + 6 + multipart.end().len();
        assert_eq!(multipart.length(&[(0, 1), (4, 9)], 10), whole as u64);
        assert!(!Multipart::new(7, b"").before(0, 1, 10).contains(&b'T'));
        assert_eq!((content_range(0, 1, 10), unsatisfied_range(10)), ("bytes 0-0/10".into(), "bytes */10".into()));
    }
}
