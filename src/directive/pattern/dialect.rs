//! Translation of patterns written for PCRE 8 or older PCRE2 to the PCRE2 release in use.

use std::fmt::Write;

use bstr::ByteSlice;

/// Escapes that a braced argument may follow: `\x{41}`, `\p{L}`, `\g{1}`.
const BRACED: &[u8] = b"xpPgkoN";

/// Translates a pattern so that PCRE2 10.46 reads it as PCRE 8 and PCRE2 up to 10.42 do: braces such as `{,2}` and `{ 1
/// }`, which became quantifiers in 10.43, are escaped. Bytes that are not UTF-8 are written as numbers.
pub(super) fn translate(pattern: &[u8]) -> String {
    let is_utf8 = pattern.is_utf8();
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut class = false;
    while let Some((&byte, after)) = rest.split_first() {
        let taken = match byte {
            b'\\' => {
                let taken = escape_length(rest);
                // A backslash before a non-ASCII byte means that byte.
                let start = usize::from(!is_utf8 && rest.get(1).is_some_and(|b| !b.is_ascii()));
                write(&mut out, &rest[start..taken], is_utf8);
                taken
            }
            b'[' if class => {
                let taken = posix_class_length(rest).unwrap_or(1);
                write(&mut out, &rest[..taken], is_utf8);
                taken
            }
            b'[' => {
                class = true;
                // A `]` directly after `[` or `[^` is a member of the class.
                let taken = 1 + usize::from(after.starts_with(b"^"));
                let taken = taken + usize::from(rest.get(taken) == Some(&b']'));
                write(&mut out, &rest[..taken], is_utf8);
                taken
            }
            b'{' if !class && is_newer_quantifier(after) => {
                out.push_str("\\{");
                1
            }
            _ => {
                class &= byte != b']';
                let length = if is_utf8 { sequence(rest) } else { 1 };
                write(&mut out, &rest[..length], is_utf8);
                length
            }
        };
        rest = &rest[taken..];
    }
    out
}

/// Length in bytes of the first UTF-8 character, or of an invalid sequence.
fn sequence(text: &[u8]) -> usize {
    text.char_indices().next().map_or(1, |(_, end, _)| end)
}

/// Length in bytes of an escape, including `\Q...\E` and a braced argument.
fn escape_length(text: &[u8]) -> usize {
    match text.get(1) {
        None => 1,
        Some(b'Q') => text.find(b"\\E").map_or(text.len(), |end| end + 2),
        Some(kind) if BRACED.contains(kind) && text.get(2) == Some(&b'{') => {
            text.find_byte(b'}').map_or(2, |end| end + 1)
        }
        Some(byte) if byte.is_ascii() => 2,
        Some(_) => 1 + sequence(&text[1..]),
    }
}

/// Length in bytes of a POSIX class such as `[:alpha:]`.
fn posix_class_length(text: &[u8]) -> Option<usize> {
    let name = text.strip_prefix(b"[:")?;
    let length = name.iter().take_while(|b| b.is_ascii_lowercase() || **b == b'^').count();
    name[length..].starts_with(b":]").then_some(length + 4)
}

/// Whether the text after `{` makes a quantifier only since PCRE2 10.43.
fn is_newer_quantifier(after: &[u8]) -> bool {
    let Some(end) = after.find_byte(b'}') else { return false };
    let inner = &after[..end];
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let older = match inner.split_once_str(",") {
        None => is_number(inner),
        Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
    };
    let known = |b: &u8| b.is_ascii_digit() || matches!(b, b',' | b' ' | b'\t');
    !older && inner.iter().all(known) && inner.iter().any(u8::is_ascii_digit)
}

fn write(out: &mut String, text: &[u8], is_utf8: bool) {
    match text.to_str() {
        Ok(text) if is_utf8 || text.is_ascii() => out.push_str(text),
        _ => {
            let quoted = text.starts_with(b"\\Q");
            for &byte in text {
                if byte.is_ascii() {
                    out.push(char::from(byte));
                    continue;
                }
                let (close, open) = if quoted { ("\\E", "\\Q") } else { ("", "") };
                let _ = write!(out, "{close}\\x{byte:02x}{open}");
            }
        }
    }
}

/// PCRE 8's wording of the commonest errors, which log parsers know; other errors keep PCRE2's wording.
pub(super) fn reason(told: &str) -> String {
    const KNOWN: [(&str, &str); 4] = [
        ("missing closing parenthesis", "missing )"),
        ("unmatched closing parenthesis", "unmatched parentheses"),
        ("quantifier does not follow a repeatable item", "nothing to repeat"),
        ("escape sequence is invalid in character class", "invalid escape sequence in character class"),
    ];
    let told = told.strip_prefix("PCRE2: error compiling pattern at offset ").unwrap_or(told);
    let told = told.split_once(": ").map_or(told, |(_, reason)| reason);
    let known = KNOWN.iter().find(|(newer, _)| *newer == told);
    known.map_or(told, |(_, older)| older).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_mean_what_they_mean_to_older_releases() {
        for (pattern, want) in [
            ("a{,2}", "a\\{,2}"),
            ("a{ 1 }b{1, 2}", "a\\{ 1 }b\\{1, 2}"),
            ("a{1}b{1,}c{1,2}d{}e{,}f{x}", "a{1}b{1,}c{1,2}d{}e{,}f{x}"),
            ("\\{,2}[{,2}]", "\\{,2}[{,2}]"),
            ("[]{,2}][^]{,2}]{,2}", "[]{,2}][^]{,2}]\\{,2}"),
            ("[[:alpha:]{,2}]{,2}", "[[:alpha:]{,2}]\\{,2}"),
            ("\\Qa{,2}\\E{,2}\\x{41}{,2}", "\\Qa{,2}\\E\\{,2}\\x{41}\\{,2}"),
            ("\u{e4}{,2}\\\u{e4}{1}", "\u{e4}\\{,2}\\\u{e4}{1}"),
            ("a\\", "a\\"),
        ] {
            assert_eq!(translate(pattern.as_bytes()), want, "{pattern}");
        }
        assert_eq!(translate(b"\xb5[\xc4\\\xc4]+\\Qa\xb5{,2}"), "\\xb5[\\xc4\\xc4]+\\Qa\\E\\xb5\\Q{,2}");
    }
}
