//! Certificates with their private keys.

use std::path::Path;

use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::crypto::ring::sign;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::pem::Pem;

use super::error::CertificateError;
use super::old_key;
use crate::limits;
use crate::task::disk;

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
    let pair = CertifiedKey::new(chain, sign::any_supported_type(&private(text, passwords)?)?);
    let mismatch = rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch);
    if pair.keys_match() == Err(mismatch) {
        return Err(CertificateError::OtherKey);
    }
    Ok(pair)
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
