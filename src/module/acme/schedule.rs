//! When something is tried.

use std::time::Duration;

use super::advice::Window;
use crate::limits;
use crate::net::tls::issued::Validity;

/// When a certificate is renewed, in seconds since 1970: after two thirds of its lifetime, as nginx's module does it. `random`
/// spreads renewals over a fiftieth of that.
pub(super) fn renewal(validity: Validity, random: u64) -> i64 {
    let age = validity.end.saturating_sub(validity.begin).max(0) / 3 * 2;
    let spread = random % (u64::try_from(age / 50).unwrap_or(0) + 1);
    validity.begin.saturating_add(age).saturating_add_unsigned(spread)
}

/// When a certificate is renewed in the window that its issuer suggests: at a random moment of it (RFC 9773 section 4.2), and
/// never in the last tenth of the certificate's lifetime.
pub(super) fn advised(validity: Validity, window: Window, random: u64) -> i64 {
    let length = u64::try_from(window.end.saturating_sub(window.begin)).unwrap_or(0);
    let moment = window.begin.saturating_add_unsigned(random % (length + 1));
    let latest = validity.end.saturating_sub(validity.end.saturating_sub(validity.begin).max(0) / 10);
    moment.min(latest)
}

/// The pause before an issuer is asked again when a certificate should be renewed.
pub(super) fn advice(asked: Option<Duration>) -> Duration {
    let (least, usual, most) = limits::ACME_ADVICE;
    asked.unwrap_or(usual).clamp(least, most)
}

/// The pause after a failure, by the number of failures before it, as nginx's module has them.
pub(super) fn pause(failures: u32) -> Duration {
    Duration::from_secs(match failures {
        0 => 60,
        1 => 600,
        2 => 6000,
        _ => 86_400,
    })
}

/// The pause that an issuer's `Retry-After` asks for: seconds or a date. `None` if it is neither.
pub(super) fn retry_after(text: &str, now: i64) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    let date = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    let now = Duration::from_secs(u64::try_from(now).unwrap_or(0));
    Some(date.saturating_sub(now))
}

/// The pause before a rate-limited issuer is asked again.
pub(super) fn rate_limit(asked: Option<Duration>) -> Duration {
    let (least, most) = limits::ACME_RATE_LIMIT;
    asked.unwrap_or(least).clamp(least, most)
}

/// The pause before an issuer is asked again whether it has decided.
pub(super) fn poll(asked: Option<Duration>, before: Duration) -> Duration {
    let (least, most) = limits::ACME_POLL;
    asked.unwrap_or(before * 2).clamp(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_is_after_two_thirds_of_the_lifetime() {
        let validity = Validity { begin: 1000, end: 1000 + 90 * 86_400 };
        assert_eq!(renewal(validity, 0), 1000 + 60 * 86_400);
        for random in [1, 86_400, u64::MAX] {
            let day = (renewal(validity, random) - 1000) / 86_400;
            assert!((60..=61).contains(&day), "{day}");
        }
        assert_eq!(renewal(Validity { begin: 5, end: 1 }, 9), 5);
        let endless = Validity { begin: i64::MAX - 1, end: i64::MAX };
        assert!(renewal(endless, u64::MAX) >= endless.begin);
    }

    #[test]
    fn an_issuer_may_advance_or_delay_a_renewal_but_not_to_the_end_of_the_certificate() {
        let validity = Validity { begin: 1000, end: 2000 };
        let window = Window { begin: 1100, end: 1110 };
        for (random, moment) in [(0, 1100), (10, 1110), (11, 1100)] {
            assert_eq!(advised(validity, window, random), moment);
        }
        assert!((1100..=1110).contains(&advised(validity, window, u64::MAX)));
        assert_eq!(advised(validity, Window { begin: 0, end: i64::MAX }, u64::MAX / 2), 1900);
        assert_eq!(advised(validity, Window { begin: -5, end: -5 }, 3), -5);
        assert_eq!(advice(None), limits::ACME_ADVICE.1);
        assert_eq!(advice(Some(Duration::ZERO)), limits::ACME_ADVICE.0);
        assert_eq!(advice(Some(Duration::MAX)), limits::ACME_ADVICE.2);
    }

    #[test]
    fn the_pause_of_an_issuer_is_kept_within_bounds() {
        let (least, most) = limits::ACME_RATE_LIMIT;
        assert_eq!(rate_limit(None), least);
        assert_eq!(rate_limit(Some(Duration::from_secs(3600))), Duration::from_secs(3600));
        assert_eq!(rate_limit(Some(Duration::MAX)), most);
        assert_eq!(retry_after(" 120 ", 0), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:02:00 GMT", 60), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:02:00 GMT", 600), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", 0), None);
        assert_eq!(poll(Some(Duration::from_secs(9999)), Duration::ZERO), limits::ACME_POLL.1);
        assert_eq!(poll(None, Duration::ZERO), limits::ACME_POLL.0);
    }
}
