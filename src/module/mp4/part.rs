//! The part of an MP4 file that a request asks for.

/// The part that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its first time in milliseconds.
    pub start: u64,
    /// Its length in milliseconds; `None` up to the end.
    pub length: Option<u64>,
    /// Whether it begins with the key frame before the first time (`mp4_start_key_frame`).
    pub from_key_frame: bool,
}

impl Part {
    /// From the arguments `start` and `end` of a request; `None` if the whole file is sent without being read.
    pub fn parse(start: Option<&[u8]>, end: Option<&[u8]>, from_key_frame: bool) -> Option<Part> {
        let mut start = start.and_then(milliseconds);
        let mut length = None;
        if let Some(end) = end.and_then(milliseconds).filter(|end| *end > 0) {
            let from = *start.get_or_insert(0);
            length = (end > from).then(|| end - from);
        }
        start.map(|start| Part { start, length, from_key_frame })
    }

    /// What is left of a duration; `None` if it ends at or before the start.
    pub(super) fn left(&self, duration: u64, timescale: u64) -> Option<u64> {
        let start = scaled(self.start, timescale);
        let left = duration.checked_sub(start).filter(|left| *left > 0)?;
        Some(self.length.map_or(left, |length| left.min(scaled(length, timescale))))
    }
}

/// A time in milliseconds in another time scale.
pub(super) fn scaled(msec: u64, timescale: u64) -> u64 {
    u64::try_from(u128::from(msec) * u128::from(timescale) / 1000).unwrap_or(u64::MAX)
}

/// Parses seconds with decimals into milliseconds; further decimals are ignored.
fn milliseconds(text: &[u8]) -> Option<u64> {
    let (mut value, mut decimals) = (0_u64, None);
    for byte in text {
        match byte {
            b'.' if decimals.is_none() => decimals = Some(0),
            b'0'..=b'9' if decimals == Some(3) => {}
            b'0'..=b'9' => {
                value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
                decimals = decimals.map(|count| count + 1);
            }
            _ => return None,
        }
    }
    if text.is_empty() {
        return None;
    }
    let value = value.checked_mul(10_u64.pow(3 - decimals.unwrap_or(0)))?;
    i64::try_from(value).is_ok().then_some(value)
}
