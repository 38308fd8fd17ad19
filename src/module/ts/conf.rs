//! Directives of live MPEG-TS over HTTP.

use bstr::BString;

use crate::directive::context::LOCATION;
use crate::directive::table::directives;
use crate::directive::{Args, Arity, Evaluation, ListenAddr, NotInherited, Value};
use crate::http::relation::{RtmpAddress, parameter, unsupported};
use crate::syntax::Problem;

/// A location that serves live MPEG-TS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TsLive {
    /// RTMP address whose streams are served.
    pub addr: ListenAddr,
    /// Application, unless the request names one.
    pub app: Option<BString>,
}

directives! {
    /// Live MPEG-TS over HTTP.
    module "ts";
    live as Current {
        /// Serves live MPEG-TS of the streams of the rtmp server that listens on this address, as `/LOCATION/NAME.ts`
        /// or `/LOCATION/NAME`; other suffixes are part of the name. `app=` is the application of requests that name
        /// none, as with `flv_live`. A request for a stream that does not exist yet waits for it.
        ///
        /// Differs from PingOS, which sends no `Content-Type`, and no streams without video.
        ///
        /// Example: `ts_live 1935 app=live;`
        "ts_live" => ts_live: NotInherited<TsLive>, in LOCATION;
    }
}

impl Value for TsLive {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "address [app=name]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<TsLive, Problem> {
        let RtmpAddress { addr, .. } = RtmpAddress::read(args, evaluation)?;
        let mut live = TsLive { addr, app: None };
        for word in args.words.get(1..).unwrap_or_default() {
            match parameter(word) {
                (b"app", Some(value)) => live.app = Some(value.into()),
                _ => return Err(unsupported(word, "app=")),
            }
        }
        Ok(live)
    }
}
