//! Directives of delivery.

use std::time::Duration;

use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::directive::word::one_of;
use crate::directive::{Args, Arity, Msec, Scene, Size, Value, number};
use crate::limits;
use crate::syntax::Problem;

/// `max=` where it is not given: a third of the delay of servers that always collect, at their cost.
const AUTO_MAX: Duration = Duration::from_millis(100);

const CAPTION: &str = "a time, or auto and perhaps max=time";

/// How long media may wait so that more of it leaves in one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendDelay {
    /// Always so long; zero sends at once.
    Fixed(Duration),
    /// Grows with the load of the worker, up to `max`.
    Auto {
        /// Never longer.
        max: Duration,
    },
}

one_of! {
    /// How media is handed to the system.
    pub enum BackEnd {
        /// Many players' with one call where the system allows it.
        "auto" => Auto,
        /// Many players' with one call; a warning where the system does not allow it.
        "uring" => Uring,
        /// A call per player.
        "writev" => Writev,
    }
}

directives! {
    /// How media leaves for players.
    module "delivery";
    live as Current {
        /// Collects media for players up to this long, so that it leaves in fewer, larger writes; 0 sends at once.
        /// `auto` waits the longer the busier the worker is, not at all on an idle one, at most `max` (100ms).
        /// A new player's first key frame, codec headers and metadata never wait.
        /// From 80ms on, while all players of a stream wait, its publisher is read only when some of them are due: eight
        /// times within the delay, and at least every 50ms.
        "send_delay" => send_delay: SendDelay = "0", in RTMP_ALL;
        /// Bytes of media that a stream keeps in memory for new and slow players, whatever `cache_time`, `out_queue` and
        /// `max_message` allow; copies made for RTMP, FLV and chunked HTTP count. At the bound a player that is behind goes
        /// on with the newest key frame, or waits for the next one. Its MPEG-TS may take as much again, and the fragments
        /// of `hls2` twice as much: the oldest of them go first, and one that comes to half is cut. The default has room for
        /// fragments of 5s at 25 Mbit/s, and for 30s at 17 Mbit/s.
        "stream_backlog" => stream_backlog: Size = "32m", in RTMP_ALL;
    }
}

impl Current {
    /// `stream_backlog` in bytes.
    pub fn backlog(&self) -> usize {
        usize::try_from(self.stream_backlog.0).unwrap_or(usize::MAX)
    }
}

impl Value for SendDelay {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "time | auto [max=time]".into()
    }

    fn parse(args: &Args<'_>, scene: &mut Scene<'_>) -> Result<SendDelay, Problem> {
        let (first, rest) = (args.first(), args.words.get(1));
        if !first.is("auto") {
            if rest.is_some() {
                return Err(args.refuse("invalid value").caption(CAPTION));
            }
            return bounded(args, Msec::parse(args, scene)?).map(SendDelay::Fixed);
        }
        let max = match rest {
            None => AUTO_MAX,
            Some(word) => {
                let time = word.bytes.strip_prefix(b"max=").and_then(number::msec);
                let refused = || args.refuse("invalid value").caption(CAPTION);
                bounded(args, Msec(time.ok_or_else(refused)?))?
            }
        };
        Ok(SendDelay::Auto { max })
    }
}

fn bounded(args: &Args<'_>, time: Msec) -> Result<Duration, Problem> {
    if time.duration() <= limits::SEND_DELAY {
        return Ok(time.duration());
    }
    let caption = format!("at most {}s", limits::SEND_DELAY.as_secs());
    Err(args.refuse("invalid value").caption(caption))
}
