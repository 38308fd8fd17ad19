//! UTF-8 as nginx decodes it: the bytes after the first of a character may be any from 0x80 on.

/// Number of characters; of a text that is not UTF-8, of bytes.
pub(super) fn length(text: &[u8]) -> usize {
    let mut rest = text;
    let mut count = 0;
    while !rest.is_empty() {
        let Some(length) = character(rest) else { return text.len() };
        rest = &rest[length..];
        count += 1;
    }
    count
}

/// The first characters.
pub(super) fn beginning(text: &[u8], characters: usize) -> &[u8] {
    let mut at = 0;
    for _ in 0..characters {
        match character(&text[at..]) {
            Some(length) => at += length,
            None => break,
        }
    }
    &text[..at]
}

/// Number of bytes of the first character; `None` if there is no valid one.
fn character(text: &[u8]) -> Option<usize> {
    let first = *text.first()?;
    let (bits, least, length) = match first {
        0..0x80 => return Some(1),
        0xf8.. => return None,
        0xf0.. => (0x07, 0x1_0000, 4),
        0xe0.. => (0x0f, 0x800, 3),
        0xc2.. => (0x1f, 0x80, 2),
        _ => return None,
    };
    let following = text.get(1..length)?;
    if following.iter().any(|byte| *byte < 0x80) {
        return None;
    }
    let value =
        following.iter().fold(u32::from(first & bits), |value, byte| value << 6 | u32::from(byte & 0x3f));
    (least..=0x10_ffff).contains(&value).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_and_other_bytes_are_bytes() {
        assert_eq!(length("a\u{e4}\u{65e5}\u{1f600}".as_bytes()), 4);
        assert_eq!(length(b"a\xff\xc3\xa4"), 4);
        assert_eq!(length(b"\xc3"), 1);
        assert_eq!(length(b"\xc0\x80"), 2);
        assert_eq!(length(b"\xf7\xbf\xbf\xbf"), 4);
        assert_eq!(beginning("\u{e4}bc".as_bytes(), 2), "\u{e4}b".as_bytes());
        assert_eq!(beginning(b"ab", 5), b"ab");
    }
}
