//! Escapes in the target of a request.

use crate::directive::word::one_of;

one_of! {
    /// Percent-encoding of single values.
    pub enum QueryEscape {
        /// Encodes what would end the value or is invalid in a request target; everything else stays as the client sent
        /// it.
        "minimal" => Minimal,
        /// Encodes everything except letters, digits, `-`, `.`, `_` and `~`: decoding gives the value byte for byte.
        "strict" => Strict,
    }
}

/// Appends a single value to a query: nothing in it may begin another parameter, end the query, or look like an escape
/// that the client did not send. The rest stays byte for byte as PingOS sends it, including `+` and escapes.
pub(crate) fn push_single(out: &mut String, bytes: &[u8], escape: QueryEscape) {
    for (at, &b) in bytes.iter().enumerate() {
        let encoded = match escape {
            QueryEscape::Strict => !b.is_ascii_alphanumeric() && !b"-._~".contains(&b),
            QueryEscape::Minimal => match b {
                b'&' => true,
                b'%' => !begins_escape(&bytes[at..]),
                b => cannot_stand(b),
            },
        };
        push_byte(out, b, encoded);
    }
}

/// Appends a query or a path.
///
/// As in PingOS it is sent unchanged, except for bytes that would break the request line or a strict server's parser:
/// control bytes, spaces, `#`, quotes, angle brackets and the like and all bytes from 0x80 on are percent-encoded.
/// Percent signs are kept: `%20` stays `%20`.
pub(crate) fn push_value(out: &mut String, bytes: &[u8]) {
    bytes.iter().for_each(|&b| push_byte(out, b, cannot_stand(b)));
}

fn push_byte(out: &mut String, b: u8, encoded: bool) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if !encoded {
        return out.push(char::from(b));
    }
    out.push('%');
    out.push(char::from(HEX[usize::from(b >> 4)]));
    out.push(char::from(HEX[usize::from(b & 15)]));
}

/// Whether a byte would break the request line or a strict server's parser.
fn cannot_stand(b: u8) -> bool {
    matches!(b, 0..=b' ' | b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x7F..)
}

fn begins_escape(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}
