//! Variables of the proxy module.

use bstr::{BStr, BString, ByteSlice};

use super::cache::status::CacheVars;
use super::states::{Figure, UpstreamAttempts, cookie};
use crate::http::date;
use crate::http::exchange::{Exchange, Lookup, RequestVariables, VariableLookup};

/// What `proxy_pass` has found out for a request.
#[derive(Clone, Debug, Default)]
pub(super) struct ProxyVars {
    /// `$proxy_host`
    pub(super) host: BString,
    /// `$proxy_port`
    pub(super) port: BString,
    /// Length of the body that is forwarded.
    pub(super) length: Option<u64>,
    /// Whether the body is forwarded in chunks.
    pub(super) is_chunked: bool,
    /// [`Exchange::changes_left`] at that time: as in nginx, the values are gone after an internal redirect.
    pub(super) changes_left: u32,
}

/// Values of `$proxy_*` and `$upstream_*`.
pub struct ProxyVariables;

impl RequestVariables for ProxyVariables {
    fn value(&self, exchange: &Exchange<'_>, name: &BStr, out: &mut Vec<u8>) -> VariableLookup {
        let found = |value: Option<&[u8]>, out: &mut Vec<u8>| {
            Ok(Some(match value {
                Some(value) => {
                    out.extend_from_slice(value);
                    Lookup::Changing
                }
                None => Lookup::Absent,
            }))
        };
        let vars =
            || exchange.kept.get::<ProxyVars>().filter(|vars| vars.changes_left == exchange.changes_left());
        let attempts = || exchange.kept.get::<UpstreamAttempts>();
        let figure = match name.as_bytes() {
            b"proxy_host" => return found(vars().map(|vars| &vars.host[..]), out),
            b"proxy_port" => return found(vars().map(|vars| &vars.port[..]), out),
            b"proxy_internal_body_length" => {
                let length = vars().and_then(|vars| vars.length).map(|length| length.to_string());
                return found(length.as_deref().map(str::as_bytes), out);
            }
            b"proxy_internal_chunked" => {
                let is_chunked = vars().is_some_and(|vars| vars.is_chunked);
                return found(is_chunked.then_some(&b"chunked"[..]), out);
            }
            b"upstream_cache_status" => {
                let status = exchange.kept.get::<CacheVars>().map(|vars| vars.status.text());
                return found(status.map(str::as_bytes), out);
            }
            b"upstream_cache_last_modified" => {
                let modified = exchange.kept.get::<CacheVars>().and_then(|vars| vars.modified);
                return found(modified.map(date::http_date).as_deref().map(str::as_bytes), out);
            }
            b"upstream_cache_etag" => {
                let tag = exchange.kept.get::<CacheVars>().map(|vars| &vars.tag[..]);
                return found(tag.filter(|tag| !tag.is_empty()), out);
            }
            b"upstream_addr" => Figure::Addr,
            b"upstream_status" => Figure::Status,
            b"upstream_connect_time" => Figure::ConnectTime,
            b"upstream_header_time" => Figure::HeaderTime,
            b"upstream_response_time" => Figure::ResponseTime,
            b"upstream_response_length" => Figure::Length,
            b"upstream_bytes_received" => Figure::Received,
            b"upstream_bytes_sent" => Figure::Sent,
            _ => {
                if let Some(name) = name.strip_prefix(b"upstream_http_") {
                    let Some(attempts) = attempts() else { return Ok(Some(Lookup::Absent)) };
                    return found(attempts.0.lock().headers.joined(name).as_deref(), out);
                }
                if let Some(name) = name.strip_prefix(b"upstream_trailer_") {
                    let Some(attempts) = attempts() else { return Ok(Some(Lookup::Absent)) };
                    return found(attempts.0.lock().trailers.joined(name).as_deref(), out);
                }
                if let Some(name) = name.strip_prefix(b"upstream_cookie_") {
                    let value = attempts().and_then(|attempts| cookie(&attempts.0.lock().headers, name));
                    return found(value.as_ref().map(|value| &value[..]), out);
                }
                return Ok(None);
            }
        };
        let list = attempts().and_then(|attempts| attempts.list(figure));
        found(list.as_deref().map(str::as_bytes), out)
    }
}
