//! SHA-based `crypt`: the text form around the hash functions of the `sha-crypt` crate.

use ::sha_crypt::{Params, sha256_crypt, sha512_crypt};
use bstr::ByteSlice;

use super::md5_crypt::digits;

/// Maximum length of a salt.
const SALT: usize = 16;

/// The password in the form of `stored`, which begins with `$5$` or `$6$`; `None` if the number of rounds is invalid.
pub(super) fn encrypt(password: &[u8], stored: &[u8]) -> Option<Vec<u8>> {
    let (magic, rest) = stored.split_at_checked(3)?;
    let (rounds, salt) = match rest.strip_prefix(b"rounds=") {
        Some(rest) => {
            let (number, salt) = rest.split_once_str("$")?;
            let is_canonical = number.iter().all(u8::is_ascii_digit) && !number.starts_with(b"0");
            (Params::new(number.to_str().ok()?.parse().ok().filter(|_| is_canonical)?).ok()?, salt)
        }
        None => (Params::default(), rest),
    };
    let salt = &salt[..salt.iter().take(SALT).take_while(|byte| **byte != b'$').count()];
    let mut out = stored[..stored.len() - rest.len()].to_vec();
    if rest.starts_with(b"rounds=") {
        out.extend_from_slice(format!("{rounds}$").as_bytes());
    }
    out.extend_from_slice(salt);
    out.push(b'$');
    // The order in which the bytes become digits follows from each group of three by one rotation.
    if magic == b"$5$" {
        let hash = sha256_crypt(password, salt, rounds);
        let mut group = [0, 10, 20];
        for _ in 0..10 {
            digits(&mut out, group.map(|at| hash[at]), 4);
            let [a, b, c] = group;
            group = [c + 1, a + 1, b + 1];
        }
        digits(&mut out, [0, hash[31], hash[30]], 3);
    } else {
        let hash = sha512_crypt(password, salt, rounds);
        let mut group = [0, 21, 42];
        for _ in 0..21 {
            digits(&mut out, group.map(|at| hash[at]), 4);
            let [a, b, c] = group;
            group = [b + 1, c + 1, a + 1];
        }
        digits(&mut out, [0, 0, hash[63]], 2);
    }
    Some(out)
}
