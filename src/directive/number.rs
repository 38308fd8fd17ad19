//! Numbers, sizes and times in nginx's notation.

/// Units of times in milliseconds, longest first, with their length in milliseconds.
const MSEC_UNITS: [(&[u8], u64); 6] =
    [(b"w", 604_800_000), (b"d", 86_400_000), (b"h", 3_600_000), (b"m", 60_000), (b"s", 1_000), (b"ms", 1)];

/// Units of times in seconds, longest first. A month is 30 days, a year 365.
const SEC_UNITS: [(&[u8], u64); 7] = [
    (b"y", 31_536_000),
    (b"M", 2_592_000),
    (b"w", 604_800),
    (b"d", 86_400),
    (b"h", 3_600),
    (b"m", 60),
    (b"s", 1),
];

/// Largest value: nginx stores these values as signed 64-bit integers.
const MAX: u64 = i64::MAX as u64;

/// Parses a plain number: decimal digits, at least one, up to `i64::MAX`.
pub fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for byte in text {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
    }
    (value <= MAX).then_some(value)
}

/// Parses a size in bytes: digits with an optional `k` or `m` in either case.
pub fn size(text: &[u8]) -> Option<u64> {
    let (number, shift) = match text.split_last()? {
        (b'k' | b'K', rest) => (rest, 10),
        (b'm' | b'M', rest) => (rest, 20),
        _ => (text, 0),
    };
    scaled(number, shift)
}

/// Parses an offset in bytes: digits with an optional `k`, `m` or `g` in either case.
pub fn offset(text: &[u8]) -> Option<u64> {
    match text.split_last()? {
        (b'g' | b'G', rest) => scaled(rest, 30),
        _ => size(text),
    }
}

/// Parses a time to milliseconds: units in descending order, each at most once; a final bare number means seconds.
pub fn msec(text: &[u8]) -> Option<u64> {
    time(text, &MSEC_UNITS, 1_000)
}

/// Parses a time to seconds: as [`msec`], without milliseconds and with months and years.
pub fn sec(text: &[u8]) -> Option<u64> {
    time(text, &SEC_UNITS, 1)
}

fn scaled(number: &[u8], shift: u32) -> Option<u64> {
    let value = digits(number)?.checked_mul(1 << shift)?;
    (value <= MAX).then_some(value)
}

fn time(text: &[u8], units: &[(&[u8], u64)], bare: u64) -> Option<u64> {
    let mut rest = text;
    let mut units = units;
    let mut total: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (number, tail) = rest.split_at(count);
        let number = digits(number)?;
        let name_len = tail.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let (name, tail) = tail.split_at(name_len);
        let length = if name.is_empty() {
            if !tail.is_empty() {
                return None;
            }
            bare
        } else {
            let at = units.iter().position(|(unit, _)| *unit == name)?;
            let length = units[at].1;
            units = &units[at + 1..];
            length
        };
        let part = number.checked_mul(length)?;
        total = total.checked_add(part).filter(|t| *t <= MAX)?;
        // A quoted time may have spaces after each unit.
        let blanks = tail.iter().take_while(|b| **b == b' ').count();
        rest = &tail[blanks..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_know_their_suffixes() {
        assert_eq!(size(b"1k"), Some(1024));
        assert_eq!(size(b"10M"), Some(10 << 20));
        assert_eq!(size(b"1g"), None);
        assert_eq!(offset(b"2G"), Some(2 << 30));
        for bad in [&b"k"[..], b"", b"1 k", b"1kb", b"1.5k", b"-1", b"99999999999999999999k"] {
            assert_eq!(size(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn times_add_up_in_falling_order() {
        assert_eq!(msec(b"5"), Some(5_000));
        assert_eq!(msec(b"1m30"), Some(90_000));
        assert_eq!(msec(b"1h30m15s100ms"), Some(5_415_100));
        assert_eq!(msec(b"1h 30m"), Some(5_400_000));
        assert_eq!(msec(b"1w2d"), Some(777_600_000));
        assert_eq!(sec(b"1y2M"), Some(36_720_000));
        for bad in [&b""[..], b"30m1h", b"1m1m", b"1M", b"1y", b"10S", b"1.5s", b"-1s", b"s", b"off", b" 1h"]
        {
            assert_eq!(msec(bad), None, "{bad:?}");
        }
        assert_eq!(msec(b"100ms1s"), None);
        assert_eq!(msec(b"9999999999999999999999s"), None);
        assert_eq!(sec(b"10ms"), None);
    }
}
