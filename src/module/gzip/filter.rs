//! `gzip` and `gunzip`, and the variable `$gzip_ratio`.

use std::sync::Arc;

use bstr::BStr;

use super::accepts::accepts;
use super::codec::{Gunzip, Gzip, Ratio};
use super::conf::Current;
use crate::http::body_reader::Transformed;
use crate::http::exchange::{Exchange, Lookup, RequestVariables, ResponseFilter, VariableLookup};
use crate::http::response::Body;
use crate::http::routes::Location;

/// The response depends on `Accept-Encoding`.
#[derive(Clone, Copy)]
pub(super) struct Varies;

/// Compresses bodies.
pub struct GzipFilter;

/// Decompresses bodies.
pub struct GunzipFilter;

/// The variable `$gzip_ratio`.
pub struct GzipRatio;

impl ResponseFilter for GzipFilter {
    fn applies_to(&self, location: &Location) -> bool {
        let conf = location.get::<Current>();
        conf.gzip || conf.vary
    }

    fn filter(&self, exchange: &mut Exchange<'_>) {
        let location = exchange.location.clone();
        let conf = location.get::<Current>();
        if is_compressible(exchange, conf) {
            exchange.kept.insert(Varies);
            if accepts(exchange) {
                compress(exchange, conf);
            }
        }
        if conf.vary && exchange.kept.get::<Varies>().is_some() {
            exchange.response.varies = true;
        }
    }
}

fn is_compressible(exchange: &Exchange<'_>, conf: &Current) -> bool {
    let response = &exchange.response;
    conf.gzip
        && matches!(response.status.as_u16(), 200 | 403 | 404)
        && response.encoding.is_none()
        && !matches!(response.body, Body::Live(_))
        && response.body.length().is_none_or(|length| length >= conf.min_length.0)
        && conf.types.has(response.content_type.as_ref())
}

fn compress(exchange: &mut Exchange<'_>, conf: &Current) {
    let ratio = Arc::<Ratio>::default();
    exchange.kept.insert(ratio.clone());
    let response = &mut exchange.response;
    response.headers.append("Content-Encoding", "gzip");
    response.body_is_converted();
    let level = u32::try_from(conf.level.0).unwrap_or(1);
    Transformed::replace(&mut response.body, Gzip::new(level, ratio), None);
}

impl ResponseFilter for GunzipFilter {
    fn applies_to(&self, location: &Location) -> bool {
        location.get::<Current>().gunzip
    }

    fn filter(&self, exchange: &mut Exchange<'_>) {
        let Some(others) = exchange.response.encoding.as_ref().and_then(|encoding| before_gzip(encoding))
        else {
            return;
        };
        exchange.kept.insert(Varies);
        if accepts(exchange) || matches!(exchange.response.body, Body::Live(_)) {
            return;
        }
        let decompression = Gunzip::new();
        let response = &mut exchange.response;
        response.headers.remove(b"Content-Encoding");
        response.encoding = None;
        if !others.is_empty() {
            response.headers.append("Content-Encoding", others.clone());
            response.encoding = Some(others.into());
        }
        response.body_is_converted();
        Transformed::replace(&mut response.body, decompression, None);
    }
}

/// The codings before gzip in a list that ends with it, as later versions of nginx write them; `None` if it does not.
fn before_gzip(encoding: &[u8]) -> Option<Vec<u8>> {
    let mut codings: Vec<&[u8]> = encoding.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
    let last = codings.pop()?;
    last.eq_ignore_ascii_case(b"gzip").then(|| codings.join(&b","[..]))
}

impl RequestVariables for GzipRatio {
    fn value(&self, exchange: &Exchange<'_>, name: &BStr, out: &mut Vec<u8>) -> VariableLookup {
        if name != "gzip_ratio" {
            return Ok(None);
        }
        let Some(text) = exchange.kept.get::<Arc<Ratio>>().and_then(|ratio| ratio.text()) else {
            return Ok(Some(Lookup::Missing));
        };
        out.extend_from_slice(text.as_bytes());
        Ok(Some(Lookup::Found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_the_last_of_several_codings() {
        assert_eq!(before_gzip(b"GZip").unwrap(), b"");
        assert_eq!(before_gzip(b"deflate, gzip").unwrap(), b"deflate");
        assert_eq!(before_gzip(b"a, b ,gzip").unwrap(), b"a,b");
        assert_eq!(before_gzip(b"gzip, deflate"), None);
        assert_eq!(before_gzip(b""), None);
    }
}
