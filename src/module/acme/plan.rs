//! What a configuration orders, from whom.

use std::path::PathBuf;
use std::sync::Arc;

use bstr::{BString, ByteSlice};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::identifier::{Identifier, IdentifierError};
use super::setting::{
    AccountKey, CertificateRequest, ChallengeKind, Contact, ExternalKey, IssuerUri, KeyKind, Profile,
};
use crate::directive::ServerName;

/// Bytes of the first name in the name of a file: with what follows it, a name of a file may not be longer.
const FILE_NAME: usize = 200;
/// Hexadecimal digits that tell orders with the same first name apart.
const DIGITS: usize = 16;

/// All issuers and orders of a configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct AcmePlan {
    /// Issuers by name.
    pub(super) issuers: Vec<Arc<Issuer>>,
    /// What is ordered; servers that order the same share it.
    pub(super) orders: Vec<Arc<Order>>,
}

impl AcmePlan {
    /// What is ordered from one issuer.
    pub(super) fn part(&self, issuer: &Arc<Issuer>) -> AcmePlan {
        let orders = self.orders.iter().filter(|order| order.issuer.name == issuer.name).cloned().collect();
        AcmePlan { issuers: vec![issuer.clone()], orders }
    }
}

/// A complete `acme_issuer` block.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Issuer {
    pub(super) name: BString,
    pub(super) uri: IssuerUri,
    pub(super) account_key: AccountKey,
    pub(super) challenge: ChallengeKind,
    pub(super) contacts: Vec<Contact>,
    pub(super) external: Option<ExternalKey>,
    pub(super) profile: Option<Profile>,
    pub(super) trusted: Option<PathBuf>,
    pub(super) verify: bool,
    /// Directory of the state, if it is kept.
    pub(super) state: Option<PathBuf>,
    pub(super) accepts_terms: bool,
}

/// An order of a certificate.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    /// See [`order_id`].
    pub(super) id: String,
    pub(super) issuer: Arc<Issuer>,
    pub(super) identifiers: Vec<Identifier>,
    pub(super) key: KeyKind,
}

impl Order {
    /// The host names and addresses as texts.
    pub(super) fn names(&self) -> Vec<String> {
        self.identifiers.iter().map(ToString::to_string).collect()
    }

    /// Name of its files, without what tells certificate and key apart.
    pub(super) fn file_name(&self) -> &str {
        self.id.rsplit('/').next().unwrap_or(&self.id)
    }
}

/// Identifies an order: the name of the issuer and a name of files, which is made of the first host name and a hash of
/// everything that is ordered.
pub(super) fn order_id(issuer: &BString, identifiers: &[Identifier], key: KeyKind) -> String {
    let host = identifiers.iter().find(|identifier| matches!(identifier, Identifier::Dns(_)));
    let first = host.or(identifiers.first()).map(ToString::to_string).unwrap_or_default();
    let first: String = first.replace(':', "_").chars().take(FILE_NAME).collect();
    let mut hash = Sha256::new();
    for identifier in identifiers {
        hash.update(format!("{}:{identifier}\n", identifier.kind()));
    }
    hash.update(key.to_string());
    let digits = HEXLOWER.encode(&hash.finalize());
    format!("{}/{first}-{}", issuer.to_str_lossy(), &digits[..DIGITS])
}

/// The identifiers of a request: its own, or those of the server's names. With names that are left out.
pub(super) fn identifiers(
    request: &CertificateRequest,
    names: &[ServerName],
) -> Result<(Vec<Identifier>, Vec<String>), IdentifierError> {
    match request.identifiers.is_empty() {
        true => Identifier::of_names(names),
        false => Ok((request.identifiers.clone(), Vec::new())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_has_the_same_id_as_long_as_it_is_for_the_same() {
        let all = |words: &[&str]| -> Vec<Identifier> {
            words.iter().flat_map(|word| Identifier::parse(word.as_bytes()).unwrap()).collect()
        };
        let id = |words: &[&str], key| order_id(&"le".into(), &all(words), key);
        let first = id(&["192.0.2.1", "a.example"], KeyKind::EcdsaP256);
        assert!(first.starts_with("le/a.example-"), "{first}");
        assert_eq!(first, id(&["192.0.2.1", "A.example"], KeyKind::EcdsaP256));
        assert_ne!(first, id(&["192.0.2.1", "a.example"], KeyKind::EcdsaP384));
        assert_ne!(first, id(&["192.0.2.1", "a.example", "b.example"], KeyKind::EcdsaP256));
        assert!(id(&["2001:db8::1"], KeyKind::EcdsaP256).starts_with("le/2001_db8__1-"));
    }
}
