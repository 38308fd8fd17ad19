//! Formatting of peers' bytes in log lines.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Bytes of a name, an argument or a path, escaped as in nginx's access log: printable ASCII is kept; other bytes,
/// double quotes and backslashes become `\xHH`. The escaping is unambiguous, so each line shows exactly the bytes
/// received.
pub struct Shown<'a>(&'a [u8]);

impl<'a> Shown<'a> {
    /// For a name or an argument.
    pub fn new(bytes: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Shown(bytes.as_ref())
    }

    /// For the beginning of what may be long: as many bytes as have room in so many characters.
    pub fn beginning(bytes: &'a [u8], most: usize) -> Self {
        let mut room = most;
        let fits = |byte: &&u8| {
            let left = room.checked_sub(if is_escaped(byte) { ESCAPED } else { 1 });
            room = left.unwrap_or_default();
            left.is_some()
        };
        Shown(&bytes[..bytes.iter().take_while(fits).count()])
    }

    /// For a path.
    pub fn path(path: &'a Path) -> Self {
        Shown(path.as_os_str().as_bytes())
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while !rest.is_empty() {
            let (plain, escaped) = rest.split_at(rest.iter().position(is_escaped).unwrap_or(rest.len()));
            f.write_str(std::str::from_utf8(plain).map_err(|_| fmt::Error)?)?;
            rest = match escaped {
                [byte, rest @ ..] => {
                    write!(f, "\\x{byte:02X}")?;
                    rest
                }
                [] => escaped,
            };
        }
        Ok(())
    }
}

/// Characters of an escaped byte.
const ESCAPED: usize = 4;

fn is_escaped(byte: &u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..b' ' | 0x7F..)
}

/// Text of others for a terminal or a log: at most so many characters. Control characters, and those that change the direction
/// or the width of what follows, are escaped as `\u{1b}`.
pub fn printable(text: &str, most: usize) -> String {
    let mut out = String::new();
    for c in text.chars().take(most) {
        let is_order = c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        match is_order {
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_told_from_every_other() {
        let text = |bytes: &[u8]| Shown::new(bytes).to_string();
        assert_eq!(text(b"caf\xE9 \xC3\xA9\xFF"), "caf\\xE9 \\xC3\\xA9\\xFF");
        assert_eq!(text(b"a\"b\\xE9\r\n\x7F'~"), "a\\x22b\\x5CxE9\\x0D\\x0A\\x7F'~");
        let all: std::collections::HashSet<_> = (0..=u8::MAX).map(|byte| text(&[byte])).collect();
        assert_eq!(all.len(), 256);
        assert!(all.iter().all(|text| text.is_ascii()));
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/h/\xE9.ts"));
        assert_eq!(Shown::path(path).to_string(), "/h/\\xE9.ts");
    }

    #[test]
    fn texts_of_others_are_no_orders_to_a_terminal() {
        assert_eq!(printable("a \u{e9} \u{4e2d} \"b\"", 100), "a \u{e9} \u{4e2d} \"b\"");
        assert_eq!(
            printable("\u{1b}[2J\r\n\u{9b}1m\u{202e}x", 100),
            "\\u{1b}[2J\\u{d}\\u{a}\\u{9b}1m\\u{202e}x"
        );
        assert_eq!(printable("\u{7}\u{7}\u{7}", 2), "\\u{7}\\u{7}");
    }
}
