//! How long a response is fresh, by its headers (RFC 9111, as nginx 1.22 reads it).

use bstr::{BString, ByteSlice};

use super::super::conf::IgnoredHeaders;
use crate::http::date;
use crate::http::headers::Headers;
use crate::limits;

/// What the headers of a response say about keeping it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Freshness {
    /// Whether it may be kept.
    pub(in super::super) is_cacheable: bool,
    /// Seconds since 1970 until which it is fresh, if a header says that.
    pub(in super::super) valid: Option<i64>,
    /// Seconds for which it may be used afterwards while it is being replaced.
    pub(in super::super) updating: i64,
    /// Seconds for which it may be used afterwards where it cannot be replaced.
    pub(in super::super) error: i64,
    /// The request headers that it depends on.
    pub(in super::super) vary: BString,
}

impl Freshness {
    /// Reads headers at a time in seconds since 1970, except those that are ignored.
    pub(in super::super) fn read(headers: &Headers, ignored: IgnoredHeaders, now: i64) -> Freshness {
        let mut found = Freshness { is_cacheable: true, ..Freshness::default() };
        // X-Accel-Expires counts for more than the others, wherever it stands; Cache-Control for more than Expires.
        let (mut is_refused, mut is_expired, mut has_accel) = (false, false, false);
        for (name, value) in headers.iter() {
            let is = |known: &str, ignore: IgnoredHeaders| {
                name.eq_ignore_ascii_case(known.as_bytes()) && !ignored.contains(ignore)
            };
            match () {
                // As in nginx, the last one counts, except that none undoes a 0.
                () if is("X-Accel-Expires", IgnoredHeaders::EXPIRES_IN) => {
                    let (digits, start) = match value.as_bytes().strip_prefix(b"@") {
                        Some(digits) => (digits, 0_i64),
                        None => (value.as_bytes(), now),
                    };
                    has_accel = true;
                    match crate::directive::number::digits(digits).and_then(|n| i64::try_from(n).ok()) {
                        Some(0) if start != 0 => found.is_cacheable = false,
                        Some(seconds) => {
                            // As in nginx, the time 0 is no time at all.
                            found.valid = Some(start.saturating_add(seconds)).filter(|until| *until != 0);
                            (is_refused, is_expired) = (false, false);
                        }
                        None => {}
                    }
                }
                () if is("Cache-Control", IgnoredHeaders::CACHE_CONTROL) => {
                    let text = value.to_ascii_lowercase();
                    let rules = CacheRules(&text);
                    if found.valid.is_none() || !has_accel {
                        if ["no-cache", "no-store", "private"].iter().any(|name| rules.has(name)) {
                            is_refused = true;
                            continue;
                        }
                        match rules.seconds("s-maxage").or_else(|| rules.seconds("max-age")) {
                            None => {}
                            Some(None | Some(0)) => {
                                is_refused = true;
                                continue;
                            }
                            Some(Some(seconds)) => {
                                found.valid = Some(now.saturating_add(seconds));
                                is_expired = false;
                            }
                        }
                    }
                    match rules.seconds("stale-while-revalidate") {
                        None => {}
                        Some(None) => {
                            is_refused = true;
                            continue;
                        }
                        Some(Some(seconds)) => (found.updating, found.error) = (seconds, seconds),
                    }
                    match rules.seconds("stale-if-error") {
                        None => {}
                        Some(None) => is_refused = true,
                        Some(Some(seconds)) => found.error = seconds,
                    }
                }
                () if is("Expires", IgnoredHeaders::EXPIRES) && found.valid.is_none() => {
                    match date::seconds(value).filter(|until| *until >= now) {
                        Some(until) => found.valid = Some(until),
                        None => is_expired = true,
                    }
                }
                () if is("Set-Cookie", IgnoredHeaders::SET_COOKIE) => found.is_cacheable = false,
                () if is("Vary", IgnoredHeaders::VARY) => {
                    // Several lines are one list.
                    if !found.vary.is_empty() {
                        found.vary.extend_from_slice(b", ");
                    }
                    found.vary.extend_from_slice(value);
                    if value == "*" || found.vary.len() > limits::PROXY_CACHE_VARY {
                        found.is_cacheable = false;
                    }
                }
                () => {}
            }
        }
        found.is_cacheable &= !is_refused && !is_expired;
        found
    }
}

/// The words of `Cache-Control` in lower case.
struct CacheRules<'t>(&'t [u8]);

impl<'t> CacheRules<'t> {
    fn words(&self) -> impl Iterator<Item = &'t [u8]> {
        self.0.split(|byte| matches!(byte, b',' | b';' | b' ' | b'\t'))
    }

    /// Whether there is this word, perhaps with a value.
    fn has(&self, name: &str) -> bool {
        self.words().any(|word| word.split(|byte| *byte == b'=').next() == Some(name.as_bytes()))
    }

    /// The seconds behind a name: `None` without the name, `Some(None)` if there is something else.
    fn seconds(&self, name: &str) -> Option<Option<i64>> {
        let value = |word: &'t [u8]| word.strip_prefix(name.as_bytes())?.strip_prefix(b"=");
        let digits = self.words().find_map(value)?;
        let add = |seconds: i64, byte: &u8| {
            let digit = i64::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?);
            Some(seconds.saturating_mul(10).saturating_add(digit))
        };
        Some(digits.iter().try_fold(0, add))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[(&str, &str)]) -> Freshness {
        let mut headers = Headers::default();
        lines
            .iter()
            .for_each(|(name, value)| headers.append(name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        Freshness::read(&headers, IgnoredHeaders::empty(), 1_000_000)
    }

    #[test]
    fn times_are_those_of_nginx() {
        for (lines, is_cacheable, valid) in [
            (&[][..], true, None),
            (&[("Cache-Control", "max-age=10")], true, Some(1_000_010)),
            (&[("Cache-Control", "max-age=10, s-maxage=20")], true, Some(1_000_020)),
            (&[("Cache-Control", "Private, max-age=10")], false, None),
            (&[("Cache-Control", "max-age=0")], false, None),
            (&[("Cache-Control", "max-age=x")], false, None),
            (&[("X-Accel-Expires", "5"), ("Cache-Control", "no-store")], true, Some(1_000_005)),
            (&[("Cache-Control", "no-store"), ("X-Accel-Expires", "5")], true, Some(1_000_005)),
            (&[("X-Accel-Expires", "0")], false, None),
            (&[("X-Accel-Expires", "@2000000")], true, Some(2_000_000)),
            (&[("X-Accel-Expires", "soon")], true, None),
            (&[("Expires", "Thu, 01 Jan 1970 00:00:10 GMT")], false, None),
            (
                &[("Expires", "Thu, 01 Jan 1970 00:00:10 GMT"), ("Cache-Control", "max-age=1")],
                true,
                Some(1_000_001),
            ),
            (&[("Expires", "Thu, 29 Jan 1970 00:00:00 GMT")], true, Some(2_419_200)),
            (&[("Set-Cookie", "a=b"), ("Cache-Control", "max-age=1")], false, Some(1_000_001)),
            (&[("Vary", "*")], false, None),
            (&[("Vary", "a"), ("Vary", "*")], false, None),
            (&[("X-Accel-Expires", "5"), ("X-Accel-Expires", "0")], false, Some(1_000_005)),
            (&[("X-Accel-Expires", "0"), ("X-Accel-Expires", "5")], false, Some(1_000_005)),
            (&[("X-Accel-Expires", "5"), ("X-Accel-Expires", "6")], true, Some(1_000_006)),
            (&[("X-Accel-Expires", "5"), ("X-Accel-Expires", "@0")], true, None),
            (&[("X-Accel-Expires", "@0")], true, None),
            (&[("Cache-Control", "no-store"), ("X-Accel-Expires", "@0")], true, None),
            (&[("Cache-Control", "x-max-age=10")], true, None),
            (&[("Cache-Control", "foo-s-maxage=10, max-age=5")], true, Some(1_000_005)),
            (&[("Cache-Control", "x-private, max-age=5")], true, Some(1_000_005)),
            (&[("Cache-Control", "no-cache=\"set-cookie\", max-age=5")], false, None),
        ] {
            let found = read(lines);
            assert_eq!((found.is_cacheable, found.valid), (is_cacheable, valid), "{lines:?}");
        }
    }

    #[test]
    fn stale_responses_may_be_used_for_a_time() {
        let found = read(&[("Cache-Control", "max-age=1, stale-while-revalidate=5")]);
        assert_eq!((found.updating, found.error), (5, 5));
        let found = read(&[("Cache-Control", "max-age=1, stale-if-error=7")]);
        assert_eq!((found.updating, found.error), (0, 7));
        for at in [0, 1] {
            let mut lines = vec![("X-Accel-Expires", "5")];
            lines.insert(at, ("Cache-Control", "stale-while-revalidate=9"));
            let found = read(&lines);
            assert_eq!((found.valid, found.updating), (Some(1_000_005), 9), "{lines:?}");
        }
    }

    #[test]
    fn lines_of_vary_are_one_list() {
        assert_eq!(read(&[("Vary", "A"), ("Vary", "b, c")]).vary, "A, b, c");
    }

    #[test]
    fn huge_numbers_are_no_panic() {
        let long = format!("max-age={}", "9".repeat(1000));
        assert_eq!(read(&[("Cache-Control", &long)]).valid, Some(i64::MAX));
    }

    #[test]
    fn ignored_headers_say_nothing() {
        let mut headers = Headers::default();
        headers.append("Set-Cookie", "a=b");
        headers.append("Cache-Control", "no-cache");
        let ignored = IgnoredHeaders::SET_COOKIE | IgnoredHeaders::CACHE_CONTROL;
        assert!(Freshness::read(&headers, ignored, 0).is_cacheable);
    }
}
