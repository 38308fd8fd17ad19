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
    let name = end(text).map_or(text, |end| &text[..end]);
    match name.strip_suffix(b".") {
        // As in nginx, the final dot is left out if it is the last one of the whole text.
        Some(short) if !text[name.len()..].contains(&b'.') => short,
        _ => name,
    }
}

/// Where the host ends: behind the bracket of an IPv6 address, or before a colon.
fn end(text: &[u8]) -> Option<usize> {
    match text.first() {
        Some(b'[') => text.find_byte(b']').map(|bracket| bracket + 1),
        _ => text.find_byte(b':'),
    }
}

/// The port behind a host; `None` if there is no number from 1 to 65535.
pub(super) fn port(text: &[u8]) -> Option<u16> {
    let digits = text[end(text)?..].strip_prefix(b":")?;
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let port: u16 = std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()?;
    (port > 0).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_number_behind_the_host() {
        for (text, want) in [
            ("a:80", Some(80)),
            ("[::1]:65535", Some(65535)),
            ("a:0080", Some(80)),
            ("a", None),
            ("a:", None),
            ("a:0", None),
            ("a:+1", None),
            ("a:65536", None),
            ("[::1]", None),
            ("[::1", None),
            ("a:1:2", None),
        ] {
            assert_eq!(port(text.as_bytes()), want, "{text}");
        }
    }

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
