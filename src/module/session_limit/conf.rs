//! Directives of the session limit module.

use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::directive::{Args, Arity, Evaluation, Msec, Num, Value, number};
use crate::syntax::{Problem, sentence};

/// Time above the limit that `max_bitrate` tolerates.
const DEFAULT_GRACE: Msec = Msec(5_000);

directives! {
    /// Limits of publishers and players.
    module "session limit";
    live as Current {
        /// Maximum number of players of a stream, of every protocol and relays of other servers included; 0 is no limit.
        /// Further ones are refused: over RTMP with NetStream.Play.Forbidden, over HTTP with status 503. Each process of an
        /// upgrade counts its own. A `Max-Viewers` header in the answer to the publisher's `start` replaces the value.
        ///
        /// Not in PingOS.
        ///
        /// Example: `max_viewers 1000;`
        "max_viewers" => max_viewers: Num = "0", in RTMP_ALL, restricts sessions;
        /// Maximum number of streams that one address publishes at once, in all applications together; 0 is no limit. Further
        /// ones are refused with NetStream.Publish.Forbidden. Publishers on Unix sockets are not limited.
        ///
        /// Not in PingOS.
        ///
        /// Example: `max_publishers 20;`
        "max_publishers" => max_publishers: Num = "0", in RTMP_ALL, restricts sessions;
        /// Maximum bit rate of a publisher in bits per second, with `k`, `m` or `g` for thousands, millions or billions; 0 is no
        /// limit. It is measured every second; a publisher above it for longer than `grace=` (5s) gets
        /// NetStream.Publish.Forbidden and is disconnected. A `Max-Bitrate` header in the answer to the publisher's `start`,
        /// written as the arguments, replaces the value.
        ///
        /// Not in PingOS.
        ///
        /// Example: `max_bitrate 8m grace=10s;`
        "max_bitrate" => max_bitrate: MaxBitrate = "0", in RTMP_ALL, restricts sessions;
    }
}

/// `RATE [grace=TIME]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxBitrate {
    /// Bits per second; 0 is no limit.
    pub bits: u64,
    /// Time above the limit that is tolerated.
    pub grace: Msec,
}

impl Value for MaxBitrate {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "rate [grace=time]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<MaxBitrate, Problem> {
        let invalid =
            |bytes: &[u8], span| Problem::new(sentence(&[b"invalid value \"", bytes, b"\""])).at(span);
        let rate = args.first();
        let bits = bits(&rate.bytes)
            .ok_or_else(|| invalid(&rate.bytes, rate.span).caption("bits per second, for example 4m"))?;
        let mut grace = DEFAULT_GRACE;
        if let Some(word) = args.words.get(1) {
            grace = tolerated(&word.bytes).ok_or_else(|| {
                invalid(&word.bytes, word.span).caption("grace= and a time, for example grace=10s")
            })?;
        }
        Ok(MaxBitrate { bits, grace })
    }
}

impl MaxBitrate {
    /// Parses the value of a header, which is written as the arguments of the directive.
    pub(super) fn in_header(text: &[u8]) -> Option<MaxBitrate> {
        let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let bits = bits(words.next()?)?;
        let grace = words.next().map_or(Some(DEFAULT_GRACE), tolerated)?;
        words.next().is_none().then_some(MaxBitrate { bits, grace })
    }
}

/// Parses `grace=TIME`.
fn tolerated(text: &[u8]) -> Option<Msec> {
    text.strip_prefix(b"grace=").and_then(number::msec).map(Msec)
}

/// Parses a bit rate.
fn bits(text: &[u8]) -> Option<u64> {
    let (digits, factor) = match text.split_last()? {
        (b'k' | b'K', digits) => (digits, 1_000),
        (b'm' | b'M', digits) => (digits, 1_000_000),
        (b'g' | b'G', digits) => (digits, 1_000_000_000),
        _ => (text, 1),
    };
    number::digits(digits)?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_written_as_the_arguments() {
        let limit = |bits, grace| Some(MaxBitrate { bits, grace: Msec(grace) });
        assert_eq!(MaxBitrate::in_header(b" 4m "), limit(4_000_000, 5_000));
        assert_eq!(MaxBitrate::in_header(b"500k  grace=2s"), limit(500_000, 2_000));
        for text in [&b""[..], b"4m 2s", b"4m grace=", b"4m grace=2s x", b"4m;", b"\xff"] {
            assert_eq!(MaxBitrate::in_header(text), None);
        }
    }

    #[test]
    fn rates_are_decimal() {
        assert_eq!(bits(b"4m"), Some(4_000_000));
        assert_eq!(bits(b"2500K"), Some(2_500_000));
        assert_eq!((bits(b"1g"), bits(b"0")), (Some(1_000_000_000), Some(0)));
        for text in [&b""[..], b"m", b"4mb", b"-1", b"18446744073709551615g"] {
            assert_eq!(bits(text), None);
        }
    }
}
