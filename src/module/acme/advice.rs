//! When an issuer suggests to renew a certificate (RFC 9773).

use serde::Deserialize;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;

use super::jose::base64url;

/// The time in which an issuer suggests to renew a certificate, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) begin: i64,
    /// Not before `begin`.
    pub(super) end: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RenewalInfo {
    suggested_window: SuggestedWindow,
}

#[derive(Deserialize)]
struct SuggestedWindow {
    start: String,
    end: String,
}

impl Window {
    /// Reads an issuer's answer; `None` if it is of another form or ends before it begins.
    pub(super) fn read(body: &[u8]) -> Option<Window> {
        let RenewalInfo { suggested_window: SuggestedWindow { start, end } } =
            serde_json::from_slice(body).ok()?;
        let second = |text: &str| Some(text.parse::<jiff::Timestamp>().ok()?.as_second());
        let (begin, end) = (second(&start)?, second(&end)?);
        (begin <= end).then_some(Window { begin, end })
    }
}

/// What identifies a certificate (DER) to its issuer (section 4.1): the identifier of the issuer's key, and its serial number.
/// `None` if it has no such identifier.
pub(super) fn certificate_id(certificate: &[u8]) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let key = parsed.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref(),
        _ => None,
    })?;
    Some(format!("{}.{}", base64url(key.0), base64url(parsed.raw_serial())))
}

/// The address of what an issuer says about a certificate.
pub(super) fn address(renewal_info: &str, id: &str) -> String {
    format!("{}/{id}", renewal_info.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_and_nothing_else() {
        let read = |start: &str, end: &str| {
            let text = format!(r#"{{"suggestedWindow":{{"start":"{start}","end":"{end}"}},"other":1}}"#);
            Window::read(text.as_bytes())
        };
        let (begin, end) = (0, 3600);
        assert_eq!(read("1970-01-01T00:00:00Z", "1970-01-01T02:00:00+01:00"), Some(Window { begin, end }));
        assert_eq!(read("1970-01-02T00:00:00Z", "1970-01-01T00:00:00Z"), None);
        assert_eq!(read("soon", "1970-01-01T00:00:00Z"), None);
        assert_eq!(Window::read(b"{}"), None);
        assert_eq!(Window::read(b"\xFF"), None);
    }

    #[test]
    fn a_certificate_is_identified_as_in_the_example_of_the_rfc() {
        use rcgen::{CertificateParams, CustomExtension, KeyPair, SerialNumber};
        // RFC 9773 section 4.1: the key's identifier and the serial number 00:87:65:43:21.
        let key_id = [
            0x69, 0x88, 0x5B, 0x6B, 0x87, 0x46, 0x40, 0x41, 0xE1, 0xB3, 0x7B, 0x84, 0x7B, 0xA0, 0xAE, 0x2C,
            0xDE, 0x01, 0xC8, 0xD4,
        ];
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from_slice(&[0x87, 0x65, 0x43, 0x21]));
        let content = [&[0x30, 0x16, 0x80, 0x14][..], &key_id].concat();
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 35], content)];
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let id = certificate_id(certificate.der()).unwrap();
        assert_eq!(id, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
        assert_eq!(address("https://a/info/", &id), format!("https://a/info/{id}"));
        let without = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        let without = without.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(certificate_id(without.der()), None);
        assert_eq!(certificate_id(b"x"), None);
    }
}
