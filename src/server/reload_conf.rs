//! What a reload does to the sessions that it leaves behind.

use std::time::Duration;

use crate::directive::context::RTMP;
use crate::directive::table::directives;
use crate::directive::{Args, Arity, Flag, Scene, Value, number};
use crate::syntax::Problem;

/// What becomes of sessions whose server or application is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orphans {
    /// They go on as they are.
    #[default]
    Keep,
    /// They end after that time.
    Close(Duration),
}

impl Value for Orphans {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "keep | close time".into()
    }

    fn parse(args: &Args<'_>, _: &mut Scene<'_>) -> Result<Orphans, Problem> {
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
    /// What a reload does to the sessions that it leaves behind.
    module "reload";
    live as Current {
        /// What becomes of sessions whose server or application a reload has removed: they go on as they were, or
        /// end after a time, unless it has come back by then.
        "reload_orphans" => orphans: Orphans = "keep", in RTMP;
        /// A reload that changes anything ends all sessions, as the original does. Nothing here needs that: running
        /// sessions follow a reload by themselves, and without it no publisher and no player notices.
        "fast_reload" => fast_reload: Flag = "off", in RTMP;
    }
}
