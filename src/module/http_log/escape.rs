//! Escaping of values in a line, as nginx does it.

use super::format::LogEscape;

impl LogEscape {
    /// Appends a value; `None` if the request has none.
    pub fn append(self, value: Option<&[u8]>, out: &mut Vec<u8>) {
        match (self, value) {
            (LogEscape::Default, None) => out.push(b'-'),
            (LogEscape::Default, Some(value)) => default(value, out),
            (LogEscape::Json, Some(value)) => json(value, out),
            (LogEscape::None, Some(value)) => out.extend_from_slice(value),
            (LogEscape::Json | LogEscape::None, None) => {}
        }
    }
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

fn hex(byte: u8) -> [u8; 2] {
    [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]
}

/// `"`, `\`, control bytes and all from 0x7F on become `\xHH`.
fn default(value: &[u8], out: &mut Vec<u8>) {
    let is_plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..b' ' | 0x7F..);
    // All bytes are looked at, which for a few is faster than to search.
    if value.iter().fold(true, |is_all, byte| is_all & is_plain(byte)) {
        return out.extend_from_slice(value);
    }
    for &byte in value {
        match byte {
            b'"' | b'\\' | 0..b' ' | 0x7F.. => {
                out.extend_from_slice(b"\\x");
                out.extend_from_slice(&hex(byte));
            }
            plain => out.push(plain),
        }
    }
}

/// Escapes of a JSON string; bytes from 0x80 on are kept.
fn json(value: &[u8], out: &mut Vec<u8>) {
    for &byte in value {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0C => b'f',
            0..b' ' => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&hex(byte));
                continue;
            }
            plain => {
                out.push(plain);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(escape: LogEscape, value: Option<&[u8]>) -> Vec<u8> {
        let mut out = Vec::new();
        escape.append(value, &mut out);
        out
    }

    #[test]
    fn values_are_escaped_as_by_nginx() {
        let value: &[u8] = b"a\"\\\n\x01\x7F\x80\xFF ~\x08\x0C\r\t";
        let default = escaped(LogEscape::Default, Some(value));
        assert_eq!(default, br"a\x22\x5C\x0A\x01\x7F\x80\xFF ~\x08\x0C\x0D\x09");
        let json = escaped(LogEscape::Json, Some(value));
        assert_eq!(json, b"a\\\"\\\\\\n\\u0001\x7F\x80\xFF ~\\b\\f\\r\\t");
        assert_eq!(escaped(LogEscape::None, Some(value)), value);
        let all = [LogEscape::Default, LogEscape::Json, LogEscape::None].map(|escape| escaped(escape, None));
        assert_eq!(all, [&b"-"[..], b"", b""]);
        assert_eq!(escaped(LogEscape::Default, Some(b"")), b"");
    }
}
