//! CORS headers, which PingOS adds to every live response for players in browsers.

use super::exchange::Exchange;
use super::header::AddedHeaders;
use super::headers::Headers;

const CORS: [(&str, &str); 5] = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Credentials", "true"),
    ("Access-Control-Allow-Methods", "*"),
    ("Access-Control-Allow-Headers", "Content-Type,Access-Token"),
    ("Access-Control-Expose-Headers", "*"),
];

/// Adds the headers that `add_header` does not set: browsers refuse duplicates.
pub fn add(exchange: &Exchange<'_>, headers: &mut Headers) {
    for (name, value) in CORS {
        let own = &exchange.location.get::<AddedHeaders>().0;
        if !own.iter().any(|header| header.name.eq_ignore_ascii_case(name.as_bytes())) {
            headers.append(name, value);
        }
    }
}
