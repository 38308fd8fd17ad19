//! The time of day.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Time since the beginning of 1970 (UTC); zero while the system's clock is set before that.
pub fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The same in milliseconds.
pub fn unix_ms() -> u64 {
    since_1970().as_millis() as u64
}

/// The present second in local time, in forms of `strftime`. Each text is made once a second: lines of logs need it more often
/// than it changes.
#[derive(Debug)]
pub struct LocalSecond<const N: usize> {
    forms: [&'static str; N],
    /// Seconds since 1970; `None` before the first look.
    second: Option<i64>,
    texts: [String; N],
}

impl<const N: usize> LocalSecond<N> {
    /// With these forms.
    pub const fn new(forms: [&'static str; N]) -> Self {
        LocalSecond { forms, second: None, texts: [const { String::new() }; N] }
    }

    /// The texts of the present second, in the order of the forms.
    pub fn now(&mut self) -> &[String; N] {
        self.at(Timestamp::now(), TimeZone::system)
    }

    /// The texts of a second in this zone.
    pub fn at(&mut self, now: Timestamp, zone: impl FnOnce() -> TimeZone) -> &[String; N] {
        let second = Some(now.as_second());
        if self.second != second {
            let local = now.to_zoned_datetime(zone());
            self.second = second;
            self.texts = self.forms.map(|form| local.strftime(form).to_string());
        }
        &self.texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_made_once_a_second() {
        let mut clock = LocalSecond::new(["%Y-%m-%dT%H:%M:%S%:z", "%d/%b/%Y:%H:%M:%S %z"]);
        let zone = || TimeZone::fixed(jiff::tz::offset(-5));
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        assert_eq!(clock.at(at(999), zone), &["1969-12-31T19:00:00-05:00", "31/Dec/1969:19:00:00 -0500"]);
        assert_eq!(clock.at(at(0), || panic!("it is known"))[1], "31/Dec/1969:19:00:00 -0500");
        assert_eq!(clock.at(at(1_000), zone)[0], "1969-12-31T19:00:01-05:00");
        assert_eq!(clock.at(at(-1), zone)[0], "1969-12-31T18:59:59-05:00");
    }
}
