//! UTF-8 as nginx decodes it: it does not look at the upper bits of continuation bytes beyond the first.

/// Result of decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    /// A character, and its length in bytes.
    Char(u32, usize),
    /// Bytes that are no character, and their number.
    Invalid(usize),
    /// The beginning of a character.
    Incomplete,
}

/// Longest character in bytes.
pub(super) const LONGEST: usize = 4;

/// Decodes the character at the beginning of bytes that begin with a byte of 0x80 or above.
pub(super) fn decode(bytes: &[u8]) -> Decoded {
    let (bits, rest, highest) = match bytes.first() {
        None => return Decoded::Incomplete,
        Some(byte @ 0xf0..=0xf7) => (byte & 0x07, 3, 0xffff),
        Some(byte @ 0xe0..=0xef) => (byte & 0x0f, 2, 0x7ff),
        Some(byte @ 0xc2..=0xdf) => (byte & 0x1f, 1, 0x7f),
        Some(_) => return Decoded::Invalid(1),
    };
    if bytes.len() <= rest {
        return Decoded::Incomplete;
    }
    let mut number = u32::from(bits);
    for (at, byte) in bytes[1..=rest].iter().enumerate() {
        if byte.is_ascii() {
            return Decoded::Invalid(at + 2);
        }
        number = number << 6 | u32::from(byte & 0x3f);
    }
    if number > highest { Decoded::Char(number, rest + 1) } else { Decoded::Invalid(rest + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters() {
        for text in ["\u{80}", "\u{7ff}", "\u{800}", "\u{20ac}", "\u{ffff}", "\u{10000}", "\u{10ffff}"] {
            let character = text.chars().next().unwrap();
            assert_eq!(decode(text.as_bytes()), Decoded::Char(character.into(), text.len()));
            for length in 0..text.len() {
                assert_eq!(decode(&text.as_bytes()[..length]), Decoded::Incomplete);
            }
        }
        assert_eq!(decode(b"\x80"), Decoded::Invalid(1));
        assert_eq!(decode(b"\xc0\x80"), Decoded::Invalid(1));
        assert_eq!(decode(b"\xff"), Decoded::Invalid(1));
        assert_eq!(decode(b"\xc3a"), Decoded::Invalid(2));
        assert_eq!(decode(b"\xe2\x82a"), Decoded::Invalid(3));
        assert_eq!(decode(b"\xe0\x80\x80"), Decoded::Invalid(3));
    }
}
