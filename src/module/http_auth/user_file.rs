//! Password files: lines of `USER:PASSWORD[:COMMENT]`.

use bstr::{BStr, ByteSlice};

/// The stored password of a user, from the first line of that user.
///
/// As in nginx, lines that begin with `#` are comments, and a password ends at `:`, CR, LF or the end of the file.
pub fn find<'f>(file: &'f [u8], user: &[u8]) -> Option<&'f BStr> {
    file.split(|byte| *byte == b'\n').find_map(|line| {
        if line.starts_with(b"#") || line.starts_with(b"\r") {
            return None;
        }
        let stored = line.strip_prefix(user)?.strip_prefix(b":")?;
        let end = stored.find_byteset(b":\r").unwrap_or(stored.len());
        Some(stored[..end].as_bstr())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_nginx_does() {
        let file = b"#a:no\r\nab:1\r\n\na:2:comment\n#x\na:3\nlast:4";
        assert_eq!(find(file, b"a"), Some("2".into()));
        assert_eq!(find(file, b"ab"), Some("1".into()));
        assert_eq!(find(file, b"last"), Some("4".into()));
        assert_eq!(find(file, b"#a"), None);
        assert_eq!(find(file, b"b"), None);
        assert_eq!(find(b"a", b"a"), None);
        assert_eq!(find(b"a:", b"a"), Some("".into()));
        assert_eq!(find(b"", b"a"), None);
    }
}
