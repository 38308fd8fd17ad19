//! `$ssl_*` variables.

use bstr::{BStr, ByteSlice};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::exchange::{Exchange, Lookup, RequestVariables, VariableLookup};
use crate::net::tls::TlsInfo;
use crate::net::tls::x509::certificate::Fields;

/// Bytes that nginx escapes in a component of a URI.
const COMPONENT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Values of a TLS connection.
pub struct TlsVariables;

impl RequestVariables for TlsVariables {
    fn value(&self, exchange: &Exchange<'_>, name: &BStr, out: &mut Vec<u8>) -> VariableLookup {
        let Some(name) = name.as_bytes().strip_prefix(b"ssl_") else { return Ok(None) };
        let Some(info) = exchange.connection.socket.tls_info() else {
            return Ok(is_known(name).then_some(Lookup::Missing));
        };
        let value = match name.strip_prefix(b"client_") {
            Some(name) => of_client(info, name),
            None => of_connection(info, name),
        };
        let Some(value) = value else { return Ok(is_known(name).then_some(Lookup::Missing)) };
        out.extend_from_slice(&value);
        Ok(Some(if value.is_empty() { Lookup::Missing } else { Lookup::Found }))
    }
}

/// Names after `ssl_`.
const NAMES: [&str; 26] = [
    "alpn_protocol",
    "cipher",
    "ciphers",
    "client_cert",
    "client_escaped_cert",
    "client_fingerprint",
    "client_i_dn",
    "client_i_dn_legacy",
    "client_raw_cert",
    "client_s_dn",
    "client_s_dn_legacy",
    "client_serial",
    "client_sigalg",
    "client_v_end",
    "client_v_remain",
    "client_v_start",
    "client_verify",
    "curve",
    "curves",
    "early_data",
    "protocol",
    "server_name",
    "session_id",
    "session_reused",
    "sigalg",
    "sigalgs",
];

fn is_known(name: &[u8]) -> bool {
    NAMES.iter().any(|known| known.as_bytes() == name)
}

/// A value of the connection; empty if it has none. `None` for names that are not known.
fn of_connection(info: &TlsInfo, name: &[u8]) -> Option<Vec<u8>> {
    Some(match name {
        b"alpn_protocol" => info.alpn().to_vec(),
        b"cipher" => info.cipher().into_bytes(),
        b"ciphers" => info.ciphers().into_bytes(),
        b"curve" => info.curve().into_bytes(),
        b"curves" => info.curves().into_bytes(),
        b"early_data" => if info.is_early() { "1" } else { "" }.into(),
        b"protocol" => info.protocol().into(),
        b"server_name" => info.written_name().unwrap_or_default().into(),
        b"session_id" => info.session_id().into_bytes(),
        b"session_reused" => if info.is_resumed() { "r" } else { "." }.into(),
        b"sigalg" => info.scheme().into_bytes(),
        b"sigalgs" => info.schemes().into_bytes(),
        _ => return None,
    })
}

/// A value of the client's certificate.
fn of_client(info: &TlsInfo, name: &[u8]) -> Option<Vec<u8>> {
    match name {
        b"verify" => return Some(info.client_verify().into_bytes()),
        b"sigalg" => return Some(info.client_scheme().into_bytes()),
        _ => {}
    }
    let pem = info.client_pem()?;
    match name {
        b"cert" => return Some(pem.trim_end().replace('\n', "\n\t").into_bytes()),
        b"raw_cert" => return Some(pem.into_bytes()),
        b"escaped_cert" => return Some(percent_encode(pem.as_bytes(), &COMPONENT).to_string().into_bytes()),
        _ => {}
    }
    let fields = Fields::parse(&info.client()?.der)?;
    Some(match name {
        b"fingerprint" => fields.fingerprint().into_bytes(),
        b"i_dn" => fields.issuer(),
        b"i_dn_legacy" => fields.legacy_issuer(),
        b"s_dn" => fields.subject(),
        b"s_dn_legacy" => fields.legacy_subject(),
        b"serial" => fields.serial().into_bytes(),
        b"v_end" => fields.end().into_bytes(),
        b"v_remain" => fields.days_left().to_string().into_bytes(),
        b"v_start" => fields.begin().into_bytes(),
        _ => return None,
    })
}
