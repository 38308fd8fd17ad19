//! Base64 as nginx reads it: the text ends at the first `=`, and leftover bits are ignored.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bstr::ByteSlice;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::RequireNone);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Decodes base64; `None` where nginx finds an error.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    PLAIN.decode(before_padding(text)).ok()
}

/// Decodes base64url; `None` where nginx finds an error.
pub fn decode_url(text: &[u8]) -> Option<Vec<u8>> {
    URL.decode(before_padding(text)).ok()
}

fn before_padding(text: &[u8]) -> &[u8] {
    &text[..text.find_byte(b'=').unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_at_the_padding_and_leftover_bits_are_ignored() {
        for (text, want) in [
            ("dTpw", Some(&b"u:p"[..])),
            ("dTpwOng=", Some(b"u:p:x")),
            ("dTpwOng", Some(b"u:p:x")),
            ("dTp=x!", Some(b"u:")),
            ("=", Some(b"")),
            ("dTpwO", None),
            ("d!pw", None),
            ("d-pw", None),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), want, "{text}");
        }
        assert_eq!(decode_url(b"-_-_"), decode(b"+/+/"));
        assert_eq!(decode_url(b"+/+/"), None);
    }
}
