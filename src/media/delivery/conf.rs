//! Directives of delivery.

use std::time::Duration;

use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::directive::word::one_of;
use crate::directive::{Args, Arity, Evaluation, Msec, Size, Value, number};
use crate::limits;
use crate::syntax::Problem;

/// Default of `max=`: a third of the delay of servers that always batch, at their cost.
const AUTO_MAX: Duration = Duration::from_millis(100);

const CAPTION: &str = "a time, or auto and perhaps max=time";

/// Batching delay of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendDelay {
    /// Constant delay; zero sends at once.
    Fixed(Duration),
    /// Delay that grows with the worker's load, up to `max`.
    Auto {
        /// Maximum delay.
        max: Duration,
    },
}

one_of! {
    /// System interface for sending media.
    pub enum BackEnd {
        /// Sends to many players with one call (io_uring) if the system allows it.
        "auto" => Auto,
        /// As `auto`, with a warning if the system does not allow it.
        "uring" => Uring,
        /// One call per player.
        "writev" => Writev,
    }
}

directives! {
    /// Delivery of media to players.
    module "delivery";
    live as Current {
        /// Collects media for players up to this time, so that it is sent in fewer, larger writes; 0 sends at once.
        /// With `auto` the delay grows with the load of the worker, from none on an idle worker to `max` (100ms). A new
        /// player's first key frame, codec headers and metadata are never delayed. Up to 512 players of a worker are
        /// sent media at the same times, more at two, four or eight times within the delay. While all players of a stream
        /// wait, and these times are at least 20ms apart, its publisher's socket is read only once between two of them, and
        /// at least every 100ms; what waits in the socket is up to half of that time older.
        ///
        /// Not in PingOS.
        ///
        /// Example: `send_delay auto max=20ms;`
        "send_delay" => send_delay: SendDelay = "0", in RTMP_ALL;
        /// Maximum number of media bytes that a stream keeps in memory for new and slow players, whatever `cache_time`,
        /// `out_queue` and `max_message` allow. Copies made for RTMP, FLV and chunked HTTP count. At the limit, a
        /// player that lags continues with the newest key frame, or waits for the next one. The stream's MPEG-TS may
        /// take the same amount again, and the fragments of `hls2` twice as much: the oldest fragments are dropped
        /// first, and a fragment that reaches half of it is cut. The default suffices for fragments of 5s at 25 Mbit/s,
        /// or 30s at 17 Mbit/s.
        ///
        /// Not in PingOS.
        ///
        /// Example: `stream_backlog 64m;`
        "stream_backlog" => stream_backlog: Size = "32m", in RTMP_ALL;
    }
}

impl Current {
    /// Value of `stream_backlog` in bytes.
    pub fn backlog(&self) -> usize {
        usize::try_from(self.stream_backlog.0).unwrap_or(usize::MAX)
    }
}

impl Value for SendDelay {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "time | auto [max=time]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<SendDelay, Problem> {
        let (first, rest) = (args.first(), args.words.get(1));
        if !first.is("auto") {
            if rest.is_some() {
                return Err(args.refuse("invalid value").caption(CAPTION));
            }
            return bounded(args, Msec::parse(args, evaluation)?).map(SendDelay::Fixed);
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
