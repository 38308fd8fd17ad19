//! Private keys that are made, requests for certificates, and certificates that answer challenges.

use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384,
};
use rsa::pkcs8::EncodePrivateKey;
use rustls::pki_types::PrivatePkcs8KeyDer;
use sha2::{Digest, Sha256};

use super::identifier::Identifier;
use super::setting::KeyKind;

/// Why a key or something signed with it cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    /// A key pair, request or certificate.
    #[error("a key cannot be made or used: {0}")]
    Pair(#[from] rcgen::Error),
    /// An RSA key.
    #[error("an RSA key cannot be made: {0}")]
    Rsa(#[from] rsa::Error),
    /// The form of an RSA key.
    #[error("an RSA key cannot be made: {0}")]
    Form(#[from] pkcs8::Error),
}

/// Makes a key. RSA keys take seconds: not on a thread that others wait for.
pub(super) fn make(kind: KeyKind) -> Result<KeyPair, KeyError> {
    Ok(match kind {
        KeyKind::EcdsaP256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
        KeyKind::EcdsaP384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?,
        KeyKind::Rsa(bits) => {
            let bits = usize::try_from(bits).unwrap_or(usize::MAX);
            let key = rsa::PrivateKey::new(&mut getrandom::SysRng, bits)?;
            KeyPair::try_from(&PrivatePkcs8KeyDer::from(key.to_pkcs8_der()?.as_bytes()))?
        }
    })
}

/// A request for a certificate (PKCS #10, DER).
pub(super) fn request(identifiers: &[Identifier], key: &KeyPair) -> Result<Vec<u8>, KeyError> {
    let names: Vec<String> = identifiers.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names)?;
    // The issuer names the subject.
    params.distinguished_name = DistinguishedName::new();
    Ok(params.serialize_request(key)?.der().to_vec())
}

/// The certificate (DER) that answers a challenge over TLS (RFC 8737 section 3).
pub(super) fn answer(
    identifier: &Identifier,
    authorization: &str,
    key: &KeyPair,
) -> Result<Vec<u8>, KeyError> {
    let mut params = CertificateParams::new(vec![identifier.to_string()])?;
    let digest = Sha256::digest(authorization);
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&digest)];
    Ok(params.self_signed(key)?.der().to_vec())
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::{FromDer, X509Certificate, X509CertificationRequest};

    use super::*;

    #[test]
    fn requests_name_hosts_and_addresses() {
        let key = make(KeyKind::EcdsaP384).unwrap();
        let all: Vec<_> = ["a.example", "192.0.2.1"]
            .iter()
            .flat_map(|word| Identifier::parse(word.as_bytes()).unwrap())
            .collect();
        let der = request(&all, &key).unwrap();
        let (_, parsed) = X509CertificationRequest::from_der(&der).unwrap();
        let shown = format!("{:?}", parsed.requested_extensions().unwrap().collect::<Vec<_>>());
        assert!(
            shown.contains("DNSName(\"a.example\")") && shown.contains("IPAddress([192, 0, 2, 1])"),
            "{shown}"
        );
    }

    #[test]
    fn answers_carry_the_digest_of_the_authorization() {
        let key = make(KeyKind::EcdsaP256).unwrap();
        let name = &Identifier::parse(b"a.example").unwrap()[0];
        let der = answer(name, "token.thumbprint", &key).unwrap();
        let (_, parsed) = X509Certificate::from_der(&der).unwrap();
        let found =
            parsed.extensions().iter().find(|e| e.oid.to_id_string() == "1.3.6.1.5.5.7.1.31").unwrap();
        assert!(found.critical);
        assert_eq!(found.value[2..], *Sha256::digest("token.thumbprint"));
    }
}
