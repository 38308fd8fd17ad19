//! Verification of signed links, as nginx does it.

use bstr::{BStr, ByteSlice};
use md5::{Digest, Md5};

use crate::directive::number;
use crate::http::base64::decode_url;

/// Maximum length of a hash in base64.
const LONGEST_HASH: usize = 24;

/// The parts of the text of `secure_link`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecureLink<'t> {
    /// Text of the time at which the link expires: the value of `$secure_link_expires`.
    pub expires: Option<&'t BStr>,
    hash: Option<[u8; 16]>,
    /// That time in seconds.
    until: u64,
}

impl<'t> SecureLink<'t> {
    /// Parses the text `HASH[,EXPIRES]`; `None` if the time is invalid.
    pub fn parse(text: &'t [u8]) -> Option<SecureLink<'t>> {
        let (hash, expires) = match text.split_once_str(",") {
            Some((hash, expires)) => (hash, Some(expires)),
            None => (text, None),
        };
        let until = match expires {
            Some(expires) => number::digits(expires).filter(|until| *until > 0)?,
            None => 0,
        };
        let hash = if hash.len() > LONGEST_HASH { None } else { decode_url(hash) };
        Some(SecureLink {
            expires: expires.map(BStr::new),
            hash: hash.and_then(|hash| hash.try_into().ok()),
            until,
        })
    }

    /// The value of `$secure_link`: `1` for a valid link, `0` for an expired one, `None` for a wrong one. `text` is that of
    /// `secure_link_md5`, which may contain `$secure_link_expires`; `now` is the time in seconds.
    pub fn check(&self, text: &[u8], now: u64) -> Option<&'static str> {
        let hash: [u8; 16] = Md5::digest(text).into();
        if self.hash != Some(hash) {
            return None;
        }
        Some(if self.until > 0 && self.until < now { "0" } else { "1" })
    }
}

/// The value of `$secure_link` with `secure_link_secret`: what follows the hash in a target `/PREFIX/HASH/LINK`. The target
/// is as received, with its query string.
pub fn with_secret<'t>(target: &'t [u8], secret: &[u8]) -> Option<&'t BStr> {
    let (_, rest) = target.get(1..)?.split_once_str("/")?;
    let (hash, link) = rest.split_once_str("/")?;
    if hash.len() != 32 || link.is_empty() {
        return None;
    }
    let expected = Md5::new().chain_update(link).chain_update(secret).finalize();
    let (pairs, _) = hash.as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let is_equal = pairs.iter().zip(expected).all(|([high, low], byte)| {
        digit(*high).zip(digit(*low)).is_some_and(|(high, low)| high << 4 | low == u32::from(byte))
    });
    is_equal.then(|| link.as_bstr())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `echo -n '2147483647/s/link127.0.0.1 secret' | openssl md5 -binary | openssl base64 | tr +/ -_ | tr -d =`, which
    /// is the example of the manual of nginx.
    const HASH: &str = "_e4Nc3iduzkWRm01TBBNYw";
    const TEXT: &[u8] = b"2147483647/s/link127.0.0.1 secret";

    fn check(text: &str, now: u64) -> Option<&'static str> {
        SecureLink::parse(text.as_bytes())?.check(TEXT, now)
    }

    #[test]
    fn links_are_valid_until_they_expire() {
        let link = format!("{HASH},2147483647");
        assert_eq!(check(&link, 2_147_483_647), Some("1"));
        assert_eq!(check(&link, 2_147_483_648), Some("0"));
        assert_eq!(check(HASH, u64::MAX), Some("1"));
        assert_eq!(check(&format!("{HASH}=="), 0), Some("1"));
        assert_eq!(SecureLink::parse(link.as_bytes()).unwrap().expires, Some("2147483647".into()));
    }

    #[test]
    fn other_links_are_wrong() {
        for wrong in [
            String::new(),
            ",1".into(),
            format!("{HASH},"),
            format!("{HASH},0"),
            format!("{HASH},1x"),
            format!("{HASH},99999999999999999999"),
            format!("{HASH}==="),
            HASH.replace('_', "/"),
            HASH[..21].into(),
            "AAAAAAAAAAAAAAAAAAAAAA".into(),
            "a".repeat(1000),
        ] {
            assert_eq!(check(&wrong, 0), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_signs_what_follows_the_hash() {
        let hash: String = Md5::digest(b"link?a=1secret").iter().map(|byte| format!("{byte:02X}")).collect();
        let target = format!("/p/{hash}/link?a=1");
        assert_eq!(with_secret(target.as_bytes(), b"secret"), Some("link?a=1".into()));
        for wrong in ["", "/", "/p", "/p/", "/p//", &format!("/p/{hash}/"), &format!("/p/x{hash}/link?a=1")] {
            assert_eq!(with_secret(wrong.as_bytes(), b"secret"), None, "{wrong}");
        }
    }
}
