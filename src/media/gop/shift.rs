//! Time shift: a player may request to start in the past.

use bstr::ByteSlice;

use crate::directive::{Msec, number};
use crate::hub::gop::StartSettings;

/// Argument of a play URL with the time shift in milliseconds.
const ARGUMENT: &[u8] = b"roll_back";

/// Media to keep: the start of every player plus the time shift.
pub fn kept(cache_time: Msec, roll_back: Msec) -> Msec {
    Msec(cache_time.0.saturating_add(roll_back.0))
}

/// Start position of a player: as far back as it requests, if `roll_back` is configured; otherwise as usual.
///
/// Players without a request do not get the additional history, not even with `send_all`.
pub fn start(usual: StartSettings, kept: Msec, roll_back: Msec, pargs: &[u8]) -> StartSettings {
    if roll_back.0 == 0 {
        return usual;
    }
    let wanted = asked(pargs).map(|time| time.min(kept.0));
    StartSettings {
        cache_time: wanted.map_or(usual.cache_time, |time| u32::try_from(time).unwrap_or(u32::MAX)),
        send_all: false,
        low_latency: usual.low_latency && wanted.is_none(),
    }
}

/// Time shift that a query string requests beyond what is kept, in milliseconds; `None` if it does not, or if `roll_back`
/// is not configured.
pub fn beyond(kept: Msec, roll_back: Msec, pargs: &[u8]) -> Option<u64> {
    asked(pargs).filter(|time| roll_back.0 > 0 && *time > kept.0)
}

/// Time shift that a query string requests, in milliseconds.
fn asked(pargs: &[u8]) -> Option<u64> {
    let mut arguments = pargs.split_str("&").filter_map(|argument| argument.split_once_str("="));
    let (_, value) = arguments.find(|(name, _)| name.eq_ignore_ascii_case(ARGUMENT))?;
    number::digits(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_goes_back_as_far_as_it_asks_and_as_is_kept() {
        let usual = StartSettings { cache_time: 1_000, send_all: true, low_latency: true };
        let kept = kept(Msec(1_000), Msec(10_000));
        let start = |pargs: &[u8]| start(usual, kept, Msec(10_000), pargs);
        assert_eq!(start(b"token=1&roll_back=3000").cache_time, 3_000);
        assert_eq!(start(b"ROLL_BACK=99999999999").cache_time, 11_000);
        assert!(!start(b"roll_back=3000").low_latency);
        for nothing in
            [&b""[..], b"roll_back", b"roll_back=", b"roll_back=-1", b"roll_back=1s", b"xroll_back=1"]
        {
            assert_eq!(start(nothing).cache_time, 1_000);
            assert!(start(nothing).low_latency && !start(nothing).send_all);
        }
        assert_eq!(super::start(usual, Msec(1_000), Msec(0), b"roll_back=3000"), usual);
    }
}
