//! Host names of requests.

/// nginx's `ngx_http_validate_host`: refuses impossible host names, but not merely unusual ones.
pub(super) fn is_host(text: &[u8]) -> bool {
    // All bytes are looked at, which for a few is faster than to search.
    let is_bad = |b: u8| b <= b' ' || b == 0x7f || b == b'/';
    if text.iter().fold(false, |found, &b| found | is_bad(b)) || text.windows(2).any(|pair| pair == b"..") {
        return false;
    }
    !name(text).is_empty()
}

/// Host without port and final dot; an IPv6 address keeps its brackets.
pub(super) fn name(text: &[u8]) -> &[u8] {
    let name = match text.first() {
        Some(b'[') => text.iter().position(|&b| b == b']').map_or(text, |end| &text[..=end]),
        _ => text.iter().position(|&b| b == b':').map_or(text, |end| &text[..end]),
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
