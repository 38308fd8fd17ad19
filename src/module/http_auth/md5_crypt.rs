//! MD5-based `crypt`: `$1$`, and Apache's `$apr1$`, which nginx implements itself.

use md5::{Digest, Md5};

/// Alphabet of `crypt`.
pub(super) const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Maximum length of a salt.
const SALT: usize = 8;
/// Number of rounds after the first.
const ROUNDS: usize = 1000;

/// The password in the form `MAGIC SALT $ HASH`, with the salt of `stored`.
pub(super) fn encrypt(password: &[u8], stored: &[u8], magic: &[u8]) -> Vec<u8> {
    let salt = stored.get(magic.len()..).unwrap_or_default();
    let salt = &salt[..salt.iter().take(SALT).take_while(|byte| **byte != b'$').count()];
    let alternate = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut md5 = Md5::new().chain_update(password).chain_update(magic).chain_update(salt);
    for chunk in password.chunks(alternate.len()) {
        md5.update(&alternate[..chunk.len()]);
    }
    let mut length = password.len();
    while length > 0 {
        // The first byte of the password stands where nothing was meant to stand.
        md5.update(if length & 1 == 1 { &[0][..] } else { &password[..1] });
        length >>= 1;
    }
    let mut hash = md5.finalize();
    for round in 0..ROUNDS {
        let mut md5 = Md5::new();
        md5.update(if round & 1 == 1 { password } else { &hash });
        if round % 3 != 0 {
            md5.update(salt);
        }
        if round % 7 != 0 {
            md5.update(password);
        }
        md5.update(if round & 1 == 1 { &hash[..] } else { password });
        hash = md5.finalize();
    }
    let mut out = [magic, salt, b"$"].concat();
    for at in 0..5 {
        let last = if at == 4 { 5 } else { at + 12 };
        digits(&mut out, [hash[at], hash[at + 6], hash[last]], 4);
    }
    digits(&mut out, [0, 0, hash[11]], 2);
    out
}

/// Appends the lower bits of three bytes as digits, least significant first.
pub(super) fn digits(out: &mut Vec<u8>, bytes: [u8; 3], count: usize) {
    let mut bits = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
    for _ in 0..count {
        out.push(ALPHABET[(bits & 0x3f) as usize]);
        bits >>= 6;
    }
}
