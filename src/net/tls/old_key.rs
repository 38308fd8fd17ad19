//! Private keys that are encrypted in OpenSSL's form from before PKCS #8: headers in the PEM text name cipher and salt
//! (`Proc-Type: 4,ENCRYPTED`, RFC 1421 §4.6). The key of the cipher is made from the password with MD5, as OpenSSL does it.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bstr::ByteSlice;
use md5::{Digest, Md5};
use rustls::crypto::ring::sign;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivateSec1KeyDer};

use super::error::CertificateError;

/// A header of PEM texts that are encrypted so.
const MARK: &[u8] = b"Proc-Type: 4,ENCRYPTED";
/// Bytes of the initialisation vector that are the salt.
const SALT: usize = 8;

/// Kind of a key, by its label.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Pkcs1,
    Sec1,
}

/// A cipher of the `DEK-Info` header.
#[derive(Clone, Copy, Debug)]
enum Cipher {
    Aes128,
    Aes192,
    Aes256,
    TripleDes,
}

/// Whether a PEM text has such a key.
pub(super) fn is_in(text: &[u8]) -> bool {
    text.find(MARK).is_some()
}

/// Decrypts the key in a PEM text with the first password that fits.
///
/// # Errors
///
/// The cipher is not supported, or no password fits.
pub(super) fn decrypt(
    text: &[u8],
    passwords: &[Vec<u8>],
) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let found = parse(text).ok_or(CertificateError::OldEncryption)?;
    let keys = passwords.iter().filter_map(|password| found.with(password));
    let mut usable = keys.filter(|key| sign::any_supported_type(key).is_ok());
    usable.next().ok_or(CertificateError::Encrypted)
}

/// An encrypted key.
struct EncryptedKey {
    kind: Kind,
    cipher: Cipher,
    iv: Vec<u8>,
    data: Vec<u8>,
}

fn parse(text: &[u8]) -> Option<EncryptedKey> {
    let mark = text.find(MARK)?;
    let begin = text[..mark].rfind("-----BEGIN ")?;
    let label = text[begin + b"-----BEGIN ".len()..mark].trim_ascii().strip_suffix(b"-----")?;
    let kind = match label {
        b"RSA PRIVATE KEY" => Kind::Pkcs1,
        b"EC PRIVATE KEY" => Kind::Sec1,
        _ => return None,
    };
    let after = &text[mark..];
    let inside = &after[..after.find("-----END ")?];
    let (mut info, mut data, mut is_body) = (None, Vec::new(), false);
    for line in inside.lines() {
        match line.strip_prefix(b"DEK-Info: ") {
            Some(found) => info = Some(found.to_vec()),
            None if line.trim_ascii().is_empty() => is_body = true,
            None if is_body => data.extend_from_slice(line.trim_ascii()),
            None => {}
        }
    }
    let info = info?;
    let (name, iv) = info.trim_ascii().split_once_str(",")?;
    let (cipher, iv_length) = match name {
        b"AES-128-CBC" => (Cipher::Aes128, 16),
        b"AES-192-CBC" => (Cipher::Aes192, 16),
        b"AES-256-CBC" => (Cipher::Aes256, 16),
        b"DES-EDE3-CBC" => (Cipher::TripleDes, 8),
        _ => return None,
    };
    let iv = hex(iv).filter(|iv| iv.len() == iv_length)?;
    Some(EncryptedKey { kind, cipher, iv, data: STANDARD.decode(&data).ok()? })
}

fn hex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = digits.chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

impl EncryptedKey {
    fn with(&self, password: &[u8]) -> Option<PrivateKeyDer<'static>> {
        let mut data = self.data.clone();
        let key = |length| self.key(password, length);
        let plain = match self.cipher {
            Cipher::Aes128 => decrypted::<aes::Aes128>(&key(16), &self.iv, &mut data)?,
            Cipher::Aes192 => decrypted::<aes::Aes192>(&key(24), &self.iv, &mut data)?,
            Cipher::Aes256 => decrypted::<aes::Aes256>(&key(32), &self.iv, &mut data)?,
            Cipher::TripleDes => decrypted::<des::TdesEde3>(&key(24), &self.iv, &mut data)?,
        };
        Some(match self.kind {
            Kind::Pkcs1 => PrivatePkcs1KeyDer::from(plain).into(),
            Kind::Sec1 => PrivateSec1KeyDer::from(plain).into(),
        })
    }

    /// The cipher's key: OpenSSL's `EVP_BytesToKey` with MD5 and one round.
    fn key(&self, password: &[u8], length: usize) -> Vec<u8> {
        let mut key: Vec<u8> = Vec::new();
        let mut last: Vec<u8> = Vec::new();
        while key.len() < length {
            last = Md5::new()
                .chain_update(&last)
                .chain_update(password)
                .chain_update(&self.iv[..SALT])
                .finalize()
                .to_vec();
            key.extend_from_slice(&last);
        }
        key.truncate(length);
        key
    }
}

fn decrypted<C: BlockCipherDecrypt + KeyInit>(key: &[u8], iv: &[u8], data: &mut [u8]) -> Option<Vec<u8>> {
    let cipher = cbc::Decryptor::<C>::new_from_slices(key, iv).ok()?;
    cipher.decrypt_padded::<Pkcs7>(data).ok().map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_malformed_is_refused() {
        let whole = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        assert!(parse(whole.as_bytes()).is_some());
        assert!(matches!(decrypt(whole.as_bytes(), &[b"a".to_vec()]), Err(CertificateError::Encrypted)));
        for (from, to) in [
            ("AES-128", "RC2"),
            ("EEFF", "EE"),
            ("EEFF", "EEF\u{fc}"),
            ("AAAA", "A*AA"),
            ("-----END", "END"),
            ("DEK-Info", "Info"),
            ("RSA PRIVATE KEY-----\nProc", "OTHER KEY-----\nProc"),
        ] {
            let bad = whole.replacen(from, to, 1);
            assert!(matches!(decrypt(bad.as_bytes(), &[]), Err(CertificateError::OldEncryption)), "{bad}");
        }
    }
}
