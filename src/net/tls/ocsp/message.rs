//! OCSP requests and responses (RFC 6960 §4).

use bstr::BString;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use crate::net::tls::x509::der::{self, SEQUENCE, Signed, element};
use crate::net::tls::x509::name;

const ENUMERATED: u8 = 0x0A;
const GENERALIZED_TIME: u8 = 0x18;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
/// Explicit tags.
const TAGGED: [u8; 3] = [0xA0, 0xA1, 0xA2];

/// The algorithm of SHA-1 (1.3.14.3.2.26) with its NULL, as OpenSSL writes it.
const SHA1: [u8; 11] = [0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00];
/// Contents of the identifier of SHA-1.
const SHA1_OID: [u8; 5] = [0x2B, 0x0E, 0x03, 0x02, 0x1A];
/// Contents of the identifier of SHA-256 (2.16.840.1.101.3.4.2.1).
const SHA256_OID: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// Contents of the identifier id-pkix-ocsp-basic (1.3.6.1.5.5.7.48.1.1).
const BASIC_OID: [u8; 9] = [0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];

/// Status of a response.
pub(super) const SUCCESSFUL: u8 = 0;

/// Identifies a certificate by hashes (SHA-1) of its issuer's name and key, and by its serial number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CertId {
    name: [u8; 20],
    key: [u8; 20],
    /// Contents of the integer.
    serial: Vec<u8>,
}

impl CertId {
    /// Of a certificate (DER) and that of its issuer.
    pub(super) fn of(certificate: &[u8], issuer: &[u8]) -> Option<CertId> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let (_, issuer) = X509Certificate::from_der(issuer).ok()?;
        Some(CertId {
            name: Sha1::digest(certificate.issuer.as_raw()).into(),
            key: Sha1::digest(&issuer.subject_pki.subject_public_key.data).into(),
            serial: certificate.raw_serial().to_vec(),
        })
    }

    /// Bytes that it occupies.
    pub(super) fn size(&self) -> usize {
        self.name.len() + self.key.len() + self.serial.len()
    }

    /// One with this serial number.
    #[cfg(test)]
    pub(super) fn sample(serial: u8) -> CertId {
        CertId { name: [0; 20], key: [0; 20], serial: vec![serial] }
    }

    /// A request for the certificate's status.
    pub(super) fn request(&self) -> Vec<u8> {
        let id = [
            &SHA1[..],
            &encoded(OCTET_STRING, &self.name),
            &encoded(OCTET_STRING, &self.key),
            &encoded(INTEGER, &self.serial),
        ];
        // The sequences of the identifier, of the request, of the list of requests, of what could be signed, and of the whole.
        (0..5).fold(id.concat(), |inner, _| encoded(SEQUENCE, &inner))
    }
}

/// An element with this tag.
fn encoded(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len().to_be_bytes();
    let begin = length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1);
    let bytes = &length[begin..];
    let mut out = vec![tag];
    if contents.len() >= 0x80 {
        out.push(0x80 | u8::try_from(bytes.len()).unwrap_or(0));
    }
    out.extend_from_slice(bytes);
    out.extend_from_slice(contents);
    out
}

/// The first responder that a certificate (DER) names.
pub(super) fn responder_of(certificate: &[u8]) -> Option<BString> {
    const OCSP: &str = "1.3.6.1.5.5.7.48.1";
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    parsed.extensions().iter().find_map(|extension| {
        let ParsedExtension::AuthorityInfoAccess(access) = extension.parsed_extension() else {
            return None;
        };
        access.accessdescs.iter().find_map(|one| match &one.access_location {
            GeneralName::URI(uri) if one.access_method.to_id_string() == OCSP => Some((*uri).into()),
            _ => None,
        })
    })
}

/// Status of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CertStatus {
    /// Not revoked.
    Good,
    /// Revoked.
    Revoked,
    /// The responder does not know the certificate.
    Unknown,
}

impl CertStatus {
    /// OpenSSL's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            CertStatus::Good => "good",
            CertStatus::Revoked => "revoked",
            CertStatus::Unknown => "unknown",
        }
    }
}

/// Status of a response, and its contents if it has any.
#[derive(Debug)]
pub(super) struct Outer<'d> {
    pub(super) status: u8,
    /// A basic response (DER).
    pub(super) basic: Option<&'d [u8]>,
}

/// A basic response.
#[derive(Debug)]
pub(super) struct Basic<'d> {
    pub(super) signed: Signed<'d>,
    pub(super) responder: ResponderId<'d>,
    pub(super) singles: Vec<Single<'d>>,
    /// Certificates (DER) that come with it.
    pub(super) certificates: Vec<&'d [u8]>,
}

/// The signer of a response.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ResponderId<'d> {
    /// The one whose certificate has this subject, in the form in which names are compared.
    Name(Vec<u8>),
    /// The one whose key has this hash (SHA-1).
    Key(&'d [u8]),
}

/// Status of one certificate in a response.
#[derive(Debug)]
pub(super) struct Single<'d> {
    algorithm: &'d [u8],
    name: &'d [u8],
    key: &'d [u8],
    serial: &'d [u8],
    pub(super) status: CertStatus,
    /// Moments in seconds since 1970; `None` for one that is malformed.
    pub(super) this_update: Option<i64>,
    /// The inner one is `None` for a moment that is malformed.
    pub(super) next_update: Option<Option<i64>>,
}

impl<'d> Outer<'d> {
    /// Parses a response; `None` if it is malformed.
    pub(super) fn parse(response: &'d [u8]) -> Option<Outer<'d>> {
        let (whole, rest) = element(response, SEQUENCE)?;
        let (status, after) = element(whole, ENUMERATED)?;
        let [status] = status else { return None };
        // OpenSSL ignores what follows.
        let _ = rest;
        if after.is_empty() {
            return Some(Outer { status: *status, basic: None });
        }
        let (bytes, _) = element(after, TAGGED[0])?;
        let (bytes, _) = element(bytes, SEQUENCE)?;
        let (kind, contents) = element(bytes, OID)?;
        let (contents, _) = element(contents, OCTET_STRING)?;
        Some(Outer { status: *status, basic: (kind == BASIC_OID).then_some(contents) })
    }
}

impl<'d> Basic<'d> {
    /// Parses a basic response; `None` if it is malformed.
    pub(super) fn parse(basic: &'d [u8]) -> Option<Basic<'d>> {
        let signed = der::signed(basic)?;
        let (data, _) = element(signed.message, SEQUENCE)?;
        let data = element(data, TAGGED[0]).map_or(data, |(_, rest)| rest);
        let (responder, rest) = match (element(data, TAGGED[1]), element(data, TAGGED[2])) {
            (Some((of, rest)), _) => {
                let (_, subject) = X509Name::from_der(of).ok()?;
                (ResponderId::Name(name::comparable(&subject)), rest)
            }
            (None, Some((of, rest))) => (ResponderId::Key(element(of, OCTET_STRING)?.0), rest),
            (None, None) => return None,
        };
        let (_, rest) = element(rest, GENERALIZED_TIME)?;
        let (singles, _) = element(rest, SEQUENCE)?;
        let singles = all_of(singles, SEQUENCE)?.into_iter().map(|(inner, _)| Single::parse(inner));
        Some(Basic {
            signed,
            responder,
            singles: singles.collect::<Option<_>>()?,
            certificates: certificates_of(basic)?,
        })
    }
}

/// The certificates behind the signature; `None` if one is malformed.
fn certificates_of(basic: &[u8]) -> Option<Vec<&[u8]>> {
    const BIT_STRING: u8 = 0x03;
    let (whole, _) = element(basic, SEQUENCE)?;
    let (_, rest) = element(whole, SEQUENCE)?;
    let (_, rest) = element(rest, SEQUENCE)?;
    let (_, rest) = element(rest, BIT_STRING)?;
    if rest.is_empty() {
        return Some(Vec::new());
    }
    let (all, _) = element(rest, TAGGED[0])?;
    let (all, _) = element(all, SEQUENCE)?;
    // As OpenSSL, which decodes them with the response: a malformed one makes the response malformed.
    let is_certificate = |der: &[u8]| X509Certificate::from_der(der).is_ok_and(|(rest, _)| rest.is_empty());
    let certificates = all_of(all, SEQUENCE)?.into_iter().map(|(_, whole)| whole);
    certificates.map(|der| is_certificate(der).then_some(der)).collect()
}

/// The elements of a sequence: contents, and the whole elements.
fn all_of(mut contents: &[u8], tag: u8) -> Option<Vec<(&[u8], &[u8])>> {
    let mut all = Vec::new();
    while !contents.is_empty() {
        let (inner, rest) = element(contents, tag)?;
        all.push((inner, &contents[..contents.len() - rest.len()]));
        contents = rest;
    }
    Some(all)
}

impl<'d> Single<'d> {
    fn parse(single: &'d [u8]) -> Option<Single<'d>> {
        const GOOD: u8 = 0x80;
        const UNKNOWN: u8 = 0x82;
        let (id, rest) = element(single, SEQUENCE)?;
        let (algorithm, of_id) = element(id, SEQUENCE)?;
        let (algorithm, _) = element(algorithm, OID)?;
        let (name, of_id) = element(of_id, OCTET_STRING)?;
        let (key, of_id) = element(of_id, OCTET_STRING)?;
        let (serial, _) = element(of_id, INTEGER)?;
        let (status, rest) =
            [(GOOD, CertStatus::Good), (TAGGED[1], CertStatus::Revoked), (UNKNOWN, CertStatus::Unknown)]
                .into_iter()
                .find_map(|(tag, status)| Some((status, element(rest, tag)?.1)))?;
        let (this_update, rest) = element(rest, GENERALIZED_TIME)?;
        let next_update = match element(rest, TAGGED[0]) {
            Some((inner, _)) => Some(moment(element(inner, GENERALIZED_TIME)?.0)),
            None => None,
        };
        Some(Single { algorithm, name, key, serial, status, this_update: moment(this_update), next_update })
    }

    /// Whether it is about this certificate.
    pub(super) fn is_of(&self, id: &CertId) -> bool {
        self.algorithm == SHA1_OID && self.name == id.name && self.key == id.key && self.serial == id.serial
    }

    /// Whether this certificate is its issuer's.
    pub(super) fn is_issued_by(&self, issuer: &X509Certificate<'_>) -> bool {
        let (name, key) = (issuer.subject.as_raw(), &issuer.subject_pki.subject_public_key.data[..]);
        match self.algorithm {
            algorithm if algorithm == SHA1_OID => {
                self.name == &Sha1::digest(name)[..] && self.key == &Sha1::digest(key)[..]
            }
            algorithm if algorithm == SHA256_OID => {
                self.name == &Sha256::digest(name)[..] && self.key == &Sha256::digest(key)[..]
            }
            _ => false,
        }
    }
}

impl ResponderId<'_> {
    /// Whether it identifies this certificate.
    pub(super) fn is(&self, certificate: &X509Certificate<'_>) -> bool {
        match self {
            ResponderId::Name(subject) => *subject == name::comparable(&certificate.subject),
            ResponderId::Key(hash) => {
                *hash == &Sha1::digest(&certificate.subject_pki.subject_public_key.data)[..]
            }
        }
    }
}

/// Seconds since 1970 of a `GeneralizedTime` as it is to be in responses: `20261129065017Z`.
fn moment(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| text[from..to].parse::<i8>().ok();
    let year = text[..4].parse::<i16>().ok()?;
    let time = jiff::civil::DateTime::new(
        year,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?,
        0,
    );
    Some(jiff::tz::TimeZone::UTC.to_timestamp(time.ok()?).ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_encoded_in_their_short_and_long_forms() {
        for (length, head) in
            [(0, &[4, 0][..]), (127, &[4, 127]), (128, &[4, 0x81, 128]), (300, &[4, 0x82, 1, 44])]
        {
            let out = encoded(OCTET_STRING, &vec![7; length]);
            assert_eq!(&out[..head.len()], head);
            assert_eq!(element(&out, OCTET_STRING).unwrap().0.len(), length);
        }
    }

    #[test]
    fn moments_are_read_as_responses_write_them() {
        assert_eq!(moment(b"19700101000001Z"), Some(1));
        assert_eq!(moment(b"20261129065017Z"), Some(1_795_935_017));
        for bad in [&b""[..], b"19700101000001", b"197001010000Z", b"19701301000001Z", b"1970010100000\xffZ"]
        {
            assert_eq!(moment(bad), None);
        }
    }

    #[test]
    fn what_is_cut_short_is_no_response() {
        for bad in [&b""[..], b"\x30\x03\x0a\x01", b"\x30\x00", b"\x30\x04\x0a\x02\x00\x00"] {
            assert!(Outer::parse(bad).is_none());
        }
        let refused = Outer::parse(b"\x30\x03\x0a\x01\x06").unwrap();
        assert!(refused.status == 6 && refused.basic.is_none());
        assert!(Basic::parse(b"\x30\x00").is_none());
    }
}
