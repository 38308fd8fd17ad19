//! A certificate, and its fields as nginx's variables show them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use data_encoding::HEXLOWER;
use sha1::{Digest, Sha1};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use super::name;
use crate::task::clock::since_1970;

/// Characters of a line in PEM files.
const PEM_LINE: usize = 64;
const DAY: i64 = 86_400;

/// Fields of a certificate.
pub struct Fields<'d> {
    der: &'d [u8],
    parsed: X509Certificate<'d>,
}

impl<'d> Fields<'d> {
    /// Parses a certificate; `None` if it is malformed.
    pub fn parse(der: &'d [u8]) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(der).ok()?;
        rest.is_empty().then_some(Fields { der, parsed })
    }

    /// Name of the subject, as RFC 2253 writes it.
    pub fn subject(&self) -> Vec<u8> {
        name::rfc2253(&self.parsed.subject)
    }

    /// Name of the issuer, as RFC 2253 writes it.
    pub fn issuer(&self) -> Vec<u8> {
        name::rfc2253(&self.parsed.issuer)
    }

    /// Name of the subject as `/C=XX/O=...`.
    pub fn legacy_subject(&self) -> Vec<u8> {
        name::legacy(&self.parsed.subject)
    }

    /// Name of the issuer as `/C=XX/O=...`.
    pub fn legacy_issuer(&self) -> Vec<u8> {
        name::legacy(&self.parsed.issuer)
    }

    /// Serial number in hexadecimal digits.
    pub fn serial(&self) -> String {
        let bytes = self.parsed.raw_serial();
        let begin = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len().saturating_sub(1));
        let digits: String = bytes[begin..].iter().map(|byte| format!("{byte:02X}")).collect();
        if digits.is_empty() { "00".to_owned() } else { digits }
    }

    /// SHA-1 of the certificate in hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        HEXLOWER.encode(&Sha1::digest(self.der))
    }

    /// First moment of validity: `Nov 29 03:18:40 2026 GMT`.
    pub fn begin(&self) -> String {
        moment(self.parsed.validity.not_before)
    }

    /// Last moment of validity.
    pub fn end(&self) -> String {
        moment(self.parsed.validity.not_after)
    }

    /// First and last second of validity, since 1970.
    pub fn validity(&self) -> (i64, i64) {
        let validity = &self.parsed.validity;
        (validity.not_before.timestamp(), validity.not_after.timestamp())
    }

    /// Days until the last moment of validity, 0 after it.
    pub fn days_left(&self) -> i64 {
        ((self.parsed.validity.not_after.timestamp() - now()) / DAY).max(0)
    }

    /// Whether the certificate is one of a server: by the names that it lists, or without any by its common name.
    /// `wanted` is a host name or an address.
    pub fn names(&self, wanted: &str) -> bool {
        let wanted = wanted.strip_suffix('.').unwrap_or(wanted);
        let address = wanted.parse::<std::net::IpAddr>().ok();
        let mut has_names = false;
        for extension in self.parsed.extensions() {
            let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() else {
                continue;
            };
            for name in &names.general_names {
                match (name, address) {
                    (GeneralName::DNSName(pattern), _) => {
                        has_names = true;
                        if address.is_none() && host_fits(pattern, wanted) {
                            return true;
                        }
                    }
                    (GeneralName::IPAddress(bytes), Some(std::net::IpAddr::V4(ip)))
                        if ip.octets() == **bytes =>
                    {
                        return true;
                    }
                    (GeneralName::IPAddress(bytes), Some(std::net::IpAddr::V6(ip)))
                        if ip.octets() == **bytes =>
                    {
                        return true;
                    }
                    _ => {}
                }
            }
        }
        // As in nginx, an address may be a common name.
        if has_names {
            return false;
        }
        let common = self.parsed.subject.iter_common_name();
        common.filter_map(|attribute| name::text(attribute.attr_value())).any(|name| host_fits(&name, wanted))
    }
}

/// A certificate as in a PEM file.
pub fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = String::with_capacity(text.len() + text.len() / PEM_LINE + 60);
    out.push_str("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(PEM_LINE) {
        out.extend(line.iter().map(|byte| char::from(*byte)));
        out.push('\n');
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}

/// Whether a name in a certificate stands for a host; `*` stands for one whole first label.
fn host_fits(pattern: &str, host: &str) -> bool {
    if pattern.eq_ignore_ascii_case(host) {
        return !host.is_empty();
    }
    let Some(rest) = pattern.strip_prefix("*.") else { return false };
    let Some((label, tail)) = host.split_once('.') else { return false };
    !label.is_empty() && rest.contains('.') && tail.eq_ignore_ascii_case(rest)
}

fn moment(time: ASN1Time) -> String {
    let stamp = jiff::Timestamp::from_second(time.timestamp()).unwrap_or_default();
    stamp.to_zoned_datetime(jiff::tz::TimeZone::UTC).strftime("%b %e %H:%M:%S %Y GMT").to_string()
}

/// Seconds since 1970.
pub(in crate::net::tls) fn now() -> i64 {
    i64::try_from(since_1970().as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        for (pattern, host, fits) in [
            ("a.test", "A.test", true),
            ("*.a.test", "b.a.test", true),
            ("*.a.test", "a.test", false),
            ("*.a.test", "c.b.a.test", false),
            ("*.test", "a.test", false),
            ("*", "test", false),
            ("a*.a.test", "ab.a.test", false),
            ("", "", false),
        ] {
            assert_eq!(host_fits(pattern, host), fits, "{pattern} {host}");
        }
    }
}
