//! Delivery directives: what a playlist request waits for, and what its answer may leave out
//! (draft-pantos-hls-rfc8216bis §6.2.5).

use crate::media::variables::query_argument;

/// Delivery directives of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaylistReload {
    /// Media sequence number of the segment that the playlist must contain (`_HLS_msn`), and number of its partial segment
    /// (`_HLS_part`).
    pub wanted: Option<(u64, Option<u64>)>,
    /// Whether old segments may be left out (`_HLS_skip`).
    pub skip: bool,
}

impl PlaylistReload {
    /// Parses the query of a request; `None` for directives that mean nothing, which get status 400.
    pub fn parse(query: &[u8]) -> Option<Self> {
        let number = |name: &[u8]| match query_argument(query, name) {
            b"" => Some(None),
            digits if digits.iter().all(u8::is_ascii_digit) => {
                str::from_utf8(digits).ok()?.parse::<u64>().ok().map(Some)
            }
            _ => None,
        };
        let wanted = match (number(b"_HLS_msn")?, number(b"_HLS_part")?) {
            (None, None) => None,
            (None, Some(_)) => return None,
            (Some(msn), part) => Some((msn, part)),
        };
        let skip = matches!(query_argument(query, b"_HLS_skip"), b"YES" | b"v2");
        Some(PlaylistReload { wanted, skip })
    }

    /// The query without delivery directives, which are no part of a viewer's arguments.
    pub fn arguments(query: &[u8]) -> Vec<u8> {
        let arguments = query.split(|&byte| byte == b'&').filter(|argument| !argument.starts_with(b"_HLS_"));
        arguments.collect::<Vec<_>>().join(&b'&')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_needs_its_segment_and_numbers_are_digits() {
        let parse = |query: &str| PlaylistReload::parse(query.as_bytes());
        let wanted = |msn, part| Some(PlaylistReload { wanted: Some((msn, part)), skip: false });
        assert_eq!(parse("session=a"), Some(PlaylistReload::default()));
        assert_eq!(parse("session=a&_HLS_msn=7"), wanted(7, None));
        assert_eq!(parse("_HLS_msn=7&_HLS_part=2"), wanted(7, Some(2)));
        assert_eq!(parse("_HLS_skip=YES"), Some(PlaylistReload { wanted: None, skip: true }));
        for bad in ["_HLS_part=1", "_HLS_msn=+1", "_HLS_msn=x", "_HLS_msn=99999999999999999999"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(PlaylistReload::arguments(b"session=a&_HLS_msn=7&k=v&_HLS_part=0"), b"session=a&k=v");
    }
}
