//! Directives of live FLV over HTTP.

use bstr::BString;

use crate::directive::context::LOCATION;
use crate::directive::table::directives;
use crate::directive::{Args, Arity, Evaluation, ListenAddr, NotInherited, Value};
use crate::http::relation::{RtmpAddress, parameter, unsupported};
use crate::syntax::Problem;

/// A location that serves live FLV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlvLive {
    /// RTMP address whose streams are served.
    pub addr: ListenAddr,
    /// Application, unless the request names one.
    pub app: Option<BString>,
    /// Whether the FLV header announces audio.
    pub audio: bool,
    /// Whether the FLV header announces video.
    pub video: bool,
}

directives! {
    /// Live FLV over HTTP.
    module "flv";
    live as Current {
        /// Serves live FLV of the streams of the rtmp server that listens on this address. The file header announces
        /// the tracks known so far from codec headers, frames and metadata, or both while none is known; `audio=0`
        /// and `video=0` leave one out of the header, and its media is sent all the same. `app=` is the application
        /// of requests that name none: a request can select another one by `?app=`. Therefore streams must be
        /// protected by the `allow`, `deny` and `on_play` lines of their application; access rules of the location do
        /// not suffice.
        ///
        /// Differs from PingOS: the rtmp server may stand behind `http`, and all three parameters may be given;
        /// PingOS takes two.
        ///
        /// Example: `flv_live 1935 app=live;`
        "flv_live" => flv_live: NotInherited<FlvLive>, in LOCATION, selects handler;
    }
}

impl Value for FlvLive {
    const ARITY: Arity = Arity::between(1, 3);

    fn syntax() -> String {
        "address [app=name] [audio=0|1] [video=0|1]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<FlvLive, Problem> {
        let RtmpAddress { addr, .. } = RtmpAddress::read(args, evaluation)?;
        let mut live = FlvLive { addr, app: None, audio: true, video: true };
        for word in args.words.get(1..).unwrap_or_default() {
            // PingOS treats any number other than 0, and text that is not a number, as 1.
            match parameter(word) {
                (b"app", Some(value)) => live.app = Some(value.into()),
                (b"audio", Some(value)) => live.audio = value != b"0",
                (b"video", Some(value)) => live.video = value != b"0",
                _ => return Err(unsupported(word, "app=, audio=, video=")),
            }
        }
        Ok(live)
    }
}
