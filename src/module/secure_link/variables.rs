//! `$secure_link` and `$secure_link_expires`.

use bstr::{BStr, ByteSlice};

use super::conf::LinkSigning;
use super::link::{SecureLink, with_secret};
use crate::http::exchange::{Exchange, Lookup, RequestVariables, VariableLookup};

/// Values of the variables.
pub struct SecureLinkVariables;

impl RequestVariables for SecureLinkVariables {
    fn value(&self, exchange: &Exchange<'_>, name: &BStr, out: &mut Vec<u8>) -> VariableLookup {
        let signing = exchange.location.get::<LinkSigning>();
        let text = signing.link.as_ref().map(|link| exchange.expand(link));
        let link = text.as_ref().and_then(|text| SecureLink::parse(text));
        match name.as_bytes() {
            b"secure_link_expires" => {
                let Some(expires) = link.and_then(|link| link.expires) else {
                    return Ok(Some(Lookup::Absent));
                };
                out.extend_from_slice(expires);
                Ok(Some(Lookup::Changing))
            }
            b"secure_link" => {
                if let Some(secret) = &signing.secret {
                    let Some(found) = with_secret(exchange.request.target(), &secret.0) else {
                        return Ok(Some(Lookup::Missing));
                    };
                    out.extend_from_slice(found);
                    return Ok(Some(Lookup::Found));
                }
                let (Some(link), Some(signed)) = (link, &signing.md5) else {
                    return Ok(Some(Lookup::Missing));
                };
                let now = exchange.received_seconds();
                match link.check(&exchange.expand(signed), now) {
                    Some(verdict) => {
                        out.extend_from_slice(verdict.as_bytes());
                        Ok(Some(Lookup::Found))
                    }
                    None => Ok(Some(Lookup::Missing)),
                }
            }
            _ => Ok(None),
        }
    }
}
