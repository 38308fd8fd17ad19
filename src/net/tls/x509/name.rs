//! Distinguished names: as RFC 2253 writes them, as OpenSSL used to, and in the form in which they are compared.

use std::fmt::Write as _;

use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::x509::X509Name;

/// OpenSSL's short names of attributes.
const ATTRIBUTES: [(&str, &str); 33] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.16", "postalAddress"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.18", "postOfficeBox"),
    ("2.5.4.19", "physicalDeliveryOfficeName"),
    ("2.5.4.20", "telephoneNumber"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.45", "x500UniqueIdentifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.72", "role"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.3", "mail"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("1.2.840.113549.1.9.8", "unstructuredAddress"),
    ("1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC"),
];

fn short_name(oid: &str) -> Option<&'static str> {
    ATTRIBUTES.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name)
}

/// A name as RFC 2253 writes it: the last attribute first.
pub(super) fn rfc2253(name: &X509Name<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let parts: Vec<_> = name.iter_rdn().collect();
    for part in parts.into_iter().rev() {
        if !out.is_empty() {
            out.push(b',');
        }
        for (number, attribute) in part.iter().enumerate() {
            if number > 0 {
                out.push(b'+');
            }
            let oid = attribute.attr_type().to_id_string();
            let short = short_name(&oid);
            out.extend_from_slice(short.unwrap_or(&oid).as_bytes());
            out.push(b'=');
            match text(attribute.attr_value()).filter(|_| short.is_some()) {
                Some(text) => escape(&text, &mut out),
                None => dump(attribute.attr_value(), &mut out),
            }
        }
    }
    out
}

/// A name as `X509_NAME_oneline` writes it: `/C=XX/O=...`.
pub(super) fn legacy(name: &X509Name<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for attribute in name.iter_attributes() {
        let oid = attribute.attr_type().to_id_string();
        out.push(b'/');
        out.extend_from_slice(short_name(&oid).unwrap_or(&oid).as_bytes());
        out.push(b'=');
        for byte in attribute.attr_value().data {
            match byte {
                b'/' | b'+' => out.extend_from_slice(&[b'\\', *byte]),
                b' '..=b'~' => out.push(*byte),
                _ => out.extend_from_slice(format!("\\x{byte:02X}").as_bytes()),
            }
        }
    }
    out
}

/// The form in which names are compared: without case, and without spaces at the ends and in a row (RFC 5280 §7.1).
pub(in crate::net::tls) fn comparable(name: &X509Name<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for part in name.iter_rdn() {
        let mut attributes: Vec<Vec<u8>> = part
            .iter()
            .map(|attribute| {
                let mut one = attribute.attr_type().to_id_string().into_bytes();
                one.push(0);
                match text(attribute.attr_value()) {
                    Some(text) => {
                        let lower = text.to_ascii_lowercase();
                        one.extend_from_slice(
                            lower.split_whitespace().collect::<Vec<_>>().join(" ").as_bytes(),
                        );
                    }
                    None => one.extend_from_slice(attribute.attr_value().data),
                }
                one
            })
            .collect();
        attributes.sort_unstable();
        for one in attributes {
            // Lengths keep neighbours apart.
            out.extend_from_slice(&u64::try_from(one.len()).unwrap_or(u64::MAX).to_be_bytes());
            out.extend_from_slice(&one);
        }
        out.push(0xFF);
    }
    out
}

/// A string of any of the types that names have; `None` for other values.
pub(super) fn text(value: &Any<'_>) -> Option<String> {
    let data = value.data;
    match value.tag() {
        Tag::Utf8String => String::from_utf8(data.to_vec()).ok(),
        Tag::NumericString | Tag::PrintableString | Tag::Ia5String | Tag::VisibleString | Tag::T61String => {
            Some(data.iter().map(|byte| char::from(*byte)).collect())
        }
        Tag::BmpString => {
            let units = data.chunks_exact(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
            units.map(char::from_u32).collect()
        }
        Tag::UniversalString => {
            let units = data.chunks_exact(4);
            units.map(|four| char::from_u32(u32::from_be_bytes(four.try_into().ok()?))).collect()
        }
        _ => None,
    }
}

/// Escapes a value: what has a meaning in the notation, control characters, and what is not ASCII.
fn escape(text: &str, out: &mut Vec<u8>) {
    let last = text.len().saturating_sub(1);
    for (at, byte) in text.bytes().enumerate() {
        let is_edge = at == 0 && matches!(byte, b'#' | b' ') || at == last && byte == b' ';
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => out.extend_from_slice(&[b'\\', byte]),
            _ if is_edge => out.extend_from_slice(&[b'\\', byte]),
            b' '..=b'~' => out.push(byte),
            _ => out.extend_from_slice(format!("\\{byte:02X}").as_bytes()),
        }
    }
}

/// `#` and the encoded value in hexadecimal digits.
fn dump(value: &Any<'_>, out: &mut Vec<u8>) {
    let mut text = format!("#{:02X}", value.header.tag().0);
    let length = value.data.len();
    match length {
        0..=0x7F => drop(write!(text, "{length:02X}")),
        0x80..=0xFF => drop(write!(text, "81{length:02X}")),
        _ => drop(write!(text, "82{length:04X}")),
    }
    for byte in value.data {
        let _ = write!(text, "{byte:02X}");
    }
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_as_rfc_2253_says() {
        for (text, want) in [
            ("a b", "a b"),
            (" a ", "\\ a\\ "),
            ("#1", "\\#1"),
            ("a#", "a#"),
            ("a,b+c\"d\\e<f>g;h=i", "a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h=i"),
            ("\u{fc}\n", "\\C3\\BC\\0A"),
            ("", ""),
        ] {
            let mut out = Vec::new();
            escape(text, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
    }
}
