//! Directives of the trace module.

use crate::directive::context::{Contexts, HTTP, LOCATION};
use crate::directive::table::directives;
use crate::directive::{BlockLevel, Evaluation, Present, Slot};

directives! {
    /// Trace ids of requests.
    module "trace";
    live as Current {
        /// Gives each request trace ids: those of its headers `X-NTM-Traceid`, `X-NTM-Currentid` and
        /// `X-NTM-Parentid`, of which at most 32 bytes are used, or new ones if one of the three is missing. They are
        /// the values of the variables `$ntm_traceid`, `$ntm_currentid` and `$ntm_parentid`, and stand in the error
        /// log at the end of lines about the request. Subrequests have no ids.
        ///
        /// Differs from PingOS: new ids are not visible as `$http_x_ntm_*`, and `X-NTM-Debug` sets `$ntm_debug` only, not
        /// the level of the log.
        ///
        /// Example: `http_trace;`
        "http_trace" => trace: Option<Present>, in HTTP;
    }
    made {
        Traced;
    }
}

/// Whether requests have trace ids.
#[derive(Clone, Copy, Debug)]
pub struct Traced(pub bool);

impl Slot for Traced {
    const HOLDERS: Contexts = LOCATION;

    fn make(level: &BlockLevel<'_>, _: &mut Evaluation<'_>) -> Traced {
        Traced(level.blocks.iter().any(|block| block.uses("http_trace").is_some()))
    }
}
