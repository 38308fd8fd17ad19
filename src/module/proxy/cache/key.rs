//! Keys of cached responses, and the names of their files.

use std::path::{Path, PathBuf};

use bstr::{BStr, ByteSlice};
use data_encoding::HEXLOWER;
use md5::{Digest, Md5};

/// MD5 of a key, or of a variant of it.
pub(in super::super) type Key = [u8; 16];

/// MD5 of the text of a key.
pub(super) fn main(text: &[u8]) -> Key {
    Md5::digest(text).into()
}

/// Key of the variant of a response that depends on the headers of a list (`Vary`). `header` gives all values of a
/// request header. As in nginx, space around commas in them does not matter.
pub(super) fn variant<'h>(main: &Key, vary: &[u8], header: impl Fn(&[u8]) -> Vec<&'h BStr>) -> Key {
    let mut md5 = Md5::new().chain_update(main);
    for name in vary.split(|b| matches!(b, b',' | b' ')).filter(|name| !name.is_empty()) {
        let name = name.to_ascii_lowercase();
        md5.update(&name);
        md5.update(b":");
        let parts = header(&name).into_iter().flat_map(|value| value.split(|b| *b == b','));
        let parts = parts.map(|part| part.trim_with(|c| c == ' ')).filter(|part| !part.is_empty());
        for (number, part) in parts.enumerate() {
            md5.update(if number > 0 { &b","[..] } else { b"" });
            md5.update(part);
        }
        md5.update(b"\r\n");
    }
    md5.finalize().into()
}

/// Name of a key's file, in hexadecimal digits.
pub(super) fn name(key: &Key) -> String {
    HEXLOWER.encode(key)
}

/// The key of a file's name.
pub(super) fn of_name(name: &[u8]) -> Option<Key> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let bytes: Vec<u8> = name
        .chunks(2)
        .map(|pair| Some(digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?))
        .collect::<Option<_>>()?;
    bytes.try_into().ok()
}

/// Path of a key's file. As in nginx, levels are the last digits of its name.
pub(super) fn path(directory: &Path, levels: &[usize], key: &Key) -> PathBuf {
    let name = name(key);
    let mut path = directory.to_owned();
    let mut end = name.len();
    for level in levels {
        let start = end.saturating_sub(*level);
        path.push(&name[start..end]);
        end = start;
    }
    path.push(name);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_names_of_nginx() {
        let key = main(b"http://localhost/a");
        let name = name(&key);
        assert_eq!(of_name(name.as_bytes()), Some(key));
        let found = path(Path::new("/c"), &[1, 2], &key);
        assert_eq!(found, PathBuf::from(format!("/c/{}/{}/{name}", &name[31..], &name[29..31])));
        assert_eq!(path(Path::new("/c"), &[], &key), PathBuf::from(format!("/c/{name}")));
        assert_eq!(super::name(&main(b"")), "d41d8cd98f00b204e9800998ecf8427e");
        for other in
            ["", "d4", "D41D8CD98F00B204E9800998ECF8427E", "d41d8cd98f00b204e9800998ecf8427e.0000000001"]
        {
            assert_eq!(of_name(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_variant_depends_on_values_and_not_on_space() {
        let of = |value: &'static str| {
            variant(&[0; 16], b"Accept-Encoding, X", |name| match name {
                b"accept-encoding" => vec![BStr::new(value)],
                _ => Vec::new(),
            })
        };
        assert_eq!(of("gzip, br"), of("gzip ,br"));
        assert_ne!(of("gzip"), of("br"));
        assert_ne!(of("gzip"), variant(&[1; 16], b"Accept-Encoding, X", |_| vec![BStr::new("gzip")]));
    }
}
