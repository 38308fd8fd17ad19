//! One certificate of a chain, and what it may be used for.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{BasicConstraints, ExtendedKeyUsage, KeyUsage, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use super::name;
use super::trust::bare;
use super::verdict::{EXPIRED, NOT_YET_VALID, Verdict};

/// Purpose for which a certificate is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A client shows it.
    Client,
    /// A server shows it.
    Server,
    /// It has signed an OCSP response.
    Responder,
}

/// Bits that an RSA key needs at the security level that Debian's OpenSSL has.
const RSA_BITS: usize = 2048;
/// A certificate of a chain.
pub(super) struct Link<'d> {
    pub(super) der: &'d [u8],
    pub(super) parsed: X509Certificate<'d>,
    pub(super) subject: Vec<u8>,
    pub(super) issuer: Vec<u8>,
}

impl<'d> Link<'d> {
    pub(super) fn parse(der: &'d [u8]) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(der).ok()?;
        let (subject, issuer) = (name::comparable(&parsed.subject), name::comparable(&parsed.issuer));
        rest.is_empty().then_some(Link { der, parsed, subject, issuer })
    }

    pub(super) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    pub(super) fn is_self_signed(&self) -> bool {
        self.is_self_issued() && self.key_fits(self)
    }

    /// Whether the identifier of the issuer's key, if there is one, is that of `issuer`'s.
    pub(super) fn key_fits(&self, issuer: &Link<'_>) -> bool {
        let wanted = self.extensions().find_map(|extension| match extension {
            ParsedExtension::AuthorityKeyIdentifier(id) => Some(id),
            _ => None,
        });
        let Some(wanted) = wanted else { return true };
        let own = issuer.extensions().find_map(|extension| match extension {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
            _ => None,
        });
        let key = wanted.key_identifier.as_ref().zip(own).is_none_or(|(wanted, own)| wanted.0 == own);
        let serial = wanted
            .authority_cert_serial
            .is_none_or(|serial| bare(serial) == bare(issuer.parsed.raw_serial()));
        key && serial
    }

    pub(super) fn is_issued_by(&self, issuer: &Link<'_>) -> bool {
        self.issuer == issuer.subject && self.key_fits(issuer) && issuer.may(KeyUsage::key_cert_sign)
    }

    pub(super) fn is_valid_at(&self, now: i64) -> bool {
        self.time_fault(now).is_none()
    }

    pub(super) fn time_fault(&self, now: i64) -> Option<Verdict> {
        let validity = &self.parsed.validity;
        if validity.not_before.timestamp() > now {
            return Some(NOT_YET_VALID);
        }
        (validity.not_after.timestamp() < now).then_some(EXPIRED)
    }

    pub(super) fn extensions(&self) -> impl Iterator<Item = &ParsedExtension<'d>> {
        self.parsed.extensions().iter().map(|extension| extension.parsed_extension())
    }

    /// Whether the key may be used so: where nothing is said of it, it may.
    pub(super) fn may(&self, usage: fn(&KeyUsage) -> bool) -> bool {
        self.key_usage().is_none_or(usage)
    }

    pub(super) fn key_usage(&self) -> Option<&KeyUsage> {
        self.extensions().find_map(|extension| match extension {
            ParsedExtension::KeyUsage(usage) => Some(usage),
            _ => None,
        })
    }

    pub(super) fn constraints(&self) -> Option<&BasicConstraints> {
        self.extensions().find_map(|extension| match extension {
            ParsedExtension::BasicConstraints(constraints) => Some(constraints),
            _ => None,
        })
    }

    pub(super) fn extended_usage(&self) -> Option<&ExtendedKeyUsage<'d>> {
        self.extensions().find_map(|extension| match extension {
            ParsedExtension::ExtendedKeyUsage(usage) => Some(usage),
            _ => None,
        })
    }

    /// Whether it may sign certificates. A root of version 1 says nothing of it.
    pub(super) fn is_ca(&self) -> bool {
        let is_old_root = || self.parsed.version.0 == 0 && self.is_self_signed();
        self.may(KeyUsage::key_cert_sign) && self.constraints().map_or_else(is_old_root, |own| own.ca)
    }

    /// Whether it says something critical that is not understood, or that is malformed.
    pub(super) fn has_unknown(&self) -> bool {
        self.parsed.extensions().iter().any(|extension| {
            let is_known = matches!(
                extension.parsed_extension(),
                ParsedExtension::AuthorityKeyIdentifier(_)
                    | ParsedExtension::SubjectKeyIdentifier(_)
                    | ParsedExtension::KeyUsage(_)
                    | ParsedExtension::CertificatePolicies(_)
                    | ParsedExtension::PolicyMappings(_)
                    | ParsedExtension::PolicyConstraints(_)
                    | ParsedExtension::InhibitAnyPolicy(_)
                    | ParsedExtension::SubjectAlternativeName(_)
                    | ParsedExtension::BasicConstraints(_)
                    | ParsedExtension::NameConstraints(_)
                    | ParsedExtension::ExtendedKeyUsage(_)
                    | ParsedExtension::CRLDistributionPoints(_)
                    | ParsedExtension::NSCertType(_)
            );
            let is_broken = matches!(extension.parsed_extension(), ParsedExtension::ParseError { .. });
            extension.critical && !is_known || is_broken
        })
    }

    /// Whether a responder says that its certificate is not to be looked up (RFC 6960 §4.2.2.2.1).
    pub(super) fn is_not_to_be_checked(&self) -> bool {
        const NO_CHECK: &str = "1.3.6.1.5.5.7.48.1.5";
        self.parsed.extensions().iter().any(|extension| extension.oid.to_id_string() == NO_CHECK)
    }

    pub(super) fn serves(&self, purpose: Purpose, is_ca: bool) -> bool {
        let usage = self.extended_usage().is_none_or(|usage| match purpose {
            Purpose::Client => usage.client_auth,
            Purpose::Server => usage.server_auth,
            // The signer of a response decides it.
            Purpose::Responder => true,
        });
        if !usage || is_ca {
            return usage;
        }
        match purpose {
            Purpose::Client => self.may(|key| key.digital_signature() || key.key_agreement()),
            Purpose::Server => {
                self.may(|key| key.digital_signature() || key.key_encipherment() || key.key_agreement())
            }
            Purpose::Responder => true,
        }
    }

    pub(super) fn has_weak_key(&self) -> bool {
        match self.parsed.subject_pki.parsed() {
            Ok(PublicKey::RSA(key)) => key.key_size() < RSA_BITS,
            _ => false,
        }
    }
}
