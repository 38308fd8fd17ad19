//! Certificates with their private keys.

use std::ops::RangeInclusive;
use std::path::Path;

use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::crypto::ring::sign;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use super::error::CertificateError;
use super::old_key;
use crate::limits;
use crate::task::disk;

/// Lengths of RSA keys with which the TLS library signs, in bits.
const RSA_BITS: RangeInclusive<usize> = 2048..=4096;
/// Identifiers of curves (RFC 5480 §2.1.1.1).
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const P521: &str = "1.3.132.0.35";

/// Label of encrypted keys in PEM files.
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// Passwords of an `ssl_password_file`.
pub(super) type Passwords = Vec<Vec<u8>>;

/// Splits a password file into its lines.
pub(super) fn passwords(text: &[u8]) -> Passwords {
    let lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !line.is_empty()).take(limits::TLS_PASSWORDS).map(<[u8]>::to_vec).collect()
}

/// The text of a certificate or key: contents of a file, or what follows `data:`.
pub(super) fn text_of(path: &Path) -> Result<Vec<u8>, CertificateError> {
    match inline(path) {
        Some(text) => Ok(text.to_vec()),
        None => disk::read(path).map_err(CertificateError::Unreadable),
    }
}

/// The text after `data:`; `None` for a file.
pub(super) fn inline(path: &Path) -> Option<&[u8]> {
    path.as_os_str().as_encoded_bytes().strip_prefix(b"data:")
}

/// The certificates of a PEM text.
pub(super) fn chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let chain = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>()?;
    if chain.is_empty() { Err(CertificateError::Empty) } else { Ok(chain) }
}

/// Combines certificates with the key of a PEM text.
pub(super) fn certified(
    chain: Vec<CertificateDer<'static>>,
    text: &[u8],
    passwords: &[Vec<u8>],
) -> Result<CertifiedKey, CertificateError> {
    let key = private(text, passwords)?;
    let key = sign::any_supported_type(&key).map_err(|error| match unsupported(&chain) {
        Some(kind) => CertificateError::UnsupportedKey(kind),
        None => error.into(),
    })?;
    let pair = CertifiedKey::new(chain, key);
    let mismatch = rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch);
    if pair.keys_match() == Err(mismatch) {
        return Err(CertificateError::OtherKey);
    }
    Ok(pair)
}

/// What kind of key a certificate has, if the TLS library does not sign with such keys.
fn unsupported(chain: &[CertificateDer<'_>]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(chain.first()?).ok()?;
    match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(key) if !RSA_BITS.contains(&key.key_size()) => {
            Some(format!("RSA with {} bits", key.key_size()))
        }
        PublicKey::EC(_) => {
            let curve = certificate.subject_pki.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string();
            let name = match curve.as_str() {
                P256 | P384 => return None,
                P521 => "P-521",
                other => other,
            };
            Some(format!("the curve {name}"))
        }
        _ => None,
    }
}

/// The private key of a PEM text, decrypted with the first password that fits.
pub(super) fn private(
    text: &[u8],
    passwords: &[Vec<u8>],
) -> Result<PrivateKeyDer<'static>, CertificateError> {
    if old_key::is_in(text) {
        return old_key::decrypt(text, passwords);
    }
    let encrypted = Pem::iter_from_buffer(text).flatten().find(|part| part.label == ENCRYPTED);
    let Some(encrypted) = encrypted else { return Ok(PrivateKeyDer::from_pem_slice(text)?) };
    let info = EncryptedPrivateKeyInfoRef::try_from(&encrypted.contents[..])
        .map_err(|_| CertificateError::Encrypted)?;
    let decrypted = passwords.iter().find_map(|password| info.decrypt(password).ok());
    let der = decrypted.ok_or(CertificateError::Encrypted)?;
    Ok(PrivatePkcs8KeyDer::from(der.as_bytes().to_vec()).into())
}
