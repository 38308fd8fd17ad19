//! Time ranges of requests.

use bstr::ByteSlice;
use jiff::Timestamp;

use crate::http::uri::unescape_safe;
use crate::media::variables::find_query_argument;

/// A time range in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// First millisecond.
    pub from_ms: u64,
    /// Millisecond after the last; `None` without an end.
    pub to_ms: Option<u64>,
}

/// Times of a query string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeRequest {
    /// `from=`, and `to=` if it is given.
    Range(TimeRange),
    /// `roll_back=`: so many milliseconds ago, without an end.
    RollBack(u64),
}

impl TimeRequest {
    /// Reads a query string; `None` if a time is missing or malformed, or the range is empty.
    pub fn parse(query: &[u8]) -> Option<TimeRequest> {
        let argument = |name: &[u8]| find_query_argument(query, name).filter(|value| !value.is_empty());
        let to_ms = match argument(b"to") {
            Some(to) => Some(time(to)?),
            None => None,
        };
        match (argument(b"from"), argument(b"roll_back")) {
            (Some(from), _) => {
                let from_ms = time(from)?;
                to_ms
                    .is_none_or(|to| to > from_ms)
                    .then_some(TimeRequest::Range(TimeRange { from_ms, to_ms }))
            }
            (None, Some(ago)) if to_ms.is_none() => {
                let is_number = ago.len() <= DIGITS_MAX && ago.iter().all(u8::is_ascii_digit);
                is_number.then_some(TimeRequest::RollBack(ago.to_str().ok()?.parse().ok()?))
            }
            _ => None,
        }
    }
}

/// A time in milliseconds since 1970: seconds, with a fraction if need be, or RFC 3339.
fn time(text: &[u8]) -> Option<u64> {
    let text = unescape_safe(text)?;
    let text = text.to_str().ok()?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number =
        |digits: &str| digits.len() <= DIGITS_MAX && digits.bytes().all(|byte| byte.is_ascii_digit());
    let time_ms = if !seconds.is_empty() && is_number(seconds) && is_number(fraction) {
        let thousandths = format!("{fraction:0<3}");
        seconds.parse::<u64>().ok()?.checked_mul(1000)? + thousandths[..3].parse::<u64>().ok()?
    } else {
        // A plus sign in a query may have become a space.
        let time: Timestamp = text.replace(' ', "+").parse().ok()?;
        u64::try_from(time.as_millisecond()).ok()?
    };
    (time_ms <= TIME_MAX_MS).then_some(time_ms)
}

/// Digits of a number in a query.
const DIGITS_MAX: usize = 15;
/// The year 9999.
const TIME_MAX_MS: u64 = 253_402_300_799_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        for (text, time_ms) in [
            ("1700000000", Some(1_700_000_000_000)),
            ("1700000000.25", Some(1_700_000_000_250)),
            ("2023-11-14T22:13:20Z", Some(1_700_000_000_000)),
            ("2023-11-14T23:13:20+01:00", Some(1_700_000_000_000)),
            ("2023-11-14T23%3A13%3A20%2B01%3A00", Some(1_700_000_000_000)),
            ("2023-11-14T22:13:20.5Z", Some(1_700_000_000_500)),
            ("", None),
            ("-1", None),
            ("1.x", None),
            ("yesterday", None),
            ("2023-11-14T22:13:20", None),
            ("99999999999999999999", None),
            ("999999999999999", None),
            ("%zz", None),
        ] {
            assert_eq!(time(text.as_bytes()), time_ms, "{text}");
        }
    }

    #[test]
    fn a_range_has_a_begin_and_is_not_empty() {
        let range = |from_ms, to_ms| Some(TimeRequest::Range(TimeRange { from_ms, to_ms }));
        assert_eq!(TimeRequest::parse(b"from=5&to=7&token=x"), range(5_000, Some(7_000)));
        assert_eq!(TimeRequest::parse(b"from=5"), range(5_000, None));
        assert_eq!(TimeRequest::parse(b"roll_back=60000"), Some(TimeRequest::RollBack(60_000)));
        for wrong in [
            "",
            "to=7",
            "from=7&to=7",
            "from=8&to=7",
            "from=x",
            "from=5&to=x",
            "roll_back=-1",
            "roll_back=5&to=7",
        ] {
            assert_eq!(TimeRequest::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
