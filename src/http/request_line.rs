//! Request lines, parsed as nginx 1.22 parses them: which are accepted, and which parts they have.

use std::ops::Range;

/// Part of a line.
type Span = Range<usize>;

/// A complete request line. Ranges are offsets from its first byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestLine {
    /// Length including the line end.
    pub(super) length: usize,
    /// First byte after empty lines.
    pub(super) start: usize,
    /// End of the text, without the line end.
    pub(super) end: usize,
    pub(super) method: Span,
    /// Scheme of an absolute target.
    pub(super) scheme: Option<Span>,
    /// Host of an absolute target, without port.
    pub(super) host: Option<Span>,
    /// Path and query as sent.
    pub(super) target: Span,
    /// Path before the query, and the query without question mark.
    pub(super) path: Span,
    pub(super) query: Option<Span>,
    /// Whether an absolute target has no path, so that its path is `/`.
    pub(super) is_path_missing: bool,
    /// Whether the path has to be decoded or normalized.
    pub(super) is_complex: bool,
    /// Major and minor version; 0.9 if none is given.
    pub(super) version: (u32, u32),
    /// The version as sent with the spaces behind it; empty if none is given.
    pub(super) protocol: Span,
}

/// Reason why a line is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineError {
    /// The method contains other characters than capital letters, `_` and `-`.
    Method,
    /// Anything else but the version.
    Line,
    /// A major version above 1.
    Version,
    /// HTTP/0.9 with another method than GET.
    Method09,
}

/// Version with which most lines end.
const USUAL: &[u8] = b"HTTP/1.1\r\n";

/// Bytes that mean nothing in a path, except directly after a slash.
const PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut byte = 0;
    while byte <= b' ' as usize {
        plain[byte] = false;
        byte += 1;
    }
    plain[b'/' as usize] = false;
    plain[b'?' as usize] = false;
    plain[b'#' as usize] = false;
    plain[b'%' as usize] = false;
    plain[0x7f] = false;
    plain
};

/// State of the parser, named after what comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Start,
    Method,
    SpacesBeforeTarget,
    Scheme,
    SchemeSlash,
    SchemeSlashSlash,
    HostStart,
    Host,
    HostEnd,
    HostLiteral,
    Port,
    AfterSlash,
    Path,
    Target,
    Version,
    FirstMajor,
    Major,
    FirstMinor,
    Minor,
    SpacesAfterVersion,
    LineFeed,
}

/// Parses a line from the beginning of `text`; `None` if it is incomplete.
///
/// # Errors
///
/// The line is invalid, possibly before its end was received.
pub(super) fn parse(text: &[u8]) -> Result<Option<RequestLine>, LineError> {
    let mut line = RequestLine::default();
    let mut next = Next::Start;
    let (mut target_start, mut target_end) = (0, 0);
    let mut scheme_start = 0;
    let mut query: Option<usize> = None;
    let mut at = 0;
    let done = loop {
        let Some(&byte) = text.get(at) else { return Ok(None) };
        match next {
            Next::Start => match byte {
                b'\r' | b'\n' => {}
                b'A'..=b'Z' | b'_' | b'-' => {
                    line.start = at;
                    next = Next::Method;
                }
                _ => return Err(LineError::Method),
            },
            Next::Method => match byte {
                b' ' => {
                    line.method = line.start..at;
                    next = Next::SpacesBeforeTarget;
                }
                b'A'..=b'Z' | b'_' | b'-' => {
                    at += text[at + 1..].iter().take_while(|byte| byte.is_ascii_uppercase()).count();
                }
                _ => return Err(LineError::Method),
            },
            Next::SpacesBeforeTarget => match byte {
                b' ' => {}
                b'/' => {
                    target_start = at;
                    next = Next::AfterSlash;
                }
                b'a'..=b'z' | b'A'..=b'Z' => {
                    scheme_start = at;
                    next = Next::Scheme;
                }
                _ => return Err(LineError::Line),
            },
            Next::Scheme => match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'-' | b'.' => {}
                b':' => {
                    line.scheme = Some(scheme_start..at);
                    next = Next::SchemeSlash;
                }
                _ => return Err(LineError::Line),
            },
            Next::SchemeSlash | Next::SchemeSlashSlash if byte != b'/' => return Err(LineError::Line),
            Next::SchemeSlash => next = Next::SchemeSlashSlash,
            Next::SchemeSlashSlash => {
                line.host = Some(at + 1..at + 1);
                next = Next::HostStart;
            }
            Next::HostStart if byte == b'[' => next = Next::HostLiteral,
            Next::HostStart | Next::Host if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-') => {
                next = Next::Host;
            }
            Next::HostLiteral => match byte {
                b']' => next = Next::HostEnd,
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {}
                b':' | b'-' | b'.' | b'_' | b'~' => {}
                b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => {}
                _ => return Err(LineError::Line),
            },
            Next::HostStart | Next::Host | Next::HostEnd | Next::Port => {
                if next != Next::Port
                    && let Some(host) = &mut line.host
                {
                    host.end = at;
                }
                match byte {
                    b':' if next != Next::Port => next = Next::Port,
                    b'0'..=b'9' if next == Next::Port => {}
                    b'/' => {
                        target_start = at;
                        next = Next::AfterSlash;
                    }
                    b'?' => {
                        target_start = at;
                        line.is_path_missing = true;
                        query = Some(at + 1);
                        next = Next::Target;
                    }
                    b' ' => {
                        // The path of "http://host" is its scheme's second slash.
                        let slash = line.scheme.as_ref().map_or(0, |scheme| scheme.end + 1);
                        (target_start, target_end) = (slash, slash + 1);
                        next = Next::Version;
                    }
                    _ => return Err(LineError::Line),
                }
            }
            Next::AfterSlash | Next::Path | Next::Target => match byte {
                b' ' => {
                    target_end = at;
                    next = Next::Version;
                }
                b'\r' => {
                    (target_end, line.version) = (at, (0, 9));
                    next = Next::LineFeed;
                }
                b'\n' => {
                    (target_end, line.version) = (at, (0, 9));
                    break at;
                }
                0..=0x1f | 0x7f => return Err(LineError::Line),
                _ if next == Next::Target => {
                    if byte == b'#' && query.is_none() {
                        line.is_complex = true;
                    }
                }
                b'?' => {
                    query = Some(at + 1);
                    next = Next::Target;
                }
                b'#' => {
                    line.is_complex = true;
                    next = Next::Target;
                }
                b'%' => {
                    line.is_complex = true;
                    next = Next::Path;
                }
                b'.' | b'/' if next == Next::AfterSlash => {
                    line.is_complex = true;
                    next = Next::Path;
                }
                b'/' => next = Next::AfterSlash,
                _ => {
                    next = Next::Path;
                    at += text[at + 1..].iter().take_while(|byte| PLAIN[usize::from(**byte)]).count();
                }
            },
            Next::Version => match byte {
                b' ' => {}
                b'\r' => {
                    line.version = (0, 9);
                    next = Next::LineFeed;
                }
                b'\n' => {
                    line.version = (0, 9);
                    break at;
                }
                b'H' if text[at..].starts_with(USUAL) => {
                    (line.protocol, line.version) = (at..at, (1, 1));
                    line.end = at + USUAL.len() - b"\r\n".len();
                    break at + USUAL.len() - 1;
                }
                b'H' => {
                    let name = b"HTTP/";
                    let given = &text[at..text.len().min(at + name.len())];
                    if !name.starts_with(given) {
                        return Err(LineError::Line);
                    }
                    if given.len() < name.len() {
                        return Ok(None);
                    }
                    line.protocol = at..at;
                    at += name.len() - 1;
                    next = Next::FirstMajor;
                }
                _ => return Err(LineError::Line),
            },
            Next::FirstMajor => match byte {
                b'1'..=b'9' => {
                    line.version.0 = u32::from(byte - b'0');
                    if line.version.0 > 1 {
                        return Err(LineError::Version);
                    }
                    next = Next::Major;
                }
                _ => return Err(LineError::Line),
            },
            Next::Major => match byte {
                b'.' => next = Next::FirstMinor,
                b'0'..=b'9' => return Err(LineError::Version),
                _ => return Err(LineError::Line),
            },
            Next::FirstMinor => match byte {
                b'0'..=b'9' => {
                    line.version.1 = u32::from(byte - b'0');
                    next = Next::Minor;
                }
                _ => return Err(LineError::Line),
            },
            Next::Minor | Next::SpacesAfterVersion => match byte {
                b'\r' => {
                    line.end = at;
                    next = Next::LineFeed;
                }
                b'\n' => {
                    line.end = at;
                    break at;
                }
                b' ' => next = Next::SpacesAfterVersion,
                b'0'..=b'9' if next == Next::Minor && line.version.1 < 100 => {
                    line.version.1 = line.version.1 * 10 + u32::from(byte - b'0');
                }
                _ => return Err(LineError::Line),
            },
            Next::LineFeed => match byte {
                b'\n' => break at,
                _ => return Err(LineError::Line),
            },
        }
        at += 1;
    };
    line.length = done + 1;
    line.target = target_start..target_end;
    let path_end = query.map_or(target_end, |start| start - 1);
    line.path = target_start..path_end;
    line.query = query.map(|start| start..target_end);
    line.protocol.end = line.end;
    if line.version == (0, 9) {
        line.protocol = 0..0;
        let end = if text[done.saturating_sub(1)] == b'\r' { done - 1 } else { done };
        line.end = end;
        if text[line.method.clone()] != *b"GET" {
            return Err(LineError::Method09);
        }
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, String, Option<String>, (u32, u32), bool) {
        let line = parse(text.as_bytes()).unwrap().unwrap();
        let part = |span: &Span| text[span.clone()].to_owned();
        (part(&line.method), part(&line.path), line.query.as_ref().map(part), line.version, line.is_complex)
    }

    #[test]
    fn lines_have_the_parts_that_nginx_sees() {
        let of = |text| parts(text);
        let want = |path: &str, query: Option<&str>, version, complex| {
            ("GET".to_owned(), path.to_owned(), query.map(str::to_owned), version, complex)
        };
        assert_eq!(of("GET / HTTP/1.1\r\n"), want("/", None, (1, 1), false));
        assert_eq!(of("\r\n\nGET  /a/b?c=/d  HTTP/1.0 \n"), want("/a/b", Some("c=/d"), (1, 0), false));
        assert_eq!(of("GET /a\r\n"), want("/a", None, (0, 9), false));
        assert_eq!(of("GET /a%20b HTTP/1.1\r\n"), want("/a%20b", None, (1, 1), true));
        assert_eq!(of("GET /a//b HTTP/1.1\r\n"), want("/a//b", None, (1, 1), true));
        assert_eq!(of("GET /a/.b HTTP/1.1\r\n"), want("/a/.b", None, (1, 1), true));
        assert_eq!(of("GET /a#b?c HTTP/1.1\r\n"), want("/a#b?c", None, (1, 1), true));
        assert_eq!(of("GET http://h:80/a HTTP/1.1\r\n"), want("/a", None, (1, 1), false));
        assert_eq!(of("GET http://h HTTP/1.12\r\n"), want("/", None, (1, 12), false));
        assert_eq!(of("GET http://h?x HTTP/1.1\r\n"), want("", Some("x"), (1, 1), false));
    }

    #[test]
    fn a_line_is_refused_or_incomplete_at_the_first_byte_that_shows_it() {
        for (text, why) in [
            ("get", LineError::Method),
            ("\u{16}", LineError::Method),
            ("GET\t", LineError::Method),
            ("GET *", LineError::Line),
            ("GET /\u{1}", LineError::Line),
            ("GET / x", LineError::Line),
            ("GET / HTTQ", LineError::Line),
            ("GET / HTTP/2", LineError::Version),
            ("GET / HTTP/1.1x", LineError::Line),
            ("GET / HTTP/1.1\rx", LineError::Line),
            ("POST /\n", LineError::Method09),
            ("GET http:/x", LineError::Line),
            ("GET http://a_b/", LineError::Line),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(why), "{text:?}");
        }
        let whole = b"GET http://a/b?c HTTP/1.1\r\n";
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), Ok(None), "{end}");
        }
    }
}
