//! The `hls2_live` directive.

use bstr::BString;

use crate::directive::{Args, Arity, Evaluation, ListenAddr, Value};
use crate::http::origin::IdentityOverrides;
use crate::http::relation::{RtmpAddress, parameter, unsupported};
use crate::syntax::Problem;

/// A location that serves HLS from memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hls2Live {
    /// RTMP address whose streams are served.
    pub addr: ListenAddr,
    /// Application, unless the request names one.
    pub app: Option<BString>,
    /// flashVer in notifications.
    pub flashver: Option<BString>,
    /// swfUrl in notifications.
    pub swf_url: Option<BString>,
    /// tcUrl in notifications.
    pub tc_url: Option<BString>,
    /// pageUrl in notifications.
    pub page_url: Option<BString>,
}

impl Hls2Live {
    /// Values for callbacks instead of the request's own.
    pub fn overrides(&self) -> IdentityOverrides<'_> {
        IdentityOverrides {
            flash_ver: self.flashver.as_ref(),
            swf_url: self.swf_url.as_ref(),
            tc_url: self.tc_url.as_ref(),
            page_url: self.page_url.as_ref(),
        }
    }
}

impl Value for Hls2Live {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "address [app=name] [flashver=text] [swf_url=text] [tc_url=text] [page_url=text]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Hls2Live, Problem> {
        let RtmpAddress { addr, .. } = RtmpAddress::read(args, evaluation)?;
        let mut live =
            Hls2Live { addr, app: None, flashver: None, swf_url: None, tc_url: None, page_url: None };
        for word in args.words.get(1..).unwrap_or_default() {
            let field = match parameter(word) {
                (b"app", Some(value)) => (&mut live.app, value),
                (b"flashver", Some(value)) => (&mut live.flashver, value),
                (b"swf_url", Some(value)) => (&mut live.swf_url, value),
                (b"tc_url", Some(value)) => (&mut live.tc_url, value),
                (b"page_url", Some(value)) => (&mut live.page_url, value),
                _ => return Err(unsupported(word, "app=, flashver=, swf_url=, tc_url=, page_url=")),
            };
            let (field, value) = field;
            *field = Some(value.into());
        }
        Ok(live)
    }
}
