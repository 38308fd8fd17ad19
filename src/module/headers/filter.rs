//! The `expires` directive: `Expires` and `Cache-Control` headers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Response;
use http::header::{CACHE_CONTROL, EXPIRES, HeaderMap, HeaderValue, LAST_MODIFIED};
use jiff::{Span, ZonedDateTime};

use super::conf::Current;
use super::expires::Expires;
use crate::http::exchange::Exchange;
use crate::http::exchange::ResponseFilter;
use crate::http::header::USUAL;
use crate::http::reply::Body;

/// nginx's values for `max`: 31 Dec 2037 23:55:55, and ten years.
const MAX_DATE: i64 = 2_145_916_555;
const MAX_AGE: i64 = 315_360_000;

/// Adds `Expires` and `Cache-Control` for the same statuses as nginx.
pub struct ExpiresFilter;

impl ResponseFilter for ExpiresFilter {
    fn filter(&self, exchange: &Exchange<'_>, response: &mut Response<Body>) {
        if USUAL.contains(&response.status().as_u16()) {
            add(exchange, response.headers_mut());
        }
    }
}

fn add(exchange: &Exchange<'_>, headers: &mut HeaderMap) {
    let spelled;
    let expires = match &exchange.location.get::<Current>().expires {
        Expires::Variable(template) => {
            // As in nginx, a variable's value is used if it is valid.
            spelled = Expires::of_words(&[&exchange.expand(template)]).unwrap_or(Expires::Off);
            &spelled
        }
        said => said,
    };
    let now = ZonedDateTime::now();
    let Some((date, age)) = date_and_age(expires, &now, headers) else { return };
    let date = u64::try_from(date).unwrap_or(0).min(DATE_MAX);
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(date));
    let age = if age < 0 { "no-cache".to_owned() } else { format!("max-age={age}") };
    for (name, text) in [(EXPIRES, date), (CACHE_CONTROL, age)] {
        headers.insert(name, HeaderValue::try_from(text).expect("dates and numbers are header values"));
    }
}

/// Date in seconds since 1970, and age in seconds from now; a negative age forbids caching.
fn date_and_age(expires: &Expires, now: &ZonedDateTime, headers: &HeaderMap) -> Option<(i64, i64)> {
    let now_seconds = now.timestamp().as_second();
    let from_now = |seconds: i64| (now_seconds.saturating_add(seconds), seconds);
    Some(match *expires {
        Expires::Off | Expires::Variable(_) => return None,
        Expires::Epoch => (1, -1),
        Expires::Max => (MAX_DATE, MAX_AGE),
        Expires::Access(seconds) => from_now(seconds),
        Expires::Modified(seconds) => match last_modified(headers) {
            // A negative time forbids caching, however recent the modification.
            Some(modified) if seconds >= 0 => {
                let date = modified.saturating_add(seconds);
                (date, date - now_seconds)
            }
            _ => from_now(seconds),
        },
        Expires::Daily(second) => {
            let today = now.start_of_day().ok()?.checked_add(Span::new().seconds(second)).ok()?;
            let next = if today > *now { today } else { today.checked_add(Span::new().days(1)).ok()? };
            let date = next.timestamp().as_second();
            (date, date - now_seconds)
        }
    })
}

fn last_modified(headers: &HeaderMap) -> Option<i64> {
    let date: SystemTime = httpdate::parse_http_date(headers.get(LAST_MODIFIED)?.to_str().ok()?).ok()?;
    i64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// Latest second that an HTTP date can represent: the year has four digits.
const DATE_MAX: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_ages_as_nginx_counts_them() {
        let now: ZonedDateTime = "2026-03-01T12:00:00+00:00[UTC]".parse().unwrap();
        let seconds = now.timestamp().as_second();
        let mut headers = HeaderMap::new();
        let of = |words: &[&[u8]], headers: &HeaderMap| {
            date_and_age(&Expires::of_words(words).unwrap(), &now, headers).map(|(d, a)| (d - seconds, a))
        };
        assert_eq!(of(&[b"off"], &headers), None);
        assert_eq!(of(&[b"-1"], &headers), Some((-1, -1)));
        assert_eq!(of(&[b"1h"], &headers), Some((3600, 3600)));
        assert_eq!(of(&[b"@13h"], &headers), Some((3600, 3600)));
        assert_eq!(of(&[b"@11h"], &headers), Some((23 * 3600, 23 * 3600)));
        assert_eq!(of(&[b"modified", b"1h"], &headers), Some((3600, 3600)));
        headers.insert(LAST_MODIFIED, HeaderValue::from_static("Sun, 01 Mar 2026 11:30:00 GMT"));
        assert_eq!(of(&[b"modified", b"1h"], &headers), Some((1800, 1800)));
        assert_eq!(of(&[b"modified", b"1m"], &headers), Some((-1740, -1740)));
    }
}
