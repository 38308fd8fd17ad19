//! Directives of metrics.

use crate::directive::context::LOCATION;
use crate::directive::table::directives;
use crate::directive::{Args, Arity, Evaluation, NotInherited, Value};
use crate::limits;
use crate::syntax::{Problem, sentence};

/// A location that serves metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetricsPage {
    /// Number of streams with series of their own.
    pub streams: usize,
}

directives! {
    /// Metrics.
    module "metrics";
    live as Current {
        /// Responds with metrics of the server for Prometheus, in the OpenMetrics text format if `Accept` names it,
        /// otherwise in Prometheus's: see docs/metrics.md. Without an argument the number of series does not depend
        /// on streams and clients. `top=10` adds series of the ten streams with the most clients, named by server,
        /// application and stream.
        ///
        /// Not in PingOS.
        ///
        /// Example: `rtmp_metrics top=10;`
        "rtmp_metrics" => metrics: NotInherited<MetricsPage>, in LOCATION, selects handler;
    }
}

impl Value for MetricsPage {
    const ARITY: Arity = Arity::between(0, 1);

    fn syntax() -> String {
        "[top=number]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<MetricsPage, Problem> {
        let Some(word) = args.words.first() else { return Ok(MetricsPage::default()) };
        let number = word.bytes.strip_prefix(b"top=").and_then(|digits| std::str::from_utf8(digits).ok());
        match number.and_then(|digits| digits.parse().ok()) {
            Some(streams) if streams <= limits::METRICS_STREAMS => Ok(MetricsPage { streams }),
            _ => {
                let text = sentence(&[b"invalid parameter \"", &word.bytes, b"\""]);
                let help = format!("it is top= with a number up to {}", limits::METRICS_STREAMS);
                Err(Problem::new(text).at(word.span).help(help))
            }
        }
    }
}
