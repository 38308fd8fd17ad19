//! Whether a response is compressed for a client, decided as nginx decides.

use bstr::{BStr, ByteSlice};
use http::Version;

use super::conf::{Current, GzipHttpVersion, GzipProxied};
use crate::http::accept_encoding::names_gzip;
use crate::http::date;
use crate::http::exchange::Exchange;
use crate::http::response::Response;
use crate::task::clock;

/// The decision, which is made once per request.
#[derive(Clone, Copy)]
struct Accepts(bool);

/// Whether the client gets a compressed response.
pub(super) fn accepts(exchange: &mut Exchange<'_>) -> bool {
    if let Some(Accepts(decided)) = exchange.kept.get() {
        return *decided;
    }
    let accepts = decide(exchange);
    exchange.kept.insert(Accepts(accepts));
    accepts
}

fn decide(exchange: &Exchange<'_>) -> bool {
    let request = exchange.request;
    if exchange.is_subrequest() || !names_gzip(exchange.header("accept-encoding")) {
        return false;
    }
    let conf = exchange.location.get::<Current>();
    let lowest = match conf.http_version {
        GzipHttpVersion::Http10 => Version::HTTP_10,
        GzipHttpVersion::Http11 => Version::HTTP_11,
    };
    if request.version() < lowest {
        return false;
    }
    let has_authorization = request.header("authorization").is_some();
    let proxied = conf.proxied.0.unwrap_or(GzipProxied::OFF);
    if request.header("via").is_some() && !allows(proxied, &exchange.response, has_authorization) {
        return false;
    }
    let Some(agent) = request.header("user-agent") else { return true };
    // An expression that exceeds its bounds disables compression.
    !conf.disabled.iter().any(|line| line.names(agent).unwrap_or(true))
}

/// Whether `gzip_proxied` allows to compress a response to a proxy.
fn allows(proxied: GzipProxied, response: &Response, has_authorization: bool) -> bool {
    if proxied.contains(GzipProxied::OFF) {
        return false;
    }
    if proxied.contains(GzipProxied::ANY) || has_authorization && proxied.contains(GzipProxied::AUTH) {
        return true;
    }
    if let Some(expires) = response.headers.get(b"Expires").filter(|_| response.has_expiry) {
        if !proxied.contains(GzipProxied::EXPIRED) {
            return false;
        }
        let now = clock::since_1970().as_secs();
        return date::seconds(expires).is_some_and(|date| date < i64::try_from(now).unwrap_or(i64::MAX));
    }
    if response.headers.get(b"Cache-Control").is_some() {
        let words = [
            (GzipProxied::NO_CACHE, "no-cache"),
            (GzipProxied::NO_STORE, "no-store"),
            (GzipProxied::PRIVATE, "private"),
        ];
        return words.iter().any(|(bit, word)| {
            proxied.contains(*bit)
                && response.headers.all(b"Cache-Control").any(|value| has_word(value, word.as_bytes()))
        });
    }
    // As in nginx, the time of a file does not count, but that of another server does.
    let has_date = response.headers.get(b"Last-Modified").is_some();
    let has_tag = response.headers.get(b"ETag").is_some();
    !(has_date && proxied.contains(GzipProxied::NO_LAST_MODIFIED)
        || has_tag && proxied.contains(GzipProxied::NO_ETAG))
}

/// Whether a header is a list that has this word.
fn has_word(value: &BStr, word: &[u8]) -> bool {
    let parts = value.split(|b| matches!(b, b',' | b';')).zip(ends(value));
    parts.into_iter().any(|(part, end)| {
        let part = part.trim_start_with(|c| c == ' ').trim_end_with(|c| c == ' ');
        end != Some(b';') && part.eq_ignore_ascii_case(word)
    })
}

/// The separators behind the parts of a list.
fn ends(value: &BStr) -> impl Iterator<Item = Option<u8>> {
    value.iter().copied().filter(|b| matches!(b, b',' | b';')).map(Some).chain([None])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_cache_control() {
        for (value, has) in [
            ("no-cache", true),
            ("max-age=1, No-Cache", true),
            ("no-cache ,x", true),
            ("no-cache=x", false),
            ("no-caches", false),
            ("x;no-cache", true),
            ("no-cache;x", false),
            ("", false),
        ] {
            assert_eq!(has_word(value.into(), b"no-cache"), has, "{value}");
        }
    }
}
