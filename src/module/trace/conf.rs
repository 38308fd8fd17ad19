//! Directives of the trace module.

use crate::directive::Present;
use crate::directive::context::HTTP;
use crate::directive::table::directives;

directives! {
    /// Trace ids of requests.
    module "trace";
    later {
        /// Turns on the X-NTM-* trace ids for http requests and defines $ntm_* values.
        "http_trace" => Present, in HTTP;
    }
}
