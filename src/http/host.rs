//! Host names of requests.

use bstr::ByteSlice;

/// nginx's `ngx_http_validate_host`: refuses impossible host names, but not merely unusual ones.
pub(super) fn is_host(text: &[u8]) -> bool {
    let mut before = 0;
    for &byte in text {
        if matches!(byte, 0..=b' ' | 0x7f | b'/') || (byte == b'.' && before == b'.') {
            return false;
        }
        before = byte;
    }
    !name(text).is_empty()
}

/// Host without port and final dot; an IPv6 address keeps its brackets.
pub(super) fn name(text: &[u8]) -> &[u8] {
    let name = match text.first() {
        Some(b'[') => text.find_byte(b']').map_or(text, |end| &text[..=end]),
        _ => text.find_byte(b':').map_or(text, |end| &text[..end]),
    };
    match name.strip_suffix(b".") {
        // As in nginx, the final dot is left out if it is the last one of the whole text.
        Some(short) if !text[name.len()..].contains(&b'.') => short,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_as_nginx_takes_them() {
        for host in [
            "a", "a.b", "A.b:1", "a.", "a:x", "[::1]", "[::1]:80", "[::1", "a@b", "a,b", "a\"b", "\u{fc}",
            ".:80.a",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in ["", ".", ":80", "a..b", "a/b", "a b", "a\tb", "a\x7f", ".:80"] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }
}
