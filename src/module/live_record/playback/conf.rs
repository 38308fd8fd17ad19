//! Directives of playback.

use bstr::BString;

use crate::directive::context::LOCATION;
use crate::directive::table::directives;
use crate::directive::{Args, Arity, Evaluation, ListenAddr, NotInherited, Value};
use crate::http::relation::{RtmpAddress, parameter, unsupported};
use crate::syntax::Problem;

/// A location that serves recordings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VodLive {
    /// RTMP address whose applications' recordings are served.
    pub addr: ListenAddr,
    /// Application, unless the request names one.
    pub app: Option<BString>,
}

directives! {
    /// Playback of recordings over HTTP.
    module "vod";
    live as Current {
        /// Serves what `live_record` has recorded of the streams of the rtmp server that listens on this address:
        /// `/LOCATION/NAME.m3u8?from=TIME&to=TIME` as HLS, and `/LOCATION/NAME.flv?from=TIME&to=TIME` as FLV, which is
        /// sent as fast as the client reads. A time is a number of seconds since 1970, or as in RFC 3339, such as
        /// 2026-01-31T20:15:00Z. Without `to=`, playback follows the recording while the stream is published.
        /// `roll_back=MILLISECONDS` instead of `from=` begins that long ago. `app=` is the application of requests that
        /// name none, as with `flv_live`. Each request is a player for the `allow`, `deny`, `on_play` and `on_stream`
        /// lines of the application; segments of a playlist are requested with the playlist's other arguments.
        ///
        /// Not in PingOS.
        ///
        /// Example: `vod_live 1935 app=live;`
        "vod_live" => vod_live: NotInherited<VodLive>, in LOCATION;
    }
}

impl Value for VodLive {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "address [app=name]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<VodLive, Problem> {
        let RtmpAddress { addr, .. } = RtmpAddress::read(args, evaluation)?;
        let mut live = VodLive { addr, app: None };
        for word in args.words.get(1..).unwrap_or_default() {
            match parameter(word) {
                (b"app", Some(value)) => live.app = Some(value.into()),
                _ => return Err(unsupported(word, "app=")),
            }
        }
        Ok(live)
    }
}
