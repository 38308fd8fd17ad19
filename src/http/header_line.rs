//! Header lines of requests, parsed as nginx 1.22 parses them.

use std::ops::Range;

use bstr::ByteSlice;

/// A complete line. Ranges are offsets from its first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeaderLine {
    /// The empty line at the end of a head.
    End {
        /// Length including the line end.
        length: usize,
    },
    /// A field.
    Field {
        /// Length including the line end.
        length: usize,
        /// Name.
        name: Range<usize>,
        /// Value without surrounding spaces; empty if there is no colon.
        value: Range<usize>,
        /// Whether the name has characters that `ignore_invalid_headers` forbids.
        is_invalid: bool,
    },
}

/// The line is refused, for the byte at this offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeaderLineError(pub(super) usize);

/// Parses a line from the beginning of `text`; `None` if it is incomplete.
///
/// # Errors
///
/// The line is invalid.
pub(super) fn parse(text: &[u8], underscores: bool) -> Result<Option<HeaderLine>, HeaderLineError> {
    if text.starts_with(b"\r\n") {
        return Ok(Some(HeaderLine::End { length: 2 }));
    }
    match usual(text, underscores) {
        Some(line) => Ok(Some(line)),
        None => any(text, underscores),
    }
}

/// Parses any line.
fn any(text: &[u8], underscores: bool) -> Result<Option<HeaderLine>, HeaderLineError> {
    let Some(newline) = text.find_byte(b'\n') else {
        // What can be refused already is, so that a client does not wait for an answer.
        if let [b'\r', _, ..] = text {
            return Err(HeaderLineError(0));
        }
        let (colon, _) = name_end(text, underscores)?;
        let at = colon.unwrap_or(text.len());
        let end = text[at..].iter().position(|b| *b == b'\r').map_or(text.len(), |length| at + length);
        return match text[at..end].find_byte(0) {
            Some(length) => Err(HeaderLineError(at + length)),
            None if text[end..].iter().any(|b| *b != b'\r') => Err(HeaderLineError(end)),
            None => Ok(None),
        };
    };
    let length = newline + 1;
    let line = &text[..newline];
    match line {
        [] | [b'\r'] => return Ok(Some(HeaderLine::End { length })),
        [b'\r', ..] => return Err(HeaderLineError(0)),
        _ => {}
    }
    let (colon, is_invalid) = name_end(line, underscores)?;
    let Some(colon) = colon else {
        let end = line.strip_suffix(b"\r").unwrap_or(line).len();
        return Ok(Some(HeaderLine::Field { length, name: 0..end, value: end..end, is_invalid }));
    };
    let mut end = line.len();
    // One or more carriage returns end a line.
    while end > colon + 1 && line[end - 1] == b'\r' {
        end -= 1;
    }
    let start = colon + 1;
    match line[start..end].find_byteset(b"\r\0") {
        Some(bad) => Err(HeaderLineError(start + bad)),
        None => {
            let value = without_spaces(line, start..end);
            Ok(Some(HeaderLine::Field { length, name: 0..colon, value, is_invalid }))
        }
    }
}

/// A field as nearly all clients send it: a name, a colon, a value without odd bytes, and CRLF. Each of its bytes is looked at once.
fn usual(text: &[u8], underscores: bool) -> Option<HeaderLine> {
    let Ok((Some(colon), is_invalid)) = name_end(text, underscores) else { return None };
    let start = colon + 1;
    let end = start + text[start..].find_byteset(b"\r\n\0")?;
    let value = text[end..].starts_with(b"\r\n").then(|| without_spaces(text, start..end))?;
    Some(HeaderLine::Field { length: end + 2, name: 0..colon, value, is_invalid })
}

/// A part of a line without the spaces around it.
fn without_spaces(line: &[u8], Range { mut start, mut end }: Range<usize>) -> Range<usize> {
    while start < end && line[start] == b' ' {
        start += 1;
    }
    while end > start && line[end - 1] == b' ' {
        end -= 1;
    }
    start..end
}

/// Bytes of usual names.
const IN_NAMES: [bool; 256] = {
    let mut usual = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        usual[byte as usize] = byte.is_ascii_alphanumeric() || byte == b'-';
        byte += 1;
    }
    usual
};

/// Offset of the colon, and whether the name has invalid characters. `None` for a line without a colon.
fn name_end(line: &[u8], underscores: bool) -> Result<(Option<usize>, bool), HeaderLineError> {
    let mut is_invalid = false;
    for (at, byte) in line.iter().enumerate() {
        if IN_NAMES[usize::from(*byte)] {
            continue;
        }
        match byte {
            b':' if at > 0 => return Ok((Some(at), is_invalid)),
            b'\r' if at > 0 => {
                let is_end = line[at..].iter().all(|b| *b == b'\r');
                return if is_end { Ok((None, is_invalid)) } else { Err(HeaderLineError(at)) };
            }
            b'\r' => return Ok((None, is_invalid)),
            0..=0x20 | 0x7f | b':' => return Err(HeaderLineError(at)),
            b'_' if underscores => {}
            _ => is_invalid = true,
        }
    }
    Ok((None, is_invalid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> Option<(&str, &str, bool)> {
        match parse(text.as_bytes(), false) {
            Ok(Some(HeaderLine::Field { name, value, is_invalid, .. })) => {
                Some((&text[name], &text[value], is_invalid))
            }
            _ => None,
        }
    }

    #[test]
    fn lines_are_taken_as_nginx_takes_them() {
        assert_eq!(field("Host: a \r\n"), Some(("Host", "a", false)));
        assert_eq!(field("A:\tb c\n"), Some(("A", "\tb c", false)));
        assert_eq!(field("A:b:c\r\r\n"), Some(("A", "b:c", false)));
        assert_eq!(field("A\r\n"), Some(("A", "", false)));
        assert_eq!(field("A:   \r\n"), Some(("A", "", false)));
        assert_eq!(field("a_b: c\r\n"), Some(("a_b", "c", true)));
        assert_eq!(field("a{b: c\r\n"), Some(("a{b", "c", true)));
        assert_eq!(parse(b"\r\nX", false), Ok(Some(HeaderLine::End { length: 2 })));
        assert_eq!(parse(b"\n", false), Ok(Some(HeaderLine::End { length: 1 })));
        for (refused, at) in [
            ("\rx\n", 0),
            (" a: b\n", 0),
            ("a b: c\n", 1),
            ("a : b\n", 1),
            (":b\n", 0),
            ("a: b\rc\n", 4),
            ("a: b\0\n", 4),
            ("a\0: b\n", 1),
        ] {
            assert_eq!(parse(refused.as_bytes(), false), Err(HeaderLineError(at)), "{refused:?}");
        }
        for open in ["Host: a", "Host", "Host: a\r", "Host: a\r\r", ""] {
            assert_eq!(parse(open.as_bytes(), false), Ok(None), "{open:?}");
        }
        for (refused, at) in [("\rx", 0), ("a b", 1), ("a: b\rc", 4), ("a: b\0", 4), ("a\0", 1), ("a\rb", 1)]
        {
            assert_eq!(parse(refused.as_bytes(), false), Err(HeaderLineError(at)), "{refused:?}");
        }
        assert_eq!(parse(b"\r", false), Ok(None));
    }

    #[test]
    fn usual_lines_are_taken_as_all_others() {
        let bytes = b"a_{: \r\n\0";
        let mut found = 0;
        for number in 0..bytes.len().pow(6) {
            let text: Vec<u8> =
                (0..6).map(|place| bytes[number / bytes.len().pow(place) % bytes.len()]).collect();
            if let Some(line) = usual(&text, false) {
                assert_eq!(Ok(Some(line)), any(&text, false), "{:?}", text.as_bstr());
                found += 1;
            }
        }
        assert!(found > 0);
    }
}
