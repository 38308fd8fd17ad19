//! Directives about sessions that a reload leaves behind.

use std::time::Duration;

use crate::directive::context::RTMP;
use crate::directive::table::directives;
use crate::directive::{Args, Arity, Evaluation, Flag, Value, number};
use crate::syntax::Problem;

/// Treatment of sessions whose server or application was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orphans {
    /// They continue.
    #[default]
    Keep,
    /// They end after this time.
    Close(Duration),
}

impl Value for Orphans {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "keep | close time".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<Orphans, Problem> {
        match args.words {
            [keep] if keep.is("keep") => Ok(Orphans::Keep),
            [close, time] if close.is("close") => {
                let time = number::msec(&time.bytes).map(Duration::from_millis);
                time.map(Orphans::Close)
                    .ok_or_else(|| args.refuse("invalid value").caption("a time such as 30s"))
            }
            _ => Err(args.refuse("invalid value").caption("`keep`, or `close` and a time such as 30s")),
        }
    }
}

directives! {
    /// Effect of a reload on running sessions.
    module "reload";
    live as Current {
        /// Treatment of sessions whose server or application a reload has removed: they continue (`keep`), or end after
        /// a time, unless the application has returned by then.
        ///
        /// Not in PingOS.
        ///
        /// Example: `reload_orphans close 10s;`
        "reload_orphans" => orphans: Orphans = "keep", in RTMP;
        /// Makes a reload that changes anything end all sessions. It is not needed to apply a change: with
        /// `off`, running sessions follow a reload, and neither publishers nor players notice it.
        ///
        /// Differs from PingOS, where with `off` running sessions keep the old configuration, and new players
        /// do not reach their streams.
        ///
        /// Example: `fast_reload on;`
        "fast_reload" => fast_reload: Flag = "off", in RTMP;
    }
}
