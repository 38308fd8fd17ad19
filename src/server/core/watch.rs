//! The `conf_watch` directive: automatic reloads.

use std::time::Duration;

use crate::directive::{Args, Evaluation, Value, number};
use crate::syntax::Problem;

/// Detection of changed configuration files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConfWatch {
    /// None.
    #[default]
    Off,
    /// Notification by the system.
    On,
    /// Polling at this interval.
    Every(Duration),
}

impl Value for ConfWatch {
    fn syntax() -> String {
        "on | off | time".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<ConfWatch, Problem> {
        let word = args.first();
        if word.is("on") {
            return Ok(ConfWatch::On);
        }
        if word.is("off") {
            return Ok(ConfWatch::Off);
        }
        let time = number::msec(&word.bytes).map(Duration::from_millis).filter(|time| !time.is_zero());
        time.map(ConfWatch::Every)
            .ok_or_else(|| args.refuse("invalid value").caption("`on`, `off`, or an interval such as 30s"))
    }
}
