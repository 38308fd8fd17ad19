//! Headers that directives add to responses.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ZonedDateTime};

use super::conf::{Current, Scope};
use super::expires::Expires;
use super::trailers::AddedTrailers;
use crate::directive::context::{Contexts, LOCATION};
use crate::directive::{BlockLevel, Evaluation, Slot};
use crate::http::date;
use crate::http::date::http_date;
use crate::http::exchange::{Exchange, ResponseFilter};
use crate::http::header::{AddedHeaders, USUAL, inherited};
use crate::http::routes::Location;

/// nginx's values for `max`: 31 Dec 2037 23:55:55, and ten years.
const MAX_DATE: i64 = 2_145_916_555;
const MAX_AGE: i64 = 315_360_000;

/// Adds `Expires` and `Cache-Control` for the same statuses as nginx, then the headers and trailers that the
/// configuration names.
pub struct HeadersFilter;

impl ResponseFilter for HeadersFilter {
    fn applies_to(&self, location: &Location) -> bool {
        !location.get::<AddedHeaders>().0.is_empty()
            || !location.get::<AddedTrailers>().0.is_empty()
            || location.get::<Current>().expires != Expires::Off
    }

    fn filter(&self, exchange: &mut Exchange<'_>) {
        if exchange.is_subrequest() {
            return;
        }
        if USUAL.contains(&exchange.response.status.as_u16()) {
            expire(exchange);
        }
        exchange.add_headers();
        let location = exchange.location.clone();
        let status = exchange.response.status.as_u16();
        exchange.response.expects_trailers |=
            location.get::<AddedTrailers>().0.iter().any(|line| line.applies_to(status));
    }

    fn end(&self, exchange: &mut Exchange<'_>) {
        let location = exchange.location.clone();
        let status = exchange.response.status.as_u16();
        for line in location.get::<AddedTrailers>().0.iter().filter(|line| line.applies_to(status)) {
            let value = exchange.expand(&line.value);
            if !value.is_empty() {
                exchange.response.trailers.append(line.name.to_vec(), value);
            }
        }
    }
}

impl Slot for AddedTrailers {
    const HOLDERS: Contexts = LOCATION;

    fn make(level: &BlockLevel<'_>, _: &mut Evaluation<'_>) -> AddedTrailers {
        AddedTrailers(inherited(level, |scope: &Scope| (&scope.trailers, scope.inherit.as_ref())))
    }
}

fn expire(exchange: &mut Exchange<'_>) {
    let spelled;
    let location = exchange.location.clone();
    let expires = match &location.get::<Current>().expires {
        Expires::Variable(template, modified) => {
            // As in nginx, a variable's value is used if it is valid.
            let text = exchange.expand(template);
            let words: &[&[u8]] = if *modified { &[b"modified", &text] } else { &[&text] };
            spelled = Expires::of_words(words).unwrap_or(Expires::Off);
            &spelled
        }
        said => said,
    };
    if *expires == Expires::Off {
        return;
    }
    let response = &mut exchange.response;
    let Ok(now) = Timestamp::from_second(date::now()) else { return };
    let now = now.to_zoned_datetime(TimeZone::system());
    let Some((date, age)) = date_and_age(expires, &now, response.modified()) else {
        return;
    };
    let age = if age < 0 { "no-cache".to_owned() } else { format!("max-age={age}") };
    response.headers.set("Expires", http_date(date));
    response.has_expiry = true;
    response.headers.set("Cache-Control", age);
}

/// Date in seconds since 1970, and age in seconds from now; a negative age forbids caching.
fn date_and_age(expires: &Expires, now: &ZonedDateTime, modified: Option<i64>) -> Option<(i64, i64)> {
    let now_seconds = now.timestamp().as_second();
    let from_now = |seconds: i64| (now_seconds.saturating_add(seconds), seconds);
    Some(match *expires {
        Expires::Off | Expires::Variable(..) => return None,
        Expires::Epoch => (1, -1),
        Expires::Max => (MAX_DATE, MAX_AGE),
        Expires::Access(seconds) => from_now(seconds),
        Expires::Modified(seconds) => match modified {
            // A negative time forbids caching, however recent the modification.
            Some(modified) => {
                let date = modified.saturating_add(seconds);
                (date, if seconds < 0 { -1 } else { date - now_seconds })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_ages_as_nginx_counts_them() {
        let now: ZonedDateTime = "2026-03-01T12:00:00+00:00[UTC]".parse().unwrap();
        let seconds = now.timestamp().as_second();
        let of = |words: &[&[u8]], modified: Option<i64>| {
            date_and_age(&Expires::of_words(words).unwrap(), &now, modified).map(|(d, a)| (d - seconds, a))
        };
        assert_eq!(of(&[b"off"], None), None);
        assert_eq!(of(&[b"-1"], None), Some((-1, -1)));
        assert_eq!(of(&[b"1h"], None), Some((3600, 3600)));
        assert_eq!(of(&[b"@13h"], None), Some((3600, 3600)));
        assert_eq!(of(&[b"@11h"], None), Some((23 * 3600, 23 * 3600)));
        assert_eq!(of(&[b"modified", b"1h"], None), Some((3600, 3600)));
        let modified = Some(seconds - 1800);
        assert_eq!(of(&[b"modified", b"1h"], modified), Some((1800, 1800)));
        assert_eq!(of(&[b"modified", b"1m"], modified), Some((-1740, -1740)));
    }
}
