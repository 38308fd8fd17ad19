//! Directives of the trace module.

use crate::conf::Present;
use crate::conf::context::HTTP;
use crate::conf::directive::directives;

directives! {
    /// Trace ids of requests.
    module "trace";
    later {
        /// Turns on the X-NTM-* trace ids for http requests and defines $ntm_* values.
        "http_trace" => Present, in HTTP;
    }
}
