//! Host names of requests.

/// Bytes that may stand anywhere in a host or a port.
const PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut control = 0;
    while control <= b' ' as usize {
        plain[control] = false;
        control += 1;
    }
    plain[0x7f] = false;
    plain[b'/' as usize] = false;
    plain[b'.' as usize] = false;
    plain[b':' as usize] = false;
    plain
};

/// Length of the host with which a text begins, without port and final dot; an IPv6 address keeps its brackets. As nginx's
/// `ngx_http_validate_host`, it refuses impossible host names (`None`), but not merely unusual ones.
pub(super) fn find(text: &[u8]) -> Option<usize> {
    let (mut was_dot, mut colon) = (false, text.len());
    for (at, &byte) in text.iter().enumerate() {
        if PLAIN[usize::from(byte)] {
            was_dot = false;
            continue;
        }
        match byte {
            b'.' if !was_dot => was_dot = true,
            b':' => (was_dot, colon) = (false, colon.min(at)),
            _ => return None,
        }
    }
    let end = if text.starts_with(b"[") { end(text).unwrap_or(text.len()) } else { colon };
    let length = match text[..end].strip_suffix(b".") {
        // As in nginx, the final dot is left out if it is the last one of the whole text.
        Some(short) if !text[end..].contains(&b'.') => short.len(),
        _ => end,
    };
    (length > 0).then_some(length)
}

/// Where the host ends: behind the bracket of an IPv6 address, or before a colon.
fn end(text: &[u8]) -> Option<usize> {
    // Byte by byte, which for a few is faster than to search.
    match text.first() {
        Some(b'[') => text.iter().position(|byte| *byte == b']').map(|bracket| bracket + 1),
        _ => text.iter().position(|byte| *byte == b':'),
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
            assert!(find(host.as_bytes()).is_some(), "{host}");
        }
        for host in ["", ".", ":80", "a..b", "a/b", "a b", "a\tb", "a\x7f", ".:80"] {
            assert!(find(host.as_bytes()).is_none(), "{host}");
        }
    }
}
