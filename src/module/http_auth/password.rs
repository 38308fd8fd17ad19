//! Verification of passwords against the forms that nginx on Debian knows.
//!
//! nginx itself knows `{PLAIN}`, `{SHA}`, `{SSHA}` and `$apr1$`, and leaves the rest to the system's `crypt`: DES, MD5
//! (`$1$`), SHA-256 (`$5$`), SHA-512 (`$6$`), bcrypt (`$2a$`, `$2b$`, `$2y$`) and yescrypt (`$y$`). A stored password
//! that none of them reads matches nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bstr::ByteSlice;
use sha1::{Digest, Sha1};
use yescrypt::{PasswordVerifier, Yescrypt};

use super::{des_crypt, md5_crypt, sha_crypt};
use crate::http::base64::decode;

/// Length of a hash of yescrypt as text: 32 bytes.
const YESCRYPT_DIGITS: usize = 43;
/// Length of a SHA-1 hash in bytes.
const SHA1: usize = 20;

/// Whether the password is the stored one. The stored form decides how long that takes; see [`is_costly`].
pub fn verify(password: &[u8], stored: &[u8]) -> bool {
    // C strings end at the first zero.
    let password = &password[..password.find_byte(0).unwrap_or(password.len())];
    let stored = &stored[..stored.find_byte(0).unwrap_or(stored.len())];
    match encrypt(password, stored) {
        Some(encrypted) => is_equal(&encrypted, stored),
        None => match stored {
            [b'$', b'2', b'a' | b'b' | b'y', b'$', ..] => {
                stored.to_str().is_ok_and(|stored| bcrypt::verify(password, stored).unwrap_or(false))
            }
            [b'$', b'y', b'$', ..] => yescrypt(password, stored),
            _ => false,
        },
    }
}

/// Whether the verification takes so long that it must not run on a worker's thread.
pub fn is_costly(stored: &[u8]) -> bool {
    !stored.starts_with(b"{")
}

/// The password in the form and with the salt of the stored one.
fn encrypt(password: &[u8], stored: &[u8]) -> Option<Vec<u8>> {
    if stored.starts_with(b"$apr1$") {
        return Some(md5_crypt::encrypt(password, stored, b"$apr1$"));
    }
    if stored.starts_with(b"{PLAIN}") {
        return Some([b"{PLAIN}", password].concat());
    }
    if let Some(encoded) = stored.strip_prefix(b"{SSHA}") {
        return Some(salted_sha1(password, encoded));
    }
    if stored.starts_with(b"{SHA}") {
        return Some(encoded(b"{SHA}", &Sha1::digest(password)));
    }
    if stored.starts_with(b"$1$") {
        return Some(md5_crypt::encrypt(password, stored, b"$1$"));
    }
    if stored.starts_with(b"$5$") || stored.starts_with(b"$6$") {
        return sha_crypt::encrypt(password, stored);
    }
    if stored.starts_with(b"$") {
        return None;
    }
    des_crypt::encrypt(password, stored)
}

/// `{SSHA}`: hash of password and salt, followed by the salt.
fn salted_sha1(password: &[u8], stored: &[u8]) -> Vec<u8> {
    // As in nginx, what cannot be decoded has no salt.
    let decoded = decode(stored).filter(|decoded| decoded.len() >= SHA1).unwrap_or_default();
    let salt = decoded.get(SHA1..).unwrap_or_default();
    let hash = Sha1::new().chain_update(password).chain_update(salt).finalize();
    encoded(b"{SSHA}", &[&hash[..], salt].concat())
}

/// `$y$`: parameters, salt and hash.
fn yescrypt(password: &[u8], stored: &[u8]) -> bool {
    // The crate compares as many bytes as there are, so that a hash without any would match all passwords.
    let has_hash = stored.rsplit_str("$").next().is_some_and(|hash| hash.len() == YESCRYPT_DIGITS);
    has_hash
        && stored.to_str().is_ok_and(|stored| Yescrypt::default().verify_password(password, stored).is_ok())
}

fn encoded(prefix: &[u8], bytes: &[u8]) -> Vec<u8> {
    [prefix, STANDARD.encode(bytes).as_bytes()].concat()
}

/// Compares without a hint at the first difference.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |sum, (one, other)| sum | (one ^ other)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by `openssl passwd`, `htpasswd` and the system's `crypt`.
    const STORED: &[(&str, &str)] =
        &[("secret", "{PLAIN}secret"), ("", "{PLAIN}"), ("secret", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=")];

    #[test]
    fn stored_passwords_match_only_their_own() {
        let recorded = include_str!("testdata/passwords.txt");
        let recorded = recorded.lines().filter_map(|line| line.split_once('\t'));
        let mut seen = 0;
        for (password, stored) in recorded.chain(STORED.iter().copied()) {
            assert!(verify(password.as_bytes(), stored.as_bytes()), "{password} {stored}");
            let other = format!("z{password}");
            assert!(!verify(other.as_bytes(), stored.as_bytes()), "{other} {stored}");
            let longer = format!("{stored}x");
            assert!(!verify(password.as_bytes(), longer.as_bytes()), "{password} {longer}");
            seen += 1;
        }
        assert!(seen > 30, "{seen}");
    }

    #[test]
    fn what_is_no_stored_password_matches_nothing() {
        for stored in [
            "",
            "x",
            "*",
            "!!",
            "secret",
            "$",
            "$1",
            "$5$",
            "$6$rounds=1$a$b",
            "$5$rounds=99999999999$a$b",
            "$2y$",
            "$2y$05$",
            "$2x$05$abcdefghijklmnopqrstuuW5Y9fN3lIt1lJ9Y2qPfvCtQ9WmFQ0jO",
            "$9$a$b",
            "$y$",
            "$y$j75$salt$",
            "$y$j75$salt$x",
            "{SSHA}",
            "{SSHA}!!",
            "{SHA}",
            "\u{e4}\u{e4}",
            "$2y$0\u{e4}$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(!verify(b"secret", stored.as_bytes()), "{stored}");
            assert!(!verify(b"", stored.as_bytes()), "{stored}");
        }
    }

    #[test]
    fn a_password_ends_at_a_zero() {
        assert!(verify(b"secret\0more", b"{PLAIN}secret"));
    }

    #[test]
    fn only_plain_and_unstretched_hashes_are_cheap() {
        assert!(!is_costly(b"{PLAIN}x") && !is_costly(b"{SSHA}x"));
        assert!(is_costly(b"$6$a$b") && is_costly(b"ab1234567890."));
    }
}
