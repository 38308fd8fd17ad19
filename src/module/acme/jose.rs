//! Signed requests (JWS, RFC 7515, as RFC 8555 section 6.2 wants them) and keys of accounts (JWK, RFC 7517).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as RsaKeyPair, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Bits of RSA keys of accounts: `RS256` is not for shorter ones (RFC 7518 section 3.3).
const RSA_BITS: usize = 2048;

/// The key of an account.
pub(super) struct SigningKey(Algorithm);

enum Algorithm {
    /// ES256 or ES384, with the name of the curve.
    Ecdsa(EcdsaKeyPair, &'static str, &'static str),
    /// RS256.
    Rsa(RsaKeyPair),
}

/// Why a key cannot be an account's.
#[derive(Debug, thiserror::Error)]
pub(super) enum SigningKeyError {
    /// The text is not PEM, or has no key.
    #[error("it has no private key: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// The type of the key is not supported.
    #[error("the key is neither ECDSA with P-256 or P-384 nor RSA with 2048 bits or more")]
    Unsupported,
}

/// How an account is named in a request.
pub(super) enum Signer<'s> {
    /// By its key: before there is an account.
    Key,
    /// By its address.
    Account(&'s str),
}

/// Base64 without padding, as JOSE has it.
pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl SigningKey {
    /// Reads a key (PEM).
    pub(super) fn read(pem: &[u8]) -> Result<SigningKey, SigningKeyError> {
        let unsupported = |_| SigningKeyError::Unsupported;
        let rsa = match PrivateKeyDer::from_pem_slice(pem)? {
            PrivateKeyDer::Pkcs8(der) => {
                if let Some(key) = SigningKey::ecdsa(der.secret_pkcs8_der()) {
                    return Ok(key);
                }
                RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(unsupported)?
            }
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).map_err(unsupported)?,
            PrivateKeyDer::Sec1(der) => {
                let forms = [P256_PREFIX, P384_PREFIX].map(|curve| pkcs8(curve, der.secret_sec1_der()));
                let key = forms.iter().flatten().find_map(|der| SigningKey::ecdsa(der));
                return key.ok_or(SigningKeyError::Unsupported);
            }
            _ => return Err(SigningKeyError::Unsupported),
        };
        match rsa.public().modulus_len() * 8 {
            RSA_BITS.. => Ok(SigningKey(Algorithm::Rsa(rsa))),
            _ => Err(SigningKeyError::Unsupported),
        }
    }

    fn ecdsa(pkcs8: &[u8]) -> Option<SigningKey> {
        let curves = [
            (&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256", "ES256"),
            (&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384", "ES384"),
        ];
        curves.into_iter().find_map(|(algorithm, curve, name)| {
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, &SystemRandom::new()).ok()?;
            Some(SigningKey(Algorithm::Ecdsa(pair, curve, name)))
        })
    }

    /// The public key (JWK). Its fields are in the order that the thumbprint needs.
    pub(super) fn public(&self) -> Value {
        match &self.0 {
            Algorithm::Ecdsa(pair, curve, _) => {
                // An uncompressed point: 4, x, y.
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "crv": curve, "kty": "EC", "x": base64url(x), "y": base64url(y) })
            }
            Algorithm::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "e": base64url(public.e), "kty": "RSA", "n": base64url(public.n) })
            }
        }
    }

    /// Identifies the key (RFC 7638).
    pub(super) fn thumbprint(&self) -> String {
        let fields = self.public();
        let mut fields: Vec<_> = fields.as_object().into_iter().flatten().collect();
        fields.sort_unstable_by_key(|(name, _)| *name);
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        base64url(Sha256::digest(format!("{{{}}}", fields.join(","))))
    }

    /// A signed request. An empty payload reads what is at the address (RFC 8555 section 6.3). `None` if the system has no
    /// randomness.
    pub(super) fn sign(
        &self,
        signer: &Signer<'_>,
        url: &str,
        nonce: &str,
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        let name = match &self.0 {
            Algorithm::Ecdsa(_, _, name) => name,
            Algorithm::Rsa(_) => "RS256",
        };
        let mut header = json!({ "alg": name, "nonce": nonce, "url": url });
        match signer {
            Signer::Key => header["jwk"] = self.public(),
            Signer::Account(address) => header["kid"] = json!(address),
        }
        let (header, payload) = (base64url(header.to_string()), base64url(payload));
        let signed = format!("{header}.{payload}");
        let random = SystemRandom::new();
        let signature = match &self.0 {
            Algorithm::Ecdsa(pair, ..) => pair.sign(&random, signed.as_bytes()).ok()?.as_ref().to_vec(),
            Algorithm::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).ok()?;
                signature
            }
        };
        Some(envelope(&header, &payload, &signature).to_string().into_bytes())
    }

    /// Binds the key to an account elsewhere, which has the key `mac` of this name (RFC 8555 section 7.3.4).
    pub(super) fn bind(&self, id: &str, mac: &[u8], url: &str) -> Value {
        let header = base64url(json!({ "alg": "HS256", "kid": id, "url": url }).to_string());
        let payload = base64url(self.public().to_string());
        let key = hmac::Key::new(hmac::HMAC_SHA256, mac);
        let signature = hmac::sign(&key, format!("{header}.{payload}").as_bytes());
        envelope(&header, &payload, signature.as_ref())
    }
}

fn envelope(header: &str, payload: &str, signature: &[u8]) -> Value {
    json!({ "protected": header, "payload": payload, "signature": base64url(signature) })
}

/// AlgorithmIdentifier of keys with the curve P-256, as PKCS #8 has it.
const P256_PREFIX: &[u8] =
    &[0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// The same with P-384.
const P384_PREFIX: &[u8] =
    &[0x30, 0x10, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 0x22];

/// Puts a key as files of `EC PRIVATE KEY` have it into PKCS #8, which is the form that the library reads. `None` if it is too
/// long to be one.
fn pkcs8(algorithm: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let element = |tag: u8, contents: &[u8]| -> Option<Vec<u8>> {
        let length = u16::try_from(contents.len()).ok()?.to_be_bytes();
        let head: &[u8] = match length {
            [0, short @ 0..0x80] => &[tag, short],
            [0, long] => &[tag, 0x81, long],
            [high, low] => &[tag, 0x82, high, low],
        };
        Some([head, contents].concat())
    };
    let version = [2, 1, 0];
    element(0x30, &[&version[..], algorithm, &element(4, key)?].concat())
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};

    use super::super::keys;
    use super::super::setting::KeyKind;
    use super::*;

    fn part(text: &Value) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
    }

    #[test]
    fn requests_are_signed_with_the_key_that_they_name() {
        for (kind, name) in [(KeyKind::EcdsaP256, "ES256"), (KeyKind::EcdsaP384, "ES384")] {
            let pair = keys::make(kind).unwrap();
            let key = SigningKey::read(pair.serialize_pem().as_bytes()).unwrap();
            let signed = key.sign(&Signer::Key, "https://a.example/b", "nonce", b"{}").unwrap();
            let signed: Value = serde_json::from_slice(&signed).unwrap();
            let header: Value = serde_json::from_slice(&part(&signed["protected"])).unwrap();
            assert_eq!((&header["alg"], &header["nonce"]), (&json!(name), &json!("nonce")));
            assert_eq!(header["jwk"], key.public());
            let point = [vec![4], part(&header["jwk"]["x"]), part(&header["jwk"]["y"])].concat();
            let text =
                format!("{}.{}", signed["protected"].as_str().unwrap(), signed["payload"].as_str().unwrap());
            let verified = match kind {
                KeyKind::EcdsaP256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                    .verify(text.as_bytes(), &part(&signed["signature"])),
                _ => UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point)
                    .verify(text.as_bytes(), &part(&signed["signature"])),
            };
            verified.unwrap();
        }
    }

    #[test]
    fn a_thumbprint_is_that_of_the_specification() {
        // The key of RFC 7638 section 3.1, of which only the public part is known; the digest is of its fields.
        let fields = r#"{"e":"AQAB","kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}"#;
        assert_eq!(base64url(Sha256::digest(fields)), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        let key =
            SigningKey::read(keys::make(KeyKind::EcdsaP256).unwrap().serialize_pem().as_bytes()).unwrap();
        let public = key.public();
        let text = |name: &str| public[name].as_str().unwrap().to_owned();
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, text("x"), text("y"));
        assert_eq!(key.thumbprint(), base64url(Sha256::digest(canonical)));
    }

    #[test]
    fn keys_of_other_forms_are_read_and_other_kinds_are_not() {
        let pair = keys::make(KeyKind::EcdsaP256).unwrap();
        let same = SigningKey::read(pair.serialize_pem().as_bytes()).unwrap();
        // PKCS #8 with this curve has the other form from this byte on.
        let inner = &pair.serialized_der()[3 + 3 + P256_PREFIX.len() + 2..];
        assert_eq!(pkcs8(P256_PREFIX, inner).unwrap(), pair.serialized_der());
        let lines = base64::engine::general_purpose::STANDARD.encode(inner);
        let old = format!("-----BEGIN EC PRIVATE KEY-----\n{lines}\n-----END EC PRIVATE KEY-----\n");
        assert_eq!(SigningKey::read(old.as_bytes()).unwrap().thumbprint(), same.thumbprint());
        assert!(SigningKey::read(b"text").is_err());
        let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
        assert!(matches!(SigningKey::read(other.as_bytes()), Err(SigningKeyError::Unsupported)));
    }
}
