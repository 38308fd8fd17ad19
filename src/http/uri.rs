//! Paths of requests: decoded and normalized as nginx does it, and encoded again for redirects.

/// A path that cannot be decoded, contains a NUL, or leads above the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPath;

/// Decodes `%XX`, resolves `.` and `..`, drops a fragment, and merges adjacent slashes if `merge` is set.
///
/// # Errors
///
/// [`InvalidPath`].
pub fn normalize(path: &[u8], merge: bool) -> Result<Vec<u8>, InvalidPath> {
    let mut out: Vec<u8> = Vec::with_capacity(path.len());
    let mut rest = path.iter();
    loop {
        let byte = match rest.next() {
            None => break,
            Some(b'%') => {
                let digit = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16)).ok_or(InvalidPath);
                let byte = digit(rest.next())? * 16 + digit(rest.next())?;
                u8::try_from(byte).map_err(|_| InvalidPath)?
            }
            Some(b'#') => break,
            Some(byte) => *byte,
        };
        match byte {
            0 => return Err(InvalidPath),
            b'/' => {
                let is_resolved = resolve(&mut out)?;
                let is_merged = merge && out.last() == Some(&b'/');
                if !is_resolved && !is_merged {
                    out.push(b'/');
                }
            }
            byte => out.push(byte),
        }
    }
    resolve(&mut out)?;
    if out.first() != Some(&b'/') {
        return Err(InvalidPath);
    }
    Ok(out)
}

/// Resolves a last element of `.` or `..`. Returns whether there was one; the path then ends with a slash.
fn resolve(out: &mut Vec<u8>) -> Result<bool, InvalidPath> {
    if out.ends_with(b"/.") {
        out.pop();
    } else if out.ends_with(b"/..") {
        out.truncate(out.len() - 3);
        let parent = out.iter().rposition(|b| *b == b'/').ok_or(InvalidPath)?;
        out.truncate(parent + 1);
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// Decodes a path that another server has named. `None` if it is malformed, contains a NUL, or leads upwards.
pub fn unescape_safe(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.iter();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(*b).to_digit(16));
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => *byte,
        };
        out.push(byte);
    }
    let leads_up = out.split(|b| *b == b'/').any(|part| part == b"..");
    (!out.is_empty() && !out.contains(&0) && !leads_up).then_some(out)
}

/// Bytes that a set of escapes leaves as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Paths: ` `, `"`, `#`, `%`, `?`, control bytes and bytes from 0x7f on are escaped.
    Path,
    /// Paths with `&`, `+` and similar characters for use in a query.
    Args,
    /// URLs in a page: ` `, `"`, `'`, `<`, `>` and similar characters, control bytes and bytes from 0x7e on are escaped.
    Refresh,
}

/// Escapes a decoded text for use in a URI.
pub fn escape(text: &[u8], escape: Escape) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        let is_escaped = match byte {
            _ if escape == Escape::Refresh => {
                const ESCAPED: &[u8] = b" \"'<>\\^`{|~";
                !(b' '..0x7f).contains(&byte) || ESCAPED.contains(&byte)
            }
            0..=b' ' | 0x7f..=0xff | b'"' | b'%' | b'#' => true,
            b'?' => true,
            b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => true,
            b'&' | b'+' | b';' | b'=' | b':' | b'/' | b'$' | b'@' | b',' => {
                escape == Escape::Args && byte != b'/'
            }
            _ => false,
        };
        if is_escaped {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(byte);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_never_lead_above_the_root() {
        for (path, want) in [
            ("/", Some("/")),
            ("/a//b/./c", Some("/a/b/c")),
            ("/a/../b/", Some("/b/")),
            ("/a/b/..", Some("/a/")),
            ("/a/.", Some("/a/")),
            ("/a/..b/.c", Some("/a/..b/.c")),
            ("/a/...", Some("/a/...")),
            ("/..", None),
            ("/a/../../b", None),
            ("/%2e%2e/x", None),
            ("/%2E%2E%2Fetc", None),
            ("/a%00b", None),
            ("/a%2", None),
            ("/a%", None),
            ("/a%2fb", Some("/a/b")),
            ("/a%252e", Some("/a%2e")),
            ("/a%3fb%23c", Some("/a?b#c")),
            ("/a#b/c", Some("/a")),
            ("/%E7%9B%B4", Some("/\u{76f4}")),
        ] {
            let found = normalize(path.as_bytes(), true).ok();
            assert_eq!(found.as_deref(), want.map(str::as_bytes), "{path}");
        }
    }

    #[test]
    fn slashes_are_kept_if_the_configuration_says_so() {
        assert_eq!(normalize(b"/a//b///c", false).unwrap(), b"/a//b///c");
        assert_eq!(normalize(b"/a//../b", false).unwrap(), b"/a/b");
        assert_eq!(normalize(b"//..", false).unwrap(), b"/");
        assert_eq!(normalize(b"/a//../b", true).unwrap(), b"/b");
    }
}
