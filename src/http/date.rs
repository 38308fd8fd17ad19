//! HTTP dates in the three forms of RFC 9110 §5.6.7, taken as leniently as nginx takes them.

use std::cell::RefCell;
use std::time::{Duration, UNIX_EPOCH};

use bstr::ByteSlice;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use nix::time::ClockId;

use crate::limits;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970 by the clock of the `Date` header: the time of the system's latest tick, which is faster to read and as
/// good for seconds. What is compared with `Date` is taken from it as well.
pub fn now() -> i64 {
    ClockId::CLOCK_REALTIME_COARSE.now().map_or(0, |now| now.tv_sec())
}

/// Seconds since 1970 of a date. The day of the week is not looked at, nor what follows the time.
pub fn seconds(text: &[u8]) -> Option<i64> {
    let text = text.to_str().ok().filter(|text| text.is_ascii())?;
    let (day, month, year, time) = match text.split_once(',') {
        Some((_, date)) => {
            let date = date.trim_start_matches(' ');
            match date.as_bytes().get(2)? {
                b'-' => {
                    // A year of two digits, as in nginx, from 1970 to 2069.
                    let year = number(date.get(7..9)?)?;
                    (
                        date.get(..2)?,
                        date.get(3..6)?,
                        year + if year < 70 { 2000 } else { 1900 },
                        date.get(10..18)?,
                    )
                }
                b' ' => (date.get(..2)?, date.get(3..6)?, number(date.get(7..11)?)?, date.get(12..20)?),
                _ => return None,
            }
        }
        // `Wed Mar  3 04:05:06 2021`
        None => {
            let day = text.get(8..10)?.trim_start();
            (day, text.get(4..7)?, number(text.get(20..24)?)?, text.get(11..19)?)
        }
    };
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    let mut parts = time.split(':').map(number);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let small = |number: i16| i8::try_from(number).ok();
    let date = DateTime::new(
        year,
        i8::try_from(month).ok()?,
        small(number(day)?)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        0,
    );
    let zoned = date.ok()?.to_zoned_datetime(TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_second())
}

fn number(text: &str) -> Option<i16> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

thread_local! {
    /// Date of the present second.
    static DATE: RefCell<(i64, String)> = const { RefCell::new((0, String::new())) };
}

/// The present date.
pub(super) fn with_date(work: impl FnOnce(&[u8])) {
    let present = now();
    DATE.with_borrow_mut(|(second, text)| {
        if *second != present || text.is_empty() {
            *text = http_date(present);
            *second = present;
        }
        work(text.as_bytes());
    });
}

/// An HTTP date of seconds since 1970.
pub fn http_date(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or(0).min(limits::HTTP_DATE_SECONDS);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// A date in the form of cookies: the year has two digits up to 2037.
pub fn cookie_date(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let time = Offset::UTC.to_datetime(time.unwrap_or(Timestamp::MAX));
    let form = if time.year() > 2037 { "%a, %d-%b-%Y %H:%M:%S GMT" } else { "%a, %d-%b-%y %H:%M:%S GMT" };
    time.strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_form() {
        for text in [
            "Wed, 03 Mar 2021 04:05:06 GMT",
            "Wed, 03 Mar 2021 04:05:06",
            "Thu, 03 Mar 2021 04:05:06 GMT+1",
            "Wednesday, 03-Mar-21 04:05:06 GMT",
            "Wed Mar  3 04:05:06 2021",
        ] {
            assert_eq!(seconds(text.as_bytes()), Some(1_614_744_306), "{text}");
        }
        for text in
            ["", "x", "Wed, 33 Mar 2021 04:05:06 GMT", "Wed, 03 Mar 2021", "Wed, 03 Mär 2021 04:05:06"]
        {
            assert_eq!(seconds(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn cookies_have_two_digits_of_a_year_up_to_2037() {
        assert_eq!(cookie_date(1_700_000_000), "Tue, 14-Nov-23 22:13:20 GMT");
        assert_eq!(cookie_date(2_145_916_799), "Thu, 31-Dec-37 23:59:59 GMT");
        assert_eq!(cookie_date(2_145_916_800), "Fri, 01-Jan-2038 00:00:00 GMT");
    }
}
