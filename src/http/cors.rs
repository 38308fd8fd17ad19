//! CORS headers, which PingOS adds to every live response for players in browsers.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::exchange::Exchange;

const CORS: [(&str, &str); 5] = [
    ("access-control-allow-origin", "*"),
    ("access-control-allow-credentials", "true"),
    ("access-control-allow-methods", "*"),
    ("access-control-allow-headers", "Content-Type,Access-Token"),
    ("access-control-expose-headers", "*"),
];

/// Adds the headers that `add_header` does not set: browsers refuse duplicates.
pub fn add(exchange: &Exchange<'_>, headers: &mut HeaderMap) {
    for (name, value) in CORS {
        let own = &exchange.conf().add_header;
        if !own.iter().any(|header| header.name.eq_ignore_ascii_case(name.as_bytes())) {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
    }
}
